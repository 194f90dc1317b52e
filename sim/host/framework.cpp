#include "sim/host/framework.hpp"

#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/quantity_text.hpp"
#include "sim/sourced_json.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string_view>
#include <utility>

namespace decodesim {

namespace {

using Trait = std::pair<const char*, bool ProgramTraits::*>;

const std::vector<Trait>& known_traits() {
  static const std::vector<Trait> known{
      {"whole_vocabulary", &ProgramTraits::whole_vocabulary},
      {"concatenates_cache", &ProgramTraits::concatenates_cache},
      {"returns_cache", &ProgramTraits::returns_cache},
      {"copies_gathered_weights", &ProgramTraits::copies_gathered_weights},
      {"host_embedding", &ProgramTraits::host_embedding},
      {"head_counts_as_layer", &ProgramTraits::head_counts_as_layer},
      {"fp8_cache", &ProgramTraits::fp8_cache},
      {"fused_quantisation", &ProgramTraits::fused_quantisation}};
  return known;
}

std::map<std::string, std::string> read_traits(const JsonReader& json) {
  std::vector<std::string> names;
  for (const auto& [name, member] : known_traits()) {
    names.emplace_back(name);
  }
  json.allow_only(names);
  std::map<std::string, std::string> traits;
  for (const auto& name : names) {
    if (const auto source = json.find(name)) {
      traits[name] = source->as_string();
      if (traits[name].empty()) {
        throw source->error("is empty", "name the code or document that shows it");
      }
    }
  }
  return traits;
}

Sourced<double> read_kernel_count(const JsonReader& json) {
  const auto count = read_count(json);
  if (count.value != std::floor(count.value) || count.value > 200) {
    throw json.at("value").error("is no number of kernels", "a whole number up to 200 is expected");
  }
  return count;
}

std::map<KernelClass, KernelOverride> read_overrides(const JsonReader& json) {
  std::map<KernelClass, KernelOverride> overrides;
  for (const auto& name : json.keys()) {
    const auto entry = json.at(name);
    entry.allow_only({"fixed",
                      "byte_efficiency_ratio",
                      "per_sm_bandwidth",
                      "per_unsplit_token",
                      "per_sm_cache_reads"});
    auto& kernel = overrides[kernel_class_named(name, entry.where())];
    if (const auto fixed = entry.find("fixed")) {
      kernel.fixed = read_seconds(*fixed);
    }
    if (const auto ratio = entry.find("byte_efficiency_ratio")) {
      kernel.byte_efficiency_ratio = read_factor(*ratio);
    }
    if (const auto most = entry.find("per_sm_bandwidth")) {
      kernel.per_sm_bandwidth = read_bytes_per_second(*most);
    }
    if (const auto unsplit = entry.find("per_unsplit_token")) {
      kernel.per_unsplit_token = read_seconds(*unsplit);
    }
    if (const auto most = entry.find("per_sm_cache_reads")) {
      kernel.per_sm_cache_reads = read_bytes_per_second(*most);
    }
  }
  return overrides;
}

std::string lower_case(std::string_view text) {
  std::string lower;
  for (const char letter : text) {
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  const auto first = lower.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : lower.substr(first, lower.find_last_not_of(' ') - first + 1);
}

/// @param pattern  '*' stands for any letters, '?' for one
bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) {
    return text.empty();
  }
  if (pattern.front() == '*') {
    return matches(pattern.substr(1), text) || (!text.empty() && matches(pattern, text.substr(1)));
  }
  return !text.empty() && (pattern.front() == '?' || pattern.front() == text.front()) &&
         matches(pattern.substr(1), text.substr(1));
}

std::ptrdiff_t letters(std::string_view pattern) {
  return std::count_if(
      pattern.begin(), pattern.end(), [](char one) { return one != '*' && one != '?'; });
}

Framework load_preset(const std::string& name) {
  auto framework = load_framework(find_data_file(DataKind::framework, name));
  framework.reference = name;
  return framework;
}

std::vector<Framework> all_frameworks() {
  std::vector<Framework> all;
  for (const auto& name : data_file_names(DataKind::framework)) {
    all.push_back(load_preset(name));
  }
  return all;
}

/// The framework with the alias of most letters that matches, or null.
const Framework* aliased(const std::vector<Framework>& all, const std::string& text) {
  const Framework* found = nullptr;
  std::ptrdiff_t most = 0;
  for (const auto& framework : all) {
    for (const auto& alias : framework.aliases) {
      if (const auto size = letters(alias); size > most && matches(lower_case(alias), text)) {
        found = &framework;
        most = size;
      }
    }
  }
  return found;
}

/// The last framework, by name, of which a whole word of more than three letters is in the text.
const Framework* with_common_word(const std::vector<Framework>& all, const std::string& text) {
  const Framework* found = nullptr;
  for (const auto& framework : all) {
    const auto word = lower_case(framework.name).substr(0, framework.name.find_first_of("-_"));
    if (word.size() > 3 && text.find(word) != std::string::npos) {
      found = &framework;
    }
  }
  return found;
}

} // namespace

ProgramTraits Framework::program() const {
  ProgramTraits program;
  program.unfused_kernels = unfused_kernels ? static_cast<int>(unfused_kernels->value) : 0;
  for (const auto& [trait, member] : known_traits()) {
    program.*member = traits.contains(trait);
  }
  return program;
}

KernelLibrary Framework::library() const {
  KernelLibrary library;
  library.fused_quantisation = program().fused_quantisation;
  for (const auto& [kernel_class, kernel] : kernels) {
    if (kernel.fixed) {
      library.fixed[kernel_class] = kernel.fixed->value;
    }
    if (kernel.byte_efficiency_ratio) {
      library.byte_efficiency[kernel_class] = kernel.byte_efficiency_ratio->value;
    }
    if (kernel.per_sm_bandwidth) {
      library.per_sm_bandwidth[kernel_class] = kernel.per_sm_bandwidth->value;
    }
    if (kernel.per_unsplit_token) {
      library.per_unsplit_token[kernel_class] = kernel.per_unsplit_token->value;
    }
    if (kernel.per_sm_cache_reads) {
      library.per_sm_cache_reads[kernel_class] = kernel.per_sm_cache_reads->value;
    }
  }
  return library;
}

const std::vector<FrameworkDuration>& framework_durations() {
  static const std::vector<FrameworkDuration> durations{
      {"eager_launch", &Framework::eager_launch, "host time per operation, launched eagerly"},
      {"graph_launch", &Framework::graph_launch, "host time per step, launched as a graph"},
      {"per_layer", &Framework::per_layer, "host time per layer beside its launches, when eager"},
      {"per_step", &Framework::per_step, "host time between a step and the launch of the next"},
      {"per_sequence", &Framework::per_sequence, "the same for each sequence"},
      {"per_stage", &Framework::per_stage, "before hidden states leave a pipeline stage"},
      {"kernel_gap", &Framework::kernel_gap, "idle time of the GPU before each kernel"},
      {"jitter_eager", &Framework::jitter_eager, "mean delay of a rank at a collective, eager"},
      {"jitter_graph", &Framework::jitter_graph, "mean delay of a rank at a collective, graph"}};
  return durations;
}

Framework load_framework(const std::filesystem::path& path) {
  const auto json = JsonReader::open(path);
  std::vector<std::string> known{"format_version",
                                 "name",
                                 "summary",
                                 "aliases",
                                 "launch",
                                 "collectives",
                                 "unfused_kernels",
                                 "traits",
                                 "kernels"};
  for (const auto& duration : framework_durations()) {
    known.emplace_back(duration.name);
  }
  json.allow_only(known);
  (void)json.at("format_version").as_integer(1, 1);
  Framework framework;
  framework.name = json.at("name").as_string();
  framework.reference = path.string();
  framework.summary = json.at("summary").as_string();
  for (const auto& alias : json.at("aliases").elements()) {
    framework.aliases.push_back(alias.as_string());
  }
  const auto launch = json.at("launch");
  framework.launch = launch_mode_named(launch.as_string(), launch.where());
  framework.collectives = json.at("collectives").as_string();
  for (const auto& duration : framework_durations()) {
    if (const auto number = json.find(duration.name)) {
      framework.*duration.member = read_seconds(*number);
    }
  }
  if (const auto count = json.find("unfused_kernels")) {
    framework.unfused_kernels = read_kernel_count(*count);
  }
  if (const auto traits = json.find("traits")) {
    framework.traits = read_traits(*traits);
  }
  if (const auto kernels = json.find("kernels")) {
    framework.kernels = read_overrides(*kernels);
  }
  return framework;
}

Framework find_framework(const std::string& name, const std::string& where) {
  if (name == "none") {
    return {};
  }
  if (!find_data_file(DataKind::framework, name).empty()) {
    return load_preset(name);
  }
  if (name.find('/') != std::string::npos || name.ends_with(".json")) {
    return load_framework(name);
  }
  const auto all = all_frameworks();
  if (const auto* framework = aliased(all, lower_case(name))) {
    return *framework;
  }
  auto names = data_file_names(DataKind::framework);
  names.emplace_back("none");
  throw InputError::unknown_name(where, "framework", name, names);
}

FrameworkMatch framework_for_alias(const std::string& text) {
  const auto wanted = lower_case(text);
  const auto all = all_frameworks();
  if (const auto* framework = aliased(all, wanted)) {
    return {.framework = *framework};
  }
  for (const auto& framework : all) {
    if (lower_case(framework.name) == wanted) {
      return {.framework = framework};
    }
  }
  if (const auto* framework = with_common_word(all, wanted)) {
    return {.framework = *framework,
            .is_guess = true,
            .note = "no framework has the alias \"" + text + "\"; " + framework->name +
                    " is the nearest by name"};
  }
  return {.is_guess = wanted != "none" && !wanted.empty(),
          .note = "no framework has the alias \"" + text + "\"; run without host costs"};
}

std::vector<std::string> assumed_numbers(const Framework& framework) {
  std::vector<std::string> assumed;
  const auto add = [&](const std::string& name, const std::string& value, const auto& number) {
    if (number.kind == SourceKind::assumed) {
      assumed.push_back("framework " + framework.name + ": " + name + " = " + value + " (" +
                        number.source + ")");
    }
  };
  for (const auto& duration : framework_durations()) {
    if (const auto& number = framework.*duration.member) {
      add(duration.name, to_text(number->value), *number);
    }
  }
  if (const auto& count = framework.unfused_kernels) {
    add("unfused_kernels", std::to_string(static_cast<int>(count->value)), *count);
  }
  for (const auto& [kernel_class, kernel] : framework.kernels) {
    const auto name = "kernels/" + to_string(kernel_class);
    if (kernel.fixed) {
      add(name + "/fixed", to_text(kernel.fixed->value), *kernel.fixed);
    }
    if (kernel.byte_efficiency_ratio) {
      add(name + "/byte_efficiency_ratio",
          to_text(kernel.byte_efficiency_ratio->value),
          *kernel.byte_efficiency_ratio);
    }
    if (kernel.per_sm_bandwidth) {
      add(name + "/per_sm_bandwidth",
          to_text(kernel.per_sm_bandwidth->value),
          *kernel.per_sm_bandwidth);
    }
    if (kernel.per_unsplit_token) {
      add(name + "/per_unsplit_token",
          to_text(kernel.per_unsplit_token->value),
          *kernel.per_unsplit_token);
    }
    if (kernel.per_sm_cache_reads) {
      add(name + "/per_sm_cache_reads",
          to_text(kernel.per_sm_cache_reads->value),
          *kernel.per_sm_cache_reads);
    }
  }
  return assumed;
}

} // namespace decodesim
