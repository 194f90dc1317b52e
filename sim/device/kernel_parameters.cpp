#include "sim/device/kernel_parameters.hpp"

#include "sim/sourced_json.hpp"

#include <array>
#include <utility>

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
    classes[kernel_class] = read_kernel_class(json.at(name));
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
