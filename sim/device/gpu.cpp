#include "sim/device/gpu.hpp"

#include "sim/data_files.hpp"
#include "sim/quantity_text.hpp"
#include "sim/sourced_json.hpp"

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace decodesim {

namespace {

constexpr std::array<std::pair<KernelClass, const char*>, 9> kernel_classes{
    {{KernelClass::gemm, "gemm"},
     {KernelClass::grouped_gemm, "grouped_gemm"},
     {KernelClass::attention_decode, "attention_decode"},
     {KernelClass::attention_latent, "attention_latent"},
     {KernelClass::attention_prefill, "attention_prefill"},
     {KernelClass::norm, "norm"},
     {KernelClass::elementwise, "elementwise"},
     {KernelClass::embedding, "embedding"},
     {KernelClass::sampling, "sampling"}}};

KernelClassCost read_kernel_class(const JsonReader& json) {
  json.allow_only({"fixed", "flop_efficiency_ratio", "byte_efficiency_ratio"});
  return {read_seconds(json.at("fixed")),
          read_ratio(json.at("flop_efficiency_ratio")),
          read_ratio(json.at("byte_efficiency_ratio"))};
}

std::map<KernelClass, KernelClassCost> read_kernel_classes(const JsonReader& json) {
  std::vector<std::string> names;
  for (const auto& entry : kernel_classes) {
    names.emplace_back(entry.second);
  }
  json.allow_only(names);
  std::map<KernelClass, KernelClassCost> classes;
  for (const auto& [kernel_class, name] : kernel_classes) {
    classes[kernel_class] = read_kernel_class(json.at(name));
  }
  return classes;
}

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

} // namespace

std::string to_string(KernelClass kernel_class) {
  for (const auto& [value, name] : kernel_classes) {
    if (value == kernel_class) {
      return name;
    }
  }
  return "?";
}

KernelClass kernel_class_named(const std::string& name, const std::string& where) {
  std::vector<std::string> known;
  for (const auto& [value, one] : kernel_classes) {
    if (name == one) {
      return value;
    }
    known.emplace_back(one);
  }
  throw InputError::unknown_name(where, "kernel class", name, known);
}

Gpu load_gpu(const std::filesystem::path& path) {
  const auto json = JsonReader::open(path);
  json.allow_only({"format_version",
                   "name",
                   "summary",
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
  gpu.kernels = read_kernel_classes(json.at("kernels"));
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
