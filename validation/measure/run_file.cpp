#include "validation/measure/run_file.hpp"

#include "sim/error.hpp"
#include "sim/json_reader.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace decodesim {

namespace {

using Json = nlohmann::ordered_json;

constexpr int most_whole = std::numeric_limits<int>::max();

double to_nanoseconds(double microseconds) { return std::round(microseconds * 1e3) / 1e3; }

Json rounded(const std::vector<double>& microseconds, std::size_t most) {
  Json all = Json::array();
  for (std::size_t i = 0; i < std::min(most, microseconds.size()); ++i) {
    all.push_back(to_nanoseconds(microseconds[i]));
  }
  return all;
}

// -------------------------------------------------------------------------------------- writing

Json to_json(const std::optional<GpuState>& state) {
  if (!state) {
    return nullptr;
  }
  return {{"sm_clock_mhz", state->sm_clock_mhz},
          {"memory_clock_mhz", state->memory_clock_mhz},
          {"temperature_c", state->temperature_c},
          {"power_w", state->power_w},
          {"throttle_reasons", state->throttle_reasons}};
}

Json to_json(const Provenance& from) {
  return {{"device", from.device},
          {"devices", from.devices},
          {"compute_capability", from.compute_capability},
          {"sm_count", from.sm_count},
          {"l2_bytes", from.l2_bytes},
          {"memory_bytes", from.memory_bytes},
          {"driver", from.driver},
          {"cuda", from.cuda},
          {"nccl", from.nccl},
          {"cublas", from.cublas},
          {"before", to_json(from.before)},
          {"after", to_json(from.after)},
          {"start_utc", from.start_utc},
          {"end_utc", from.end_utc},
          {"program", from.program},
          {"version", from.version},
          {"revision", from.revision},
          {"command", from.command}};
}

Json to_json(const StoppingRule& rule) {
  return {{"name", stopping_rule_name},
          {"relative_deviation", rule.relative_deviation},
          {"least_seconds", rule.least_seconds},
          {"least_samples", rule.least_samples},
          {"most_samples", rule.most_samples},
          {"most_seconds", rule.most_seconds}};
}

Json to_json(const ProbeResult& probe) {
  Json json{{"name", probe.name}};
  json["parameters"] = Json::object();
  for (const auto& [name, value] : probe.parameters) {
    std::visit([&](const auto& one) { json["parameters"][name] = one; }, value);
  }
  json["l2"] = probe.l2;
  json["bytes"] = probe.bytes;
  json["flop"] = probe.flop;
  if (!probe.reason.empty()) {
    json["reason"] = probe.reason;
    return json;
  }
  json["unit"] = "us";
  json["repeats"] = probe.repeats;
  json["converged"] = probe.converged;
  if (probe.sm_clock_mhz > 0) {
    json["sm_clock_mhz"] = probe.sm_clock_mhz;
    json["throttle_reasons"] = probe.throttle_reasons;
  }
  json["samples"] = rounded(probe.samples_us, most_samples_kept);
  return json;
}

/// A rank's operations are listed once; a span is [operation, step, start_us, duration_us].
Json to_json(const MeasuredRank& rank, int steps_kept) {
  Json operations = Json::array();
  Json spans = Json::array();
  std::map<std::string, std::size_t> index_of;
  for (const auto& span : rank.spans) {
    if (span.step >= steps_kept) {
      continue;
    }
    const Json operation{{"name", span.name},
                         {"layer", span.layer},
                         {"micro_batch", span.micro_batch},
                         {"kind", span.kind},
                         {"stream", span.stream}};
    const auto [found, is_new] = index_of.emplace(operation.dump(), operations.size());
    if (is_new) {
      operations.push_back(operation);
    }
    spans.push_back({found->second,
                     span.step,
                     to_nanoseconds(span.start_us),
                     to_nanoseconds(span.duration_us)});
  }
  return {{"rank", rank.rank}, {"operations", operations}, {"spans", spans}};
}

Json to_json(const PlanRun& plan, int steps_kept) {
  Json ranks = Json::array();
  for (const auto& rank : plan.ranks) {
    ranks.push_back(to_json(rank, steps_kept));
  }
  return {{"name", plan.name},
          {"scenario", Json::parse(plan.scenario)},
          {"mode", plan.mode},
          {"graph", plan.graph},
          {"comparable", plan.comparable},
          {"reason", plan.reason},
          {"unit", "us"},
          {"steps", rounded(plan.steps_us, plan.steps_us.size())},
          {"recorded_steps", rounded(plan.recorded_us, plan.recorded_us.size())},
          {"ranks", ranks}};
}

/// One element a line, so that files can be looked at and compared.
template <class Element, class ToJson>
std::string lines(const std::vector<Element>& elements, const ToJson& to_text) {
  std::string text = "[";
  for (std::size_t i = 0; i < elements.size(); ++i) {
    text += (i == 0 ? "\n    " : ",\n    ") + to_text(elements[i]).dump();
  }
  return text + (elements.empty() ? "]" : "\n  ]");
}

std::string text_with(const RunFile& file, int steps_kept) {
  std::string text = "{\n  \"format_version\": 1,\n  \"kind\": " + Json(file.kind).dump() +
                     ",\n  \"provenance\": " + to_json(file.provenance).dump();
  if (file.kind == "probes") {
    text += ",\n  \"stopping_rule\": " + to_json(file.rule).dump() + ",\n  \"probes\": " +
            lines(file.probes, [](const ProbeResult& probe) { return to_json(probe); });
  } else {
    text += ",\n  \"plans\": " + lines(file.plans, [steps_kept](const PlanRun& plan) {
              return to_json(plan, steps_kept);
            });
  }
  return text + "\n}\n";
}

int count_steps(const RunFile& file) {
  int steps = 0;
  for (const auto& plan : file.plans) {
    for (const auto& rank : plan.ranks) {
      for (const auto& span : rank.spans) {
        steps = std::max(steps, span.step + 1);
      }
    }
  }
  return steps;
}

// -------------------------------------------------------------------------------------- reading

std::vector<double> read_times(const JsonReader& json) {
  std::vector<double> times;
  for (const auto& element : json.elements()) {
    times.push_back(element.as_number());
    if (times.back() < 0.0) {
      throw element.error("is negative", "a time in microseconds is expected");
    }
  }
  return times;
}

std::int64_t read_count(const JsonReader& json) { return json.as_integer(0); }

int read_int(const JsonReader& json, int least) {
  return static_cast<int>(json.as_integer(least, most_whole));
}

std::vector<std::string> read_names(const JsonReader& json) {
  std::vector<std::string> names;
  for (const auto& element : json.elements()) {
    names.push_back(element.as_string());
  }
  return names;
}

std::optional<GpuState> read_state(const JsonReader& json) {
  if (json.is_null()) {
    return std::nullopt;
  }
  json.allow_only(
      {"sm_clock_mhz", "memory_clock_mhz", "temperature_c", "power_w", "throttle_reasons"});
  GpuState state{.sm_clock_mhz = read_int(json.at("sm_clock_mhz"), 0),
                 .memory_clock_mhz = read_int(json.at("memory_clock_mhz"), 0),
                 .temperature_c = read_int(json.at("temperature_c"), -300),
                 .power_w = json.at("power_w").as_number()};
  state.throttle_reasons = read_names(json.at("throttle_reasons"));
  return state;
}

Provenance read_provenance(const JsonReader& json) {
  json.allow_only({"device",
                   "devices",
                   "compute_capability",
                   "sm_count",
                   "l2_bytes",
                   "memory_bytes",
                   "driver",
                   "cuda",
                   "nccl",
                   "cublas",
                   "before",
                   "after",
                   "start_utc",
                   "end_utc",
                   "program",
                   "version",
                   "revision",
                   "command"});
  const auto text = [&json](const char* key) { return json.at(key).as_string(); };
  return {.device = text("device"),
          .devices = read_int(json.at("devices"), 0),
          .compute_capability = text("compute_capability"),
          .sm_count = read_int(json.at("sm_count"), 0),
          .l2_bytes = read_count(json.at("l2_bytes")),
          .memory_bytes = read_count(json.at("memory_bytes")),
          .driver = text("driver"),
          .cuda = text("cuda"),
          .nccl = text("nccl"),
          .cublas = text("cublas"),
          .before = read_state(json.at("before")),
          .after = read_state(json.at("after")),
          .start_utc = text("start_utc"),
          .end_utc = text("end_utc"),
          .program = text("program"),
          .version = text("version"),
          .revision = text("revision"),
          .command = text("command")};
}

StoppingRule read_rule(const JsonReader& json) {
  json.allow_only({"name",
                   "relative_deviation",
                   "least_seconds",
                   "least_samples",
                   "most_samples",
                   "most_seconds"});
  if (const auto name = json.at("name"); name.as_string() != stopping_rule_name) {
    throw name.error("is \"" + name.as_string() + "\"",
                     std::string{"\""} + stopping_rule_name + "\" is the one there is");
  }
  return {.relative_deviation = json.at("relative_deviation").as_number(),
          .least_seconds = json.at("least_seconds").as_number(),
          .least_samples = static_cast<std::size_t>(read_count(json.at("least_samples"))),
          .most_samples = static_cast<std::size_t>(read_count(json.at("most_samples"))),
          .most_seconds = json.at("most_seconds").as_number()};
}

ProbeResult read_probe(const JsonReader& json) {
  json.allow_only({"name",
                   "parameters",
                   "l2",
                   "bytes",
                   "flop",
                   "reason",
                   "unit",
                   "repeats",
                   "converged",
                   "sm_clock_mhz",
                   "throttle_reasons",
                   "samples"});
  ProbeResult probe{.name = json.at("name").as_string(),
                    .l2 = json.at("l2").as_string(),
                    .bytes = read_count(json.at("bytes")),
                    .flop = read_count(json.at("flop"))};
  if (probe.l2 != "warm" && probe.l2 != "flushed") {
    throw json.at("l2").error("is \"" + probe.l2 + "\"", R"("warm" or "flushed" is expected)");
  }
  const auto parameters = json.at("parameters");
  for (const auto& key : parameters.keys()) {
    const auto value = parameters.at(key);
    if (value.is_string()) {
      probe.parameters[key] = value.as_string();
    } else {
      probe.parameters[key] = value.as_integer(0);
    }
  }
  if (const auto reason = json.find("reason")) {
    probe.reason = reason->as_string();
    return probe;
  }
  if (const auto unit = json.at("unit"); unit.as_string() != "us") {
    throw unit.error("is \"" + unit.as_string() + "\"", "\"us\" is the one there is");
  }
  probe.repeats = json.at("repeats").as_integer(1);
  probe.converged = json.at("converged").as_bool();
  if (const auto clock = json.find("sm_clock_mhz")) {
    probe.sm_clock_mhz = read_int(*clock, 1);
    probe.throttle_reasons = read_names(json.at("throttle_reasons"));
  }
  probe.samples_us = read_times(json.at("samples"));
  if (probe.samples_us.empty()) {
    throw json.at("samples").error("is empty", "a probe without samples has a \"reason\"");
  }
  return probe;
}

MeasuredRank read_rank(const JsonReader& json) {
  json.allow_only({"rank", "operations", "spans"});
  MeasuredRank rank{.rank = read_int(json.at("rank"), 0)};
  std::vector<MeasuredSpan> operations;
  for (const auto& operation : json.at("operations").elements()) {
    operation.allow_only({"name", "layer", "micro_batch", "kind", "stream"});
    operations.push_back({.name = operation.at("name").as_string(),
                          .layer = read_int(operation.at("layer"), -1),
                          .micro_batch = read_int(operation.at("micro_batch"), -1),
                          .kind = operation.at("kind").as_string(),
                          .stream = operation.at("stream").as_string()});
  }
  for (const auto& row : json.at("spans").elements()) {
    const auto columns = row.elements();
    if (columns.size() != 4) {
      throw row.error("has " + std::to_string(columns.size()) + " numbers",
                      "[operation, step, start_us, duration_us] is expected");
    }
    const auto operation = columns[0].as_integer(0);
    if (static_cast<std::size_t>(operation) >= operations.size()) {
      throw columns[0].error("is operation " + std::to_string(operation),
                             "there are " + std::to_string(operations.size()) + ", counted from 0");
    }
    auto span = operations[static_cast<std::size_t>(operation)];
    span.step = read_int(columns[1], -1); // -1: the prefill
    span.start_us = columns[2].as_number();
    span.duration_us = columns[3].as_number();
    rank.spans.push_back(std::move(span));
  }
  return rank;
}

PlanRun read_plan(const JsonReader& json) {
  json.allow_only({"name",
                   "scenario",
                   "mode",
                   "graph",
                   "comparable",
                   "reason",
                   "unit",
                   "steps",
                   "recorded_steps",
                   "ranks"});
  PlanRun plan{.name = json.at("name").as_string(),
               .mode = json.at("mode").as_string(),
               .graph = json.at("graph").as_bool(),
               .comparable = json.at("comparable").as_bool(),
               .reason = json.at("reason").as_string(),
               .steps_us = read_times(json.at("steps")),
               .recorded_us = read_times(json.at("recorded_steps"))};
  if (!json.at("scenario").is_object()) {
    throw json.at("scenario").error("is no object", "a scenario is expected");
  }
  if (plan.comparable != plan.reason.empty()) {
    throw json.at("reason").error(plan.reason.empty() ? "is empty" : "says why not",
                                  "a reason goes with what is not comparable");
  }
  for (const auto& rank : json.at("ranks").elements()) {
    plan.ranks.push_back(read_rank(rank));
  }
  return plan;
}

} // namespace

std::int64_t ProbeResult::number(const std::string& parameter) const {
  const auto found = parameters.find(parameter);
  if (found == parameters.end() || !std::holds_alternative<std::int64_t>(found->second)) {
    throw InputError::at("probe \"" + name + "\"", "has no number \"" + parameter + "\"");
  }
  return std::get<std::int64_t>(found->second);
}

const std::string& ProbeResult::text(const std::string& parameter) const {
  const auto found = parameters.find(parameter);
  if (found == parameters.end() || !std::holds_alternative<std::string>(found->second)) {
    throw InputError::at("probe \"" + name + "\"", "has no text \"" + parameter + "\"");
  }
  return std::get<std::string>(found->second);
}

std::string run_file_text(const RunFile& file, std::size_t most_bytes) {
  int steps = count_steps(file);
  auto text = text_with(file, steps);
  while (text.size() > most_bytes && steps > 1) {
    steps /= 2;
    text = text_with(file, steps);
  }
  if (text.size() > most_bytes) {
    throw InputError::at("run file",
                         "takes " + std::to_string(text.size()) + " bytes",
                         "at most " + std::to_string(most_bytes) +
                             " are allowed: put the runs into several files");
  }
  return text;
}

RunFile parse_run_file(std::string_view text, const std::string& where) {
  const auto json = JsonReader::parse(text, where);
  json.allow_only({"format_version", "kind", "provenance", "stopping_rule", "probes", "plans"});
  (void)json.at("format_version").as_integer(1, 1);
  RunFile file{.kind = json.at("kind").as_string(),
               .provenance = read_provenance(json.at("provenance"))};
  if (file.kind == "probes") {
    file.rule = read_rule(json.at("stopping_rule"));
    for (const auto& probe : json.at("probes").elements()) {
      file.probes.push_back(read_probe(probe));
    }
  } else if (file.kind == "plan") {
    std::set<std::string> names;
    const auto raw = Json::parse(text); // keeps the order of a scenario's keys
    for (const auto& plan : json.at("plans").elements()) {
      file.plans.push_back(read_plan(plan));
      file.plans.back().scenario = raw.at("plans").at(names.size()).at("scenario").dump();
      if (!names.insert(file.plans.back().name).second) {
        throw plan.at("name").error("is \"" + file.plans.back().name + "\" again",
                                    "names are unique in a file");
      }
    }
  } else {
    throw json.at("kind").error("is \"" + file.kind + "\"", R"("probes" or "plan" is expected)");
  }
  return file;
}

RunFile read_run_file(const std::filesystem::path& path) {
  return parse_run_file(read_text(path), path.string());
}

bool looks_like_run_file(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

std::string probe_line(const ProbeResult& probe) { return to_json(probe).dump(); }

ProbeResult parse_probe_line(std::string_view line) {
  return read_probe(JsonReader::parse(line, "probe"));
}

std::string provenance_line(const Provenance& provenance) { return to_json(provenance).dump(); }

Provenance parse_provenance_line(std::string_view line) {
  return read_provenance(JsonReader::parse(line, "provenance"));
}

} // namespace decodesim
