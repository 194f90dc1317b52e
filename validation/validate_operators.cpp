#include "validation/validate_operators.hpp"

#include "sim/device/kernel_cost.hpp"
#include "sim/error.hpp"
#include "validation/operator_table.hpp"

#include <algorithm>
#include <map>

namespace decodesim {

namespace {

/// The GPU as its datasheet has it: perfect efficiencies, nothing but bandwidth and, unless
/// `bandwidth_only`, peaks.
Gpu datasheet(Gpu gpu, bool bandwidth_only) {
  for (auto& [kernel_class, cost] : gpu.kernels) {
    cost = {.fixed = {},
            .flop_efficiency_ratio = {.value = 1.0},
            .byte_efficiency_ratio = {.value = 1.0}};
  }
  for (auto& [type, peak] : gpu.peak) {
    peak.value = bandwidth_only ? FlopPerSecond{1e30} : peak.value;
  }
  return gpu;
}

struct Predictors {
  Gpu model;
  Gpu roofline;
  Gpu bandwidth_only;
};

double time_of(const OperatorTime& row, const Gpu& gpu) {
  Seconds sum;
  for (const auto& work : row.work) {
    sum += kernel_time(work, gpu);
  }
  return sum.value();
}

std::string rows_of(const OperatorTime& row) {
  const auto bound = row.rows <= 16.0 ? " 1-16" : row.rows <= 128.0 ? " 17-128" : " above 128";
  return (row.operation == KernelClass::attention_decode ? ", batch" : ", rows") +
         std::string{bound};
}

/// Whether the class of the row has its parameters from that table.
bool is_fitted_to(const std::filesystem::path& table, const OperatorTime& row, const Gpu& gpu) {
  const auto cost = gpu.kernels.find(row.operation);
  return cost != gpu.kernels.end() && cost->second.fixed.kind == SourceKind::fitted &&
         cost->second.fixed.source.find(" of " + table.string()) != std::string::npos;
}

} // namespace

ComparisonReport validate_operators(const std::filesystem::path& file) {
  ComparisonReport report;
  std::map<std::string, Predictors> gpus;
  const auto times = read_operators(file);
  const auto own_data = std::filesystem::weakly_canonical(file).parent_path() ==
                        std::filesystem::weakly_canonical(kernel_tables());
  int in_cache = 0;
  for (const auto& row : times) {
    Comparison comparison{
        .id = row.id, .group = "", .measured = row.measured.value() * 1e6, .unit = "us"};
    if (!row.reason.empty()) {
      comparison.group = "not simulated";
      comparison.status = CaseStatus::not_supported;
      comparison.reason = row.reason;
      report.rows.push_back(comparison);
      continue;
    }
    auto found = gpus.find(row.gpu);
    if (found == gpus.end()) {
      const auto gpu = find_gpu(row.gpu, row.id);
      found =
          gpus.emplace(row.gpu, Predictors{gpu, datasheet(gpu, false), datasheet(gpu, true)}).first;
    }
    const auto& predictors = found->second;
    comparison.group = row.gpu + " " + to_string(row.operation);
    if (tells_about_memory(row, predictors.model)) {
      comparison.group += rows_of(row);
    } else {
      comparison.group += ", within L2";
      comparison.in_overall = false;
      ++in_cache;
    }
    comparison.fitted = own_data && is_fitted_to(file.filename(), row, predictors.model);
    comparison.simulated = time_of(row, predictors.model) * 1e6;
    comparison.roofline = time_of(row, predictors.roofline) * 1e6;
    comparison.bandwidth_only = time_of(row, predictors.bandwidth_only) * 1e6;
    report.rows.push_back(comparison);
  }
  report.title = file.filename().string() + ": " + std::to_string(report.rows.size()) +
                 (report.rows.size() == 1 ? " kernel" : " kernels");
  if (in_cache > 0) {
    report.notes.push_back(
        std::to_string(in_cache) +
        " rows repeat a kernel whose weights or cache stay in L2, which decoding does not: groups "
        "of their own, not in the overall summary");
  }
  return report;
}

} // namespace decodesim
