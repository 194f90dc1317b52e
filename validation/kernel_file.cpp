#include "validation/kernel_file.hpp"

#include "sim/json_reader.hpp"
#include "validation/fit.hpp"
#include "validation/parameter_file.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace decodesim {

namespace {

using Json = nlohmann::ordered_json;

Json number(double value, const std::string& unit, const std::string& source) {
  return {{"value", value}, {"unit", unit}, {"kind", "fitted"}, {"source", source}};
}

constexpr std::array parameter_order{"fixed",
                                     "flop_efficiency_ratio",
                                     "byte_efficiency_ratio",
                                     "ramp",
                                     "cache_speedup",
                                     "overlap_exponent",
                                     "per_depth",
                                     "per_row",
                                     "per_unsplit_token"};

Json updated_class(const Json& before, const FittedClass& fitted) {
  Json after = Json::object();
  for (const auto* name : parameter_order) {
    if (const auto found = fitted.parameters.find(name); found != fitted.parameters.end()) {
      after[name] = number(found->second.value, found->second.unit, found->second.source);
    } else if (before.contains(name) && before.at(name).at("kind") != "fitted") {
      after[name] = before.at(name);
    }
  }
  return after;
}

/// The file with the fitted classes in place of those that it has.
std::string with_fitted(Json file, const std::map<std::string, FittedClass>& classes) {
  auto& before = file.at("classes");
  Json after = Json::object();
  for (const auto& name : kernel_class_names()) {
    const auto fitted = classes.find(name);
    const auto old = before.contains(name) ? before.at(name) : Json::object();
    if (fitted != classes.end()) {
      after[name] = updated_class(old, fitted->second);
    } else if (!old.empty()) {
      after[name] = old;
    }
  }
  before = after;
  Json residuals = Json::object();
  for (const auto& [name, fitted] : classes) {
    for (const auto& one : fitted.residuals) {
      residuals[name][one.range] = number(one.mean_absolute,
                                          "ratio",
                                          "mean absolute error of " + std::to_string(one.rows) +
                                              (one.rows == 1 ? " row" : " rows"));
    }
  }
  file["residuals"] = residuals;
  return parameter_text(file);
}

Json number_of(const char*, Seconds value) {
  return {{"value", to_four_digits(value.value() * 1e6)}, {"unit", "us"}};
}

Json number_of(const char*, Bytes value) {
  return {{"value", to_four_digits(value.value() * 1e-6)}, {"unit", "MB"}};
}

Json number_of(std::string_view name, double value) {
  return {{"value", to_four_digits(value)}, {"unit", name.ends_with("_ratio") ? "ratio" : "count"}};
}

Json class_of(const KernelClassCost& cost) {
  Json json = Json::object();
  for_each_parameter(cost, [&json](const char* name, const auto& one) {
    json[name] = number_of(name, one.value);
    json[name]["kind"] = "assumed";
    json[name]["source"] = one.source;
  });
  return json;
}

} // namespace

std::string updated_kernel_file(const std::filesystem::path& path,
                                const std::map<std::string, FittedClass>& classes) {
  return with_fitted(Json::parse(read_text(path)), classes);
}

std::string new_kernel_file(const Gpu& gpu, const std::map<std::string, FittedClass>& classes) {
  Json file{{"format_version", 1},
            {"name", gpu.name},
            {"summary", "Kernels on " + gpu.summary},
            {"classes", Json::object()}};
  for (const auto& [kernel_class, cost] : gpu.kernels) {
    file["classes"][to_string(kernel_class)] = class_of(cost);
  }
  return with_fitted(std::move(file), classes);
}

} // namespace decodesim
