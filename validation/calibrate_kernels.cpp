#include "validation/calibrate_kernels.hpp"

#include "sim/data_files.hpp"
#include "sim/device/gpu.hpp"
#include "sim/error.hpp"
#include "validation/fit.hpp"
#include "validation/kernel_file.hpp"
#include "validation/measure/run_file.hpp"
#include "validation/operator_table.hpp"
#include "validation/probe_operators.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace decodesim {

namespace {

/// A class of a GPU is fitted to all of these that have it: they come from other cards of the same
/// type and other ways to measure, and each counts alike, whatever the number of its rows.
constexpr const char* tables[] = {"aic_gemm.csv",
                                  "aic_decode_attention.csv",
                                  "aic_moe.csv",
                                  "vidur_attention_a100.csv",
                                  "llmservingsim_ops.csv",
                                  "vidur_mlp_ops.csv",
                                  "llmservingsim_v0_layers.csv"};

/// Rows of one table that one class of one GPU is fitted to.
struct TableRows {
  std::string table;
  std::vector<OperatorTime> rows;
};

/// All that one class of one GPU is fitted to.
using Sample = std::vector<TableRows>;

using Samples = std::map<std::string, std::map<KernelClass, Sample>>; ///< by GPU

/// @returns every usable row, of GPUs with a kernel file
Samples read_samples() {
  Samples samples;
  std::map<std::string, Gpu> gpus;
  for (const auto* table : tables) {
    for (auto& row : read_operators(kernel_tables() / table)) {
      if (!row.reason.empty() || find_data_file(DataKind::kernels, row.gpu).empty()) {
        continue;
      }
      if (!gpus.contains(row.gpu)) {
        gpus[row.gpu] = find_gpu(row.gpu, row.id);
      }
      if (!tells_about_memory(row, gpus.at(row.gpu))) {
        continue;
      }
      auto& sample = samples[row.gpu][row.operation];
      if (sample.empty() || sample.back().table != table) {
        sample.push_back({table, {}});
      }
      sample.back().rows.push_back(std::move(row));
    }
  }
  return samples;
}

/// One parameter of a class that a fit may move.
struct Movable {
  const char* name;
  const char* unit;
  double scale; ///< base units of one `unit`
  FitParameter range;
  std::function<void(KernelClassCost&, double)> set; ///< in base units
};

void set_fixed(KernelClassCost& cost, double value) { cost.fixed.value = Seconds{value}; }

void set_flop_efficiency(KernelClassCost& cost, double value) {
  cost.flop_efficiency_ratio.value = value;
}

void set_byte_efficiency(KernelClassCost& cost, double value) {
  cost.byte_efficiency_ratio.value = value;
}

Movable fixed(double start, double least) {
  return {"fixed", "us", 1e-6, {"fixed", start, least, 40.0, true}, set_fixed};
}

Movable flop_efficiency() {
  return {"flop_efficiency_ratio",
          "ratio",
          1.0,
          {"flop_efficiency_ratio", 0.8, 0.1, 1.0},
          set_flop_efficiency};
}

Movable byte_efficiency(double start, double least) {
  return {"byte_efficiency_ratio",
          "ratio",
          1.0,
          {"byte_efficiency_ratio", start, least, 1.0},
          set_byte_efficiency};
}

Movable ramp(double start) {
  return {"ramp", "MB", 1e6, {"ramp", start, 0.001, 30.0, true}, [](auto& cost, double value) {
            cost.ramp = {.value = Bytes{value}};
          }};
}

Movable cache_speedup() {
  return {"cache_speedup",
          "count",
          1.0,
          {"cache_speedup", 3.0, 1.0, 20.0, true},
          [](auto& cost, double value) { cost.cache_speedup = {.value = value}; }};
}

Movable overlap_exponent() {
  return {"overlap_exponent",
          "count",
          1.0,
          {"overlap_exponent", 2.0, 1.0, 10.0, true},
          [](auto& cost, double value) { cost.overlap_exponent = {.value = value}; }};
}

Movable per_depth() {
  return {"per_depth", "ns", 1e-9, {"per_depth", 0.1, 0.0, 2.0}, [](auto& cost, double value) {
            cost.per_depth = {.value = Seconds{value}};
          }};
}

Movable per_row() {
  return {"per_row", "us", 1e-6, {"per_row", 0.15, 0.0, 2.0}, [](auto& cost, double value) {
            cost.per_row = {.value = Seconds{value}};
          }};
}

Movable per_unsplit_token() {
  return {"per_unsplit_token",
          "ns",
          1e-9,
          {"per_unsplit_token", 15.0, 0.0, 60.0},
          [](auto& cost, double value) { cost.per_unsplit_token = {.value = Seconds{value}}; }};
}

std::vector<Movable> movables(KernelClass kernel_class, const Sample& sample) {
  switch (kernel_class) {
  case KernelClass::gemm:
  case KernelClass::gemm_fp8:
    return {fixed(4.0, 0.5),
            flop_efficiency(),
            byte_efficiency(0.85, 0.4),
            ramp(0.3),
            overlap_exponent(),
            per_depth()};
  case KernelClass::grouped_gemm:
    return {fixed(8.0, 0.5), flop_efficiency(), byte_efficiency(0.8, 0.3), overlap_exponent()};
  case KernelClass::attention_decode: {
    std::vector<Movable> all{
        fixed(11.0, 1.0), byte_efficiency(0.9, 0.4), ramp(3.0), per_depth(), per_row()};
    if (std::any_of(sample.begin(), sample.end(), [](const TableRows& table) {
          return std::any_of(table.rows.begin(), table.rows.end(), [](const auto& row) {
            return row.work.front().unsplit;
          });
        })) {
      all.push_back(per_unsplit_token());
    }
    return all;
  }
  case KernelClass::norm:
  case KernelClass::elementwise:
  case KernelClass::embedding:
  case KernelClass::sampling:
    return {fixed(3.0, 0.5), byte_efficiency(0.6, 0.02), cache_speedup()};
  case KernelClass::attention_latent:
  case KernelClass::attention_prefill:
    break;
  }
  return {};
}

double time_of(const OperatorTime& row, const Gpu& gpu) {
  Seconds sum;
  for (const auto& work : row.work) {
    sum += kernel_time(work, gpu);
  }
  return sum.value();
}

/// Decoding is what matters: rows beyond those of a decode step count a third.
double weight_of(const OperatorTime& row) { return row.rows <= 128.0 ? 1.0 : 1.0 / 3.0; }

/// Mean of |log(simulated / measured)|: robust against rows with another kernel, and even-handed
/// between too fast and too slow.
double mean_error(const Sample& sample, const Gpu& gpu) {
  double all = 0;
  for (const auto& table : sample) {
    double sum = 0;
    double weights = 0;
    for (const auto& row : table.rows) {
      const auto weight = weight_of(row);
      sum += weight * std::abs(std::log(time_of(row, gpu) / row.measured.value()));
      weights += weight;
    }
    all += sum / weights;
  }
  return all / static_cast<double>(sample.size());
}

std::size_t count_rows(const Sample& sample) {
  std::size_t rows = 0;
  for (const auto& table : sample) {
    rows += table.rows.size();
  }
  return rows;
}

/// "432 rows of aic_gemm.csv and 1160 of vidur_mlp_ops.csv", with `where` behind it
std::string provenance(const Sample& sample, const std::string& where) {
  std::string text;
  for (const auto& table : sample) {
    text += text.empty() ? "" : " and ";
    text += std::to_string(table.rows.size()) + (text.empty() ? " rows of " : " of ") + table.table;
  }
  return text + where;
}

std::vector<Residual> residuals(const Sample& sample, const Gpu& gpu) {
  struct Range {
    const char* name;
    double most;
    double sum = 0;
    int rows = 0;
  };

  std::vector<Range> ranges{
      {"rows 1-16", 16}, {"rows 17-128", 128}, {"rows 129-512", 512}, {"rows above 512", 1e9}};
  for (const auto& table : sample) {
    for (const auto& row : table.rows) {
      auto& range = *std::find_if(
          ranges.begin(), ranges.end(), [&](const auto& one) { return row.rows <= one.most; });
      range.sum += std::abs(time_of(row, gpu) / row.measured.value() - 1.0);
      ++range.rows;
    }
  }
  std::vector<Residual> all;
  for (const auto& range : ranges) {
    if (range.rows > 0) {
      all.push_back({range.name, to_four_digits(range.sum / range.rows), range.rows});
    }
  }
  return all;
}

/// Fits one class, leaves its parameters in `gpu`, and tells them.
/// @param where  of the tables, in sources: " in validation/data/kernels"
FittedClass
fit_class(KernelClass kernel_class, const Sample& sample, const std::string& where, Gpu& gpu) {
  const auto all = movables(kernel_class, sample);
  if (!gpu.kernels.contains(kernel_class)) {
    gpu.kernels[kernel_class] = gpu.kernels.at(KernelClass::gemm);
  }
  auto& cost = gpu.kernels.at(kernel_class);
  cost = {.fixed = cost.fixed,
          .flop_efficiency_ratio = cost.flop_efficiency_ratio,
          .byte_efficiency_ratio = cost.byte_efficiency_ratio};
  std::vector<FitParameter> ranges;
  for (const auto& one : all) {
    ranges.push_back(one.range);
  }
  const auto apply = [&](const std::vector<double>& values) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].set(cost, values[i] * all[i].scale);
    }
  };
  const auto fit = minimize(
      ranges,
      [&](const std::vector<double>& values) {
        apply(values);
        return mean_error(sample, gpu);
      },
      2000);
  FittedClass fitted;
  std::vector<double> rounded;
  for (std::size_t i = 0; i < all.size(); ++i) {
    rounded.push_back(to_four_digits(fit.values[i]));
    fitted.parameters[all[i].name] = {.value = rounded[i],
                                      .unit = all[i].unit,
                                      .source = "fit of class " + to_string(kernel_class) + " to " +
                                                provenance(sample, where)};
  }
  apply(rounded);
  fitted.residuals = residuals(sample, gpu);
  return fitted;
}

/// Row-wise kernels before grouped products, which are measured together with them.
constexpr KernelClass fit_order[] = {KernelClass::gemm,
                                     KernelClass::gemm_fp8,
                                     KernelClass::attention_decode,
                                     KernelClass::norm,
                                     KernelClass::elementwise,
                                     KernelClass::embedding,
                                     KernelClass::sampling,
                                     KernelClass::grouped_gemm};

/// A class with fewer rows keeps what its file has.
constexpr std::size_t least_rows = 10;

/// Fits all classes that have enough rows, and leaves their parameters in `gpu`.
std::map<std::string, FittedClass>
fit_classes(const std::map<KernelClass, Sample>& classes, const std::string& where, Gpu& gpu) {
  std::map<std::string, FittedClass> fitted;
  for (const auto kernel_class : fit_order) {
    const auto found = classes.find(kernel_class);
    if (found != classes.end() && count_rows(found->second) >= least_rows) {
      fitted[to_string(kernel_class)] = fit_class(kernel_class, found->second, where, gpu);
    }
  }
  return fitted;
}

/// Rows of one run that can be fitted to, by class.
void add_probes(const std::filesystem::path& path,
                const std::string& gpu_name,
                std::map<KernelClass, Sample>& classes,
                std::string& name) {
  const auto file = path.filename().string();
  const auto run = read_run_file(path);
  for (auto& row : probe_operators(run, file, gpu_name)) {
    if (row.gpu.empty()) {
      throw InputError::at(file,
                           "no GPU preset is known as \"" + run.provenance.device + "\"",
                           "name a GPU preset or file with --gpu-name");
    }
    if (!row.reason.empty()) {
      continue;
    }
    if (!name.empty() && row.gpu != name) {
      throw InputError::at(file, "is of a " + row.gpu, "all files are to be of one GPU: " + name);
    }
    name = row.gpu;
    auto& sample = classes[row.operation];
    if (sample.empty() || sample.back().table != file) {
      sample.push_back({file, {}});
    }
    sample.back().rows.push_back(std::move(row));
  }
}

void refuse_kernels_in_gpu_file(const std::string& name) {
  const auto preset = find_data_file(DataKind::gpu, name);
  const auto json = JsonReader::open(preset.empty() ? std::filesystem::path{name} : preset);
  if (const auto kernels = json.find("kernels"); kernels && kernels->is_object()) {
    throw kernels->error("comes before any kernel file", "leave \"kernels\" out of the GPU file");
  }
}

} // namespace

std::vector<ParameterFile> calibrate_kernels() {
  std::vector<ParameterFile> files;
  for (const auto& [name, classes] : read_samples()) {
    auto gpu = find_gpu(name, "calibrate");
    const auto fitted = fit_classes(classes, " in validation/data/kernels", gpu);
    files.push_back({.path = std::filesystem::path{"sim/device/kernels"} / (name + ".json"),
                     .text = updated_kernel_file(find_data_file(DataKind::kernels, name), fitted)});
  }
  return files;
}

ParameterFile calibrate_kernels_to_probes(const std::vector<std::filesystem::path>& files,
                                          const std::string& gpu_name) {
  std::map<KernelClass, Sample> classes;
  std::string name;
  for (const auto& file : files) {
    add_probes(file, gpu_name, classes, name);
  }
  if (classes.empty()) {
    throw InputError::at(files.front().filename().string(),
                         "has no kernel that ran",
                         "give probes of products, attention or row-wise kernels");
  }
  auto gpu = find_gpu(name, "--gpu-name");
  refuse_kernels_in_gpu_file(name);
  for (auto& [kernel_class, sample] : classes) {
    for (auto& table : sample) {
      std::erase_if(table.rows, [&](const auto& row) { return !tells_about_memory(row, gpu); });
    }
    std::erase_if(sample, [](const TableRows& table) { return table.rows.empty(); });
  }
  const auto fitted = fit_classes(classes, "", gpu);
  if (fitted.empty()) {
    throw InputError::at(files.front().filename().string(),
                         "has no class of kernels with enough rows",
                         "at least " + std::to_string(least_rows) + " of a class are needed");
  }
  const auto own = find_data_file(DataKind::kernels, gpu.name);
  return {.path = std::filesystem::path{"sim/device/kernels"} / (gpu.name + ".json"),
          .text = own.empty() ? new_kernel_file(gpu, fitted) : updated_kernel_file(own, fitted)};
}

} // namespace decodesim
