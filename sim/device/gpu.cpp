#include "sim/device/gpu.hpp"

#include "sim/data_files.hpp"
#include "sim/quantity_text.hpp"
#include "sim/sourced_json.hpp"

#include <cmath>
#include <cstdlib>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace decodesim {

namespace {

std::map<DataType, Sourced<FlopPerSecond>> read_peaks(const JsonReader& json) {
  std::map<DataType, Sourced<FlopPerSecond>> peaks;
  for (const auto& name : json.keys()) {
    if (name.starts_with("_")) {
      continue;
    }
    const auto type = data_type_named(name, json.where());
    if (compute_type(type) != type) {
      throw json.at(name).error("is a peak for a type that nothing is computed in",
                                to_string(type) + " weights are computed in " +
                                    to_string(compute_type(type)));
    }
    peaks[type] = read_flop_per_second(json.at(name));
  }
  if (!peaks.contains(DataType::bf16) && !peaks.contains(DataType::fp16)) {
    throw json.error("has neither \"bf16\" nor \"fp16\"",
                     "one is required: types without a peak are computed in it");
  }
  return peaks;
}

ComputeCapability read_compute_capability(const JsonReader& json) {
  const auto text = json.as_string();
  const auto is_digits = [](const std::string& part) {
    return !part.empty() && part.size() <= 2 &&
           part.find_first_not_of("0123456789") == std::string::npos;
  };
  const auto dot = text.find('.');
  if (dot == std::string::npos || !is_digits(text.substr(0, dot)) ||
      !is_digits(text.substr(dot + 1))) {
    throw json.error("is \"" + text + "\"", "two numbers as in \"9.0\" are expected");
  }
  return {std::stoi(text.substr(0, dot)), std::stoi(text.substr(dot + 1))};
}

/// The generation whose types of products the GPU has, for files that do not tell.
ComputeCapability capability_by_peaks(const std::map<DataType, Sourced<FlopPerSecond>>& peaks) {
  if (peaks.contains(DataType::fp8)) {
    return {9, 0};
  }
  return peaks.contains(DataType::bf16) ? ComputeCapability{8, 0} : ComputeCapability{7, 0};
}

Sourced<int> read_sm_count(const JsonReader& json) {
  const auto count = read_count(json);
  if (count.value < 1.0 || count.value != std::floor(count.value)) {
    throw json.error("is no number of processors", "a whole number from 1 on is expected");
  }
  return {static_cast<int>(count.value), count.kind, count.source};
}

template <class T> Sourced<T> not_told(T value) {
  return {value, SourceKind::assumed, "the file does not tell; that of an A100"};
}

/// What files of users may leave out.
void read_device(const JsonReader& json, Gpu& gpu) {
  const auto capability = json.find("compute_capability");
  gpu.compute_capability =
      capability ? read_compute_capability(*capability) : capability_by_peaks(gpu.peak);
  const auto sm_count = json.find("sm_count");
  gpu.sm_count = sm_count ? read_sm_count(*sm_count) : not_told(108);
  const auto l2_cache = json.find("l2_cache");
  gpu.l2_cache = l2_cache ? read_bytes(*l2_cache) : not_told(Bytes{40.0 * 1024 * 1024});
}

/// The GPU with a kernel file that is nearest to `gpu`: by generation first (the newest that is not
/// newer, else the oldest), then by memory bandwidth.
std::string nearest_with_kernels(const Gpu& gpu) {
  std::string best;
  std::tuple<bool, int, double> best_distance;
  for (const auto& name : data_file_names(DataKind::kernels)) {
    const auto preset = find_data_file(DataKind::gpu, name);
    if (preset.empty()) {
      continue;
    }
    const auto json = JsonReader::open(preset);
    const auto capability = read_compute_capability(json.at("compute_capability"));
    const auto bandwidth = read_bytes_per_second(json.at("memory_bandwidth")).value;
    const auto generations = (gpu.compute_capability.major - capability.major) * 100 +
                             gpu.compute_capability.minor - capability.minor;
    const std::tuple distance{generations < 0,
                              std::abs(generations),
                              std::abs(std::log(bandwidth / gpu.memory_bandwidth.value))};
    if (best.empty() || distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

/// What is known of another GPU is an assumption here.
template <class T> void transfer(Sourced<T>& number, const std::string& relative) {
  number.source = "as on the " + relative + ": " + number.source;
  number.kind = SourceKind::assumed;
}

/// Kernels of another GPU: its efficiencies and fixed costs, with the bandwidth and peaks of `gpu`.
void take_kernels_of(const std::string& relative, const std::string& why, Gpu& gpu) {
  gpu.kernels = load_kernels(find_data_file(DataKind::kernels, relative));
  gpu.kernels_of = {relative, SourceKind::assumed, why};
  for (auto& [kernel_class, cost] : gpu.kernels) {
    for_each_parameter(cost, [&](const char*, auto& number) { transfer(number, relative); });
  }
}

/// Kernels written in the GPU file, measured on it, of the GPU that it names, or of its nearest
/// relative.
void read_kernels(const JsonReader& json, Gpu& gpu) {
  const auto kernels = json.find("kernels");
  if (kernels && kernels->is_object()) {
    gpu.kernels = read_kernel_classes(*kernels);
  } else if (const auto own = find_data_file(DataKind::kernels, gpu.name); !own.empty()) {
    gpu.kernels = load_kernels(own);
  } else if (kernels) {
    const auto relative = kernels->as_string();
    if (find_data_file(DataKind::kernels, relative).empty()) {
      throw InputError::unknown_name(
          kernels->where(), "GPU with kernels", relative, data_file_names(DataKind::kernels));
    }
    take_kernels_of(relative, "the relative that its file names, scaled by the datasheets", gpu);
  } else {
    take_kernels_of(nearest_with_kernels(gpu),
                    "the nearest GPU whose kernels are known, scaled by the datasheets",
                    gpu);
  }
}

} // namespace

std::string to_string(ComputeCapability capability) {
  return std::to_string(capability.major) + "." + std::to_string(capability.minor);
}

Gpu load_gpu(const std::filesystem::path& path) {
  const auto json = JsonReader::open(path);
  json.allow_only({"format_version",
                   "name",
                   "summary",
                   "compute_capability",
                   "sm_count",
                   "l2_cache",
                   "memory_capacity",
                   "memory_reserve",
                   "memory_bandwidth",
                   "peak",
                   "eager_launch",
                   "graph_launch",
                   "kernels"});
  (void)json.at("format_version").as_integer(1, 1);
  Gpu gpu;
  gpu.name = json.at("name").as_string();
  gpu.summary = json.at("summary").as_string();
  gpu.memory_capacity = read_bytes(json.at("memory_capacity"));
  gpu.memory_reserve = read_bytes(json.at("memory_reserve"));
  if (gpu.memory_reserve.value >= gpu.memory_capacity.value) {
    throw json.at("memory_reserve")
        .error("is " + to_text(gpu.memory_reserve.value),
               "less than the capacity of " + to_text(gpu.memory_capacity.value) + " is expected");
  }
  gpu.memory_bandwidth = read_bytes_per_second(json.at("memory_bandwidth"));
  gpu.peak = read_peaks(json.at("peak"));
  gpu.eager_launch = read_seconds(json.at("eager_launch"));
  gpu.graph_launch = read_seconds(json.at("graph_launch"));
  read_device(json, gpu);
  read_kernels(json, gpu);
  return gpu;
}

Gpu find_gpu(const std::string& name_or_path, const std::string& where) {
  if (const auto preset = find_data_file(DataKind::gpu, name_or_path); !preset.empty()) {
    return load_gpu(preset);
  }
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".json")) {
    return load_gpu(name_or_path);
  }
  throw InputError::unknown_name(where, "GPU", name_or_path, data_file_names(DataKind::gpu));
}

} // namespace decodesim
