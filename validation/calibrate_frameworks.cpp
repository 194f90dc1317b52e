#include "validation/calibrate_frameworks.hpp"

#include "sim/data_files.hpp"
#include "sim/json_reader.hpp"
#include "validation/case_file.hpp"
#include "validation/case_scenario.hpp"
#include "validation/fit.hpp"
#include "validation/framework_fit.hpp"
#include "validation/validate_cases.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <map>
#include <set>

namespace decodesim {

namespace {

using Json = nlohmann::ordered_json;

constexpr double us = 1e-6;

/// Matrix products of an engine's own (GEMV kernels, code that a compiler made) beside those of
/// the library that the GPU's parameters were fitted to.
constexpr FittedNumber own_products{"kernels/gemm/byte_efficiency_ratio", 1.0, 1.3, 0.02, 0.7};

/// What is fitted of each framework: numbers that its calibration rows can tell apart. The others
/// of its file stay as they are, each with its reason.
const std::vector<std::pair<std::string, std::vector<FittedNumber>>> fits{
    {"fastertransformer",
     {{"per_step", 500 * us, 5000 * us, 100 * us},
      {"per_sequence", 20 * us, 500 * us, 10 * us},
      {"jitter_eager", 8 * us, 50 * us, 2 * us}}},
    {"gpt-fast", {own_products}},
    {"llamacpp", {{"kernel_gap", 0.5 * us, 10 * us, 0.2 * us}}},
    {"lmdeploy",
     {{"per_step", 200 * us, 5000 * us, 50 * us}, {"per_sequence", 20 * us, 500 * us, 10 * us}}},
    {"trtllm",
     {{"per_step", 100 * us, 5000 * us, 50 * us}, {"per_sequence", 20 * us, 500 * us, 10 * us}}},
    {"trtllm-2024",
     {own_products,
      {"kernels/attention_decode/per_unsplit_token", 15e-9, 60e-9, 2e-9},
      {"per_sequence", 2 * us, 500 * us, 5 * us}}},
    {"vllm",
     {{"per_step", 100 * us, 5000 * us, 50 * us}, {"per_sequence", 5 * us, 500 * us, 5 * us}}},
    {"vllm-2023",
     {{"per_layer", 350 * us, 2000 * us, 20 * us},
      {"per_step", 5000 * us, 50000 * us, 500 * us},
      {"per_sequence", 250 * us, 2000 * us, 20 * us}}},
    {"vllm-2024",
     {{"kernels/attention_decode/per_sm_cache_reads", 35e9, 100e9, 2e9, 10e9},
      {"per_step", 1000 * us, 20000 * us, 100 * us},
      {"per_sequence", 50 * us, 1000 * us, 10 * us}}},
    {"vllm-v0", {{"per_step", 500 * us, 20000 * us, 100 * us}}},
};

std::filesystem::path file_of(const std::string& name) {
  return std::filesystem::path{"sim"} / "host" / "frameworks" / (name + ".json");
}

/// Calibration rows that tell of decode steps: prefills of others between them, or one that takes
/// most of the time, would be ascribed to the host.
std::map<std::string, std::vector<Case>> rows_by_framework() {
  std::map<std::string, std::vector<Case>> rows;
  const auto folder = data_root() / "validation" / "data";
  for (const auto* file : {"cases.csv", "cases-calibration-more.csv"}) {
    for (auto& one : read_cases(folder / file)) {
      const bool usable = one.split == "calibration" && one.clean &&
                          one.notes.find("PREFILL DOMINATED") == std::string::npos &&
                          group_of(one).find("requests in flight") == std::string::npos;
      const auto match = framework_for_alias(one.framework);
      if (usable && !match.is_guess) {
        rows[match.framework.name].push_back(std::move(one));
      }
    }
  }
  return rows;
}

std::string percent(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%+.1f %%", 100 * ratio);
  return text;
}

std::string quality(const FrameworkFit& fit) {
  const auto summary = summarize(fit.rows);
  return std::to_string(summary.count) + " rows of validation/data/cases*.csv, errors: median " +
         percent(summary.median_absolute).substr(1) + ", mean " +
         percent(summary.mean_absolute).substr(1) + ", bias " + percent(summary.bias) + ", worst " +
         percent(summary.worst) + " (" + summary.worst_id + ")";
}

Json fitted_number(const FittedNumber& number, double value, const std::string& quality) {
  const auto unit = unit_of(number);
  return {{"value", to_four_digits(value / unit.value)},
          {"unit", unit.name},
          {"kind", "fitted"},
          {"source", "decodesim calibrate frameworks: " + quality}};
}

/// JSON pointers of numbers that may follow another framework's.
std::vector<Json::json_pointer> followers() {
  std::vector<Json::json_pointer> pointers;
  for (const auto& duration : framework_durations()) {
    pointers.emplace_back(std::string{"/"} + duration.name);
  }
  pointers.emplace_back("/kernels/attention_decode/per_sm_cache_reads");
  return pointers;
}

/// Gives numbers that are "as NAME" of another framework that framework's value.
/// @returns whether any was another
bool follow_others(std::map<std::string, Json>& files) {
  bool changed = false;
  for (auto& [name, file] : files) {
    for (const auto& pointer : followers()) {
      if (!file.contains(pointer) || file[pointer]["kind"] != "assumed") {
        continue;
      }
      auto& number = file[pointer];
      const auto source = number["source"].get<std::string>();
      for (const auto& [other, theirs] : files) {
        const auto as_other = "as " + other;
        if (source.starts_with(as_other) &&
            (source.size() == as_other.size() || source[as_other.size()] == ',') &&
            theirs.contains(pointer)) {
          changed = changed || number["value"] != theirs[pointer]["value"];
          number["value"] = theirs[pointer]["value"];
          number["unit"] = theirs[pointer]["unit"];
        }
      }
    }
  }
  return changed;
}

} // namespace

std::vector<ParameterFile> calibrate_frameworks() {
  const auto rows = rows_by_framework();
  std::map<std::string, Json> files;
  for (const auto& name : data_file_names(DataKind::framework)) {
    files[name] = Json::parse(read_text(find_data_file(DataKind::framework, name)));
  }
  const auto refit = [&](const std::string& name, const std::vector<FittedNumber>& numbers) {
    const auto found = rows.find(name);
    if (found == rows.end()) {
      return;
    }
    auto framework = find_framework(name, "calibrate frameworks");
    if (framework.jitter_eager && name != "fastertransformer") {
      framework.jitter_eager->value =
          Seconds{us * files["fastertransformer"]["jitter_eager"]["value"].get<double>()};
    }
    const auto fit = fit_framework(framework, numbers, found->second);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      files[name][Json::json_pointer("/" + std::string{numbers[i].name})] =
          fitted_number(numbers[i], fit.values[i], quality(fit));
    }
  };
  for (const auto& [name, numbers] : fits) {
    refit(name, numbers);
  }
  // Some follow one that follows another.
  for (std::size_t round = 0; round < files.size() && follow_others(files); ++round) {
  }
  std::vector<ParameterFile> written;
  for (const auto& [name, file] : files) {
    written.push_back({.path = file_of(name), .text = parameter_text(file)});
  }
  return written;
}

} // namespace decodesim
