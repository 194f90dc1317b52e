#include "sim/device/kernel_parameters.hpp"

#include "sim/sourced_json.hpp"

#include <array>
#include <utility>

namespace decodesim {

namespace {

constexpr std::array<std::pair<KernelClass, const char*>, 10> kernel_classes{
    {{KernelClass::gemm, "gemm"},
     {KernelClass::grouped_gemm, "grouped_gemm"},
     {KernelClass::attention_decode, "attention_decode"},
     {KernelClass::attention_latent, "attention_latent"},
     {KernelClass::attention_prefill, "attention_prefill"},
     {KernelClass::norm, "norm"},
     {KernelClass::elementwise, "elementwise"},
     {KernelClass::embedding, "embedding"},
     {KernelClass::sampling, "sampling"},
     {KernelClass::gemm_fp8, "gemm_fp8"}}};

template <class Read>
auto read_if_there(const JsonReader& json, const std::string& key, const Read& read)
    -> std::optional<decltype(read(json))> {
  const auto found = json.find(key);
  return found ? std::optional{read(*found)} : std::nullopt;
}

Sourced<double> read_exponent(const JsonReader& json) {
  const auto exponent = read_count(json);
  if (exponent.value < 1.0 || exponent.value > 100.0) {
    throw json.error("is no exponent of an overlap", "from 1 (sum) to 100 (maximum) is expected");
  }
  return exponent;
}

Sourced<double> read_speedup(const JsonReader& json) {
  const auto speedup = read_count(json);
  if (speedup.value < 1.0 || speedup.value > 100.0) {
    throw json.error("is no speedup of a cache", "from 1 to 100 is expected");
  }
  return speedup;
}

KernelClassCost read_kernel_class(const JsonReader& json) {
  json.allow_only({"fixed",
                   "flop_efficiency_ratio",
                   "byte_efficiency_ratio",
                   "ramp",
                   "cache_speedup",
                   "overlap_exponent",
                   "per_depth",
                   "per_row",
                   "per_unsplit_token"});
  return {.fixed = read_seconds(json.at("fixed")),
          .flop_efficiency_ratio = read_ratio(json.at("flop_efficiency_ratio")),
          .byte_efficiency_ratio = read_ratio(json.at("byte_efficiency_ratio")),
          .ramp = read_if_there(json, "ramp", read_bytes),
          .cache_speedup = read_if_there(json, "cache_speedup", read_speedup),
          .overlap_exponent = read_if_there(json, "overlap_exponent", read_exponent),
          .per_depth = read_if_there(json, "per_depth", read_seconds),
          .per_row = read_if_there(json, "per_row", read_seconds),
          .per_unsplit_token = read_if_there(json, "per_unsplit_token", read_seconds)};
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
  for (const auto& [value, known] : kernel_classes) {
    if (name == known) {
      return value;
    }
  }
  throw InputError::unknown_name(where, "kernel class", name, kernel_class_names());
}

std::vector<std::string> kernel_class_names() {
  std::vector<std::string> names;
  for (const auto& entry : kernel_classes) {
    names.emplace_back(entry.second);
  }
  return names;
}

KernelClassCosts read_kernel_classes(const JsonReader& json) {
  json.allow_only(kernel_class_names());
  KernelClassCosts classes;
  for (const auto& [kernel_class, name] : kernel_classes) {
    if (kernel_class != KernelClass::gemm_fp8 || json.has(name)) {
      classes[kernel_class] = read_kernel_class(json.at(name));
    }
  }
  return classes;
}

KernelClassCosts load_kernels(const std::filesystem::path& path) {
  const auto json = JsonReader::open(path);
  json.allow_only({"format_version", "name", "summary", "classes", "residuals"});
  (void)json.at("format_version").as_integer(1, 1);
  return read_kernel_classes(json.at("classes"));
}

} // namespace decodesim
