#include "validation/case_scenario.hpp"

#include "sim/model/hf_config.hpp"
#include "validation/case_names.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <utility>

namespace decodesim {

namespace {

bool matches(const std::string& text, const char* pattern) {
  return std::regex_search(text, std::regex{pattern, std::regex::ECMAScript | std::regex::icase});
}

/// Shape written in the notes ("44 layers, hidden 6144, 48 heads, vocab 51200"): a model of the
/// GPT-3 family, whose FFN is four times as wide as the hidden state.
std::optional<Model> model_in_notes(const Case& one) {
  static const std::regex shape{R"((\d+) layers, hidden (\d+), (\d+) heads(?:, vocab (\d+))?)"};
  std::smatch found;
  if (!std::regex_search(one.notes, found, shape)) {
    return std::nullopt;
  }
  auto model = find_model("gpt3-175b", one.where);
  model.name = one.model;
  model.source = one.where;
  model.layers = std::stoi(found[1]);
  model.hidden_size = std::stoi(found[2]);
  model.heads = model.kv_heads = std::stoi(found[3]);
  if (model.heads == 0 || model.layers == 0 || model.hidden_size % model.heads != 0) {
    throw CaseProblem{CaseStatus::invalid, "the notes give no shape of a transformer"};
  }
  model.head_size = model.hidden_size / model.heads;
  model.ffn_size = 4 * model.hidden_size;
  if (found[4].matched) {
    model.vocabulary_size = std::stoi(found[4]);
  }
  return model;
}

/// Types of the words of tables. Weight types of 4 to 8 bits leave activations in bf16.
Precision precision_of(const Case& one, const Model& model) {
  static const std::array<std::pair<const char*, const char*>, 17> types{{
      {"^(bf16|bfloat16)$", "bf16"},
      {"^(fp16|float16|f16|half)$", "fp16"},
      {"^(fp32|float32)$", "fp32"},
      {"q4_k_m|q4_k", "q4_k_m"},
      {"q8_0", "q8_0"},
      {"q4_0|q40", "q4_0"},
      {"int4.*g32", "int4_g32"},
      {"int4.*g64", "int4_g64"},
      {"int4|awq|gptq|w4a16", "int4"},
      {"mxfp4", "mxfp4"},
      {"nvfp4|fp4", "mxfp4"},
      {"fp8", "fp8"},
      {"int8|w8a8|w8a16", "int8"},
      {"bf16|bfloat16", "bf16"},
      {"fp16|float16", "fp16"},
      {"^$", "bf16"},
      {"native", "native"},
  }};
  for (const auto& [pattern, name] : types) {
    if (!matches(one.dtype, pattern)) {
      continue;
    }
    if (std::string{name} == "native" || (model.stored_expert_type && matches(name, "fp4"))) {
      return stored_precision(model);
    }
    const auto known = data_type_names();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      break;
    }
    Precision precision{.weights = data_type_named(name, one.where)};
    precision.kv_cache = precision.activations();
    return precision;
  }
  throw CaseProblem{CaseStatus::not_supported, "weights of type \"" + one.dtype + "\""};
}

/// Sequences in flight.
int batch_of(const Case& one, CaseScenario& found) {
  static const std::regex plain{R"(\s*(\d+)(\.0)?\s*)"};
  static const std::regex running{R"((?:<=|at most|max(?:imum)?)\s*(\d+) running)",
                                  std::regex::icase};
  static const std::regex in_flight{
      R"((?:about |~|mean )?([\d.]+) (?:requests |sequences )?in flight)", std::regex::icase};
  static const std::regex at_once{R"((\d+) requests at once)", std::regex::icase};
  static const std::regex concurrent{R"((\d+) concurrent)", std::regex::icase};
  static const std::regex about{R"((?:about|~)\s*(\d+))", std::regex::icase};
  static const std::regex concurrency{R"(concurrency (?:of )?(\d+))", std::regex::icase};
  std::smatch match;
  if (std::regex_match(one.batch, match, plain)) {
    const int batch = std::stoi(match[1]);
    if (batch < 1) {
      throw CaseProblem{CaseStatus::invalid, "batch is " + one.batch};
    }
    return batch;
  }
  found.mixes_prefills = true;
  found.batch_is_limited = true;
  for (const auto* pattern : {&running, &in_flight, &at_once, &concurrency, &concurrent, &about}) {
    if (std::regex_search(one.batch, match, *pattern)) {
      double batch = std::stod(match[1]);
      if (pattern == &at_once && matches(one.output_tokens, "up to")) {
        batch /= 2; // they end one after another, on the mean half way through
      }
      const int whole = std::max(1, static_cast<int>(batch + 0.5));
      found.notes.push_back("batch \"" + one.batch + "\" run as " + std::to_string(whole));
      return whole;
    }
  }
  throw CaseProblem{CaseStatus::not_supported, "batch \"" + one.batch + "\" is no number"};
}

std::int64_t tokens_of(const std::string& text,
                       const char* what,
                       std::int64_t least,
                       std::int64_t otherwise,
                       CaseScenario& found) {
  if (const auto number = first_number(text)) {
    return std::max(least, *number);
  }
  found.notes.push_back(std::string{what} + " \"" + text + "\" taken as " +
                        std::to_string(otherwise));
  return otherwise;
}

Layout layout_of(const Case& one, int batch) {
  Layout layout{.tp = one.tp, .pp = one.pp, .dp = one.dp, .ep = one.ep > 1 ? one.ep : 0};
  if (layout.ep > 0 && layout.dp == 1) {
    layout.dp = Layout::dp_for_experts(layout.ep, layout.tp);
  }
  if (matches(one.strategy + one.framework, "zero-?3|zero stage 3")) {
    layout.strategy = "zero3";
    layout.dp = std::max(one.dp, one.gpus / (one.tp * one.pp));
  }
  if (layout.pp > 1) {
    // Engines with continuous batching keep as many batches in flight as there are stages.
    const bool naive = batch == 1 || matches(one.strategy, "naive|layer split");
    layout.schedule = naive ? "naive" : "1f1b";
  }
  if (layout.ranks() > one.gpus) {
    throw CaseProblem{CaseStatus::invalid,
                      "the layout has " + std::to_string(layout.ranks()) + " ranks, the row " +
                          std::to_string(one.gpus) + " GPUs"};
  }
  return layout;
}

/// A GPU index for every rank when not all GPUs of a node are used, or when the words say which.
std::string mapping_of(const Case& one, const Machine& machine, int ranks) {
  const int used = std::max(1, ranks / one.nodes);
  const int there = machine.gpus_per_node();
  const bool apart = matches(one.interconnect, "different NVLink pairs");
  if (!apart && (one.nodes == 1 || used == there)) {
    return "tp,pp,dp";
  }
  const int step = apart && 2 * used <= there ? 2 : 1;
  std::string text;
  for (int rank = 0; rank < ranks; ++rank) {
    text += (rank > 0 ? "," : "") + std::to_string(rank / used * there + rank % used * step);
  }
  return text;
}

/// "TP", "TP over 2 nodes", "PP", "TP+PP", "ZeRO-3", "EP", "1 GPU"
std::string kind_of(const Case& one) {
  std::string kind;
  if (matches(one.strategy + one.framework, "zero-?3|zero stage 3")) {
    kind = "ZeRO-3";
  } else if (one.ep > 1) {
    kind = "EP";
  } else if (one.tp > 1 || one.pp > 1) {
    kind = one.tp > 1 ? "TP" : "";
    kind += one.pp > 1 ? (kind.empty() ? "PP" : "+PP") : "";
  } else {
    kind = one.gpus > 1 ? one.strategy : "1 GPU";
  }
  return kind + (one.nodes > 1 ? " over " + std::to_string(one.nodes) + " nodes" : "");
}

} // namespace

std::string joined(const std::vector<std::string>& notes) {
  std::string text;
  for (const auto& note : notes) {
    text += (text.empty() ? "" : "; ") + note;
  }
  return text;
}

Model model_of(const Case& one) {
  if (auto noted = model_in_notes(one)) {
    return *noted;
  }
  const auto preset = model_preset_for(one.model);
  if (!preset) {
    throw CaseProblem{CaseStatus::not_supported,
                      "model \"" + one.model + "\" is no preset and the notes give no shape"};
  }
  return find_model(*preset, one.where);
}

void choose_machine(const Case& one, CaseScenario& found) {
  const auto gpu = gpu_preset_for(one.gpu);
  if (!gpu) {
    throw CaseProblem{CaseStatus::not_supported, "GPU \"" + one.gpu + "\" is no preset"};
  }
  const int per_node = (one.gpus + one.nodes - 1) / one.nodes;
  const auto choice = machine_for(*gpu, one.interconnect, per_node);
  if (!choice) {
    throw CaseProblem{CaseStatus::not_supported,
                      std::to_string(per_node) + " " + *gpu + " in a server (\"" +
                          one.interconnect + "\")"};
  }
  if (!choice->note.empty() && one.gpus > 1) {
    found.notes.push_back(choice->note);
  }
  found.scenario.machine = choice->machine;
  found.scenario.nodes = one.nodes;
  if (!choice->fabric.empty() && one.nodes > 1) {
    found.scenario.fabric = parse_fabric(choice->fabric, one.where);
  }
  found.machine = machine_of(found.scenario, one.where);
  found.machine.gpu = find_gpu(*gpu, one.where);
}

std::optional<std::int64_t> first_number(const std::string& text) {
  static const std::regex number{R"(\d+)"};
  std::smatch found;
  constexpr std::ptrdiff_t most_digits = 12;
  if (!std::regex_search(text, found, number) || found[0].length() > most_digits) {
    return std::nullopt;
  }
  return std::stoll(found[0]);
}

std::string group_of(const Case& one) {
  auto framework = one.framework.empty() ? "no framework" : one.framework;
  while (!framework.empty() && framework.back() == ' ') {
    framework.pop_back();
  }
  const bool known_batch =
      !one.batch.empty() && std::all_of(one.batch.begin(), one.batch.end(), [](unsigned char c) {
        return std::isdigit(c) != 0;
      });
  return framework + ", " + kind_of(one) +
         (known_batch || one.batch.empty() ? "" : " (requests in flight)") +
         (one.clean ? "" : " (not clean)");
}

CaseScenario scenario_of(const Case& one, const Framework& framework) {
  CaseScenario found;
  if (!one.problem.empty()) {
    throw CaseProblem{CaseStatus::invalid, one.problem};
  }
  if (matches(one.gpu, "^CPU|raspberry|^RPi")) {
    throw CaseProblem{CaseStatus::not_supported, "a cluster of CPUs"};
  }
  found.model = model_of(one);
  choose_machine(one, found);
  auto& scenario = found.scenario;
  use_framework(scenario, framework, one.where);
  scenario.model = found.model.name;
  scenario.workload.batch_size = batch_of(one, found);
  scenario.workload.input_tokens = tokens_of(one.prompt_tokens, "prompt length", 1, 16, found);
  scenario.workload.output_tokens = tokens_of(one.output_tokens, "output length", 2, 200, found);
  scenario.workload.precision = precision_of(one, found.model);
  take_cache_of_framework(scenario);
  found.mixes_prefills |= matches(one.notes, "closed loop");
  const auto layout = layout_of(one, scenario.workload.batch_size);
  scenario.mapping = mapping_of(one, found.machine, layout.ranks());
  scenario.layouts = {layout};
  return found;
}

} // namespace decodesim
