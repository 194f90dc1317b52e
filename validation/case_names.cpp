#include "validation/case_names.hpp"

#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/json_reader.hpp"

#include <regex>
#include <vector>

namespace decodesim {

namespace {

struct NameRule {
  std::regex pattern;
  std::string preset;
};

struct MachineRule {
  std::regex gpu;
  std::regex interconnect;
  int most_gpus = 0;
  MachineChoiceForCase choice;
};

struct Names {
  std::vector<NameRule> models;
  std::vector<NameRule> gpus;
  std::vector<MachineRule> machines;
};

std::regex pattern_of(const JsonReader& json) {
  try {
    return std::regex{json.as_string(), std::regex::ECMAScript | std::regex::icase};
  } catch (const std::regex_error&) {
    throw json.error("is \"" + json.as_string() + "\"", "a regular expression is expected");
  }
}

std::vector<NameRule> read_names(const JsonReader& list) {
  std::vector<NameRule> rules;
  for (const auto& entry : list.elements()) {
    entry.allow_only({"pattern", "preset"});
    rules.push_back(
        {.pattern = pattern_of(entry.at("pattern")), .preset = entry.at("preset").as_string()});
  }
  return rules;
}

Names read() {
  const auto json = JsonReader::open(data_root() / "validation/data/names.json");
  json.allow_only({"models", "gpus", "machines"});
  Names names{
      .models = read_names(json.at("models")), .gpus = read_names(json.at("gpus")), .machines = {}};
  for (const auto& entry : json.at("machines").elements()) {
    entry.allow_only({"gpu", "interconnect", "most_gpus", "machine", "fabric", "note"});
    const auto optional_text = [&](const char* key) {
      return entry.has(key) ? entry.at(key).as_string() : std::string{};
    };
    names.machines.push_back(
        {.gpu = pattern_of(entry.at("gpu")),
         .interconnect =
             entry.has("interconnect") ? pattern_of(entry.at("interconnect")) : std::regex{""},
         .most_gpus = static_cast<int>(entry.at("most_gpus").as_integer(1, 1'000'000)),
         .choice = {.machine = entry.at("machine").as_string(),
                    .fabric = optional_text("fabric"),
                    .note = optional_text("note")}});
  }
  return names;
}

const Names& names() {
  static const Names known = read();
  return known;
}

std::optional<std::string> first_match(const std::vector<NameRule>& rules,
                                       const std::string& name) {
  for (const auto& rule : rules) {
    if (std::regex_search(name, rule.pattern)) {
      return rule.preset;
    }
  }
  return std::nullopt;
}

} // namespace

std::optional<std::string> model_preset_for(const std::string& name) {
  if (!find_data_file(DataKind::model, name).empty()) {
    return name;
  }
  return first_match(names().models, name);
}

std::optional<std::string> gpu_preset_for(const std::string& name) {
  if (!find_data_file(DataKind::gpu, name).empty()) {
    return name;
  }
  return first_match(names().gpus, name);
}

std::optional<MachineChoiceForCase>
machine_for(const std::string& gpu, const std::string& interconnect, int gpus) {
  for (const auto& rule : names().machines) {
    if (gpus <= rule.most_gpus && std::regex_search(gpu, rule.gpu) &&
        std::regex_search(interconnect, rule.interconnect)) {
      return rule.choice;
    }
  }
  return std::nullopt;
}

} // namespace decodesim
