#include "validation/calibrate_shots.hpp"

#include "sim/data_files.hpp"
#include "topologies/machine.hpp"
#include "validation/collective_systems.hpp"
#include "validation/collective_time.hpp"
#include "validation/csv_table.hpp"
#include "validation/fit.hpp"
#include "validation/fitted_numbers.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace decodesim {

namespace {

enum class Shot { one, two, multimem };

/// Rows of the table that one kernel ran: from `least` to below `most` bytes, by number of GPUs.
struct Range {
  int gpus = 0;
  double least = 0;
  double most = 0;
};

struct ShotFit {
  Shot shot = Shot::one;
  std::string framework;          ///< of the table
  std::set<std::string> versions; ///< likewise
  std::vector<Range> ranges;
};

/// The kernels of one engine on one kind of GPU.
struct DeviceFit {
  std::string transport;
  std::string compute_capability;
  std::vector<std::string> systems;
  std::vector<ShotFit> shots;
};

struct EngineFit {
  std::string name;
  std::string summary;
  std::vector<DeviceFit> devices;
};

constexpr double kib = 1024.0;
constexpr double mib = 1024.0 * kib;

/// vLLM reads in one round below these sizes, and uses its kernel up to 8 MiB
/// (csrc/custom_all_reduce.cuh).
const std::vector<Range> vllm_one{{2, 0, 8 * mib}, {4, 0, 512 * kib}, {8, 0, 256 * kib}};
const std::vector<Range> vllm_two{{4, 512 * kib, 8 * mib}, {8, 256 * kib, 8 * mib}};
const std::vector<Range> multimem{{4, 8 * mib, 40 * mib}, {8, 256 * kib, 40 * mib}};
const std::vector<Range> pair{{2, 0, 8 * mib}};
/// As far as the tables lie below NCCL's times.
const std::vector<Range> trtllm{{2, 0, 4 * mib}, {4, 0, 1.5 * mib}, {8, 0, 300 * kib}};

std::vector<EngineFit> engines() {
  const std::vector<std::string> hopper{"h100_sxm", "h200_sxm"};
  return {
      {"custom-vllm",
       "All-reduce kernel of vLLM, in CUDA graphs; multimem: PyTorch's symmetric memory in vLLM",
       {{"nvlink",
         "8.0",
         {"a100_sxm"},
         {{Shot::one, "vllm", {"0.14.0"}, vllm_one}, {Shot::two, "vllm", {"0.14.0"}, vllm_two}}},
        {"nvlink",
         "9.0",
         hopper,
         {{Shot::one, "vllm", {"0.19.0", "0.24.0"}, vllm_one},
          {Shot::two, "sglang", {"0.5.10"}, vllm_two},
          {Shot::multimem, "vllm", {"0.19.0", "0.24.0"}, multimem}}},
        {"pcie", "12.0", {"rtx_pro_6000_server"}, {{Shot::one, "vllm", {"0.24.0"}, pair}}},
        {"host_memory", "8.9", {"l40s"}, {{Shot::one, "vllm", {"0.14.0"}, pair}}}}},
      {"custom-trtllm",
       "One-shot all-reduce kernel of TensorRT-LLM, in CUDA graphs",
       {{"nvlink", "8.0", {"a100_sxm"}, {{Shot::one, "trtllm", {"1.0.0"}, trtllm}}},
        {"nvlink", "9.0", hopper, {{Shot::one, "trtllm", {"1.3.0rc20"}, trtllm}}},
        {"pcie",
         "12.0",
         {"rtx_pro_6000_server"},
         {{Shot::one, "trtllm", {"1.3.0rc20"}, {{2, 0, 256 * kib}}}}}}}};
}

struct Row {
  double members = 0;
  double bytes = 0;
  double measured_us = 0;
};

std::vector<Row> rows_of(const DeviceFit& device, const ShotFit& shot, const CsvTable& table) {
  std::vector<Row> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto& system = table.text(row, "system");
    if (std::find(device.systems.begin(), device.systems.end(), system) == device.systems.end() ||
        table.text(row, "framework") != shot.framework ||
        !shot.versions.contains(table.text(row, "dir_version"))) {
      continue;
    }
    const double bytes = table.number(row, "size_bytes");
    const double gpus = table.number(row, "num_gpus");
    if (std::any_of(shot.ranges.begin(), shot.ranges.end(), [&](const Range& range) {
          return range.gpus == static_cast<int>(gpus) && bytes >= range.least && bytes < range.most;
        })) {
      rows.push_back(
          {.members = gpus, .bytes = bytes, .measured_us = table.number(row, "latency_us")});
    }
  }
  return rows;
}

/// Bytes that a GPU moves per direction.
double moved(Shot shot, const Row& row) {
  const double n = row.members;
  switch (shot) {
  case Shot::one:
    return (n - 1.0) * row.bytes;
  case Shot::two:
    return 2.0 * (n - 1.0) / n * row.bytes;
  case Shot::multimem:
    return (n + 1.0) / n * row.bytes;
  }
  return 0;
}

std::string shot_text(const ShotFit& shot, const std::vector<Row>& rows, double bandwidth) {
  const std::vector<FitParameter> parameters{
      {"base", 4.0, 0.1, 50.0, true},
      {"per_peer", 0.1, 1e-4, 20.0, true},
      {"bandwidth", bandwidth, bandwidth / 20, bandwidth * 5, true}};
  const auto time_us = [&](const std::vector<double>& at, const Row& row) {
    return at[0] + at[1] * (row.members - 1.0) + moved(shot.shot, row) / (at[2] * 1e3);
  };
  constexpr int most_evaluations = 4000;
  const auto found = minimize(
      parameters,
      [&](const std::vector<double>& at) {
        double sum = 0;
        for (const auto& row : rows) {
          sum += robust_cost(time_us(at, row), row.measured_us);
        }
        return sum;
      },
      most_evaluations);
  std::vector<double> errors;
  for (const auto& row : rows) {
    errors.push_back(time_us(found.values, row) / row.measured_us - 1.0);
  }
  const std::string source = "fit to tables of aiconfigurator, commit 095f58a: " + shot.framework +
                             " " + *shot.versions.rbegin();
  const char* name = shot.shot == Shot::one   ? "one_shot"
                     : shot.shot == Shot::two ? "two_shot"
                                              : "multimem";
  return std::string{"      \""} + name + "\": {\n        \"residuals\": \"" +
         residual_text(errors) + "\",\n        " +
         fitted_number("base", found.values[0], "us", source) + ",\n        " +
         fitted_number("per_peer", found.values[1], "us", source) + ",\n        " +
         fitted_number("bandwidth", found.values[2], "GB/s", source) + "\n      }";
}

std::string device_text(const DeviceFit& device, const CsvTable& table) {
  const auto system = find_system(device.systems.front(), "").value();
  const CollectiveBench bench{
      find_machine(system.machine, 1, device.systems.front()), {0, 1}, "ideal"};
  const auto& path = bench.network().path(0, 1);
  const double bandwidth = bench.network().cost(path.transport).bandwidth.value() / 1e9;
  const std::string machine = "of the machine that was fitted on";
  std::string text = "    {\n      \"transport\": \"" + device.transport +
                     "\",\n      \"compute_capability\": \"" + device.compute_capability +
                     "\",\n      " +
                     fitted_number("machine_bandwidth", bandwidth, "GB/s", machine) + ",\n      " +
                     fitted_number("wires", path.latency.value() * 1e6, "us", machine);
  for (const auto& shot : device.shots) {
    text += ",\n" + shot_text(shot, rows_of(device, shot, table), bandwidth);
  }
  return text + "\n    }";
}

} // namespace

std::vector<ParameterFile> calibrate_shots() {
  const auto table = CsvTable::read(data_root() / "validation" / "data" / "collectives-fit" /
                                    "aic_custom_allreduce.csv");
  std::vector<ParameterFile> files;
  for (const auto& engine : engines()) {
    std::string text = "{\n  \"format_version\": 1,\n  \"name\": \"" + engine.name +
                       "\",\n  \"summary\": \"" + engine.summary + "\",\n  \"kernels\": [\n";
    for (std::size_t i = 0; i < engine.devices.size(); ++i) {
      text += (i == 0 ? "" : ",\n") + device_text(engine.devices[i], table);
    }
    files.push_back(
        {.path = "sim/network/custom/fits/" + engine.name + ".json", .text = text + "\n  ]\n}\n"});
  }
  return files;
}

} // namespace decodesim
