#include "validation/executor/plan_run_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace decodesim {

namespace {

using nlohmann::ordered_json;

double to_nanoseconds(double us) { return std::round(us * 1e3) / 1e3; }

const char* kind_of(const Operation& op) {
  return as_kernel(op) != nullptr           ? "kernel"
         : as_collective(op) != nullptr     ? "collective"
         : as_point_to_point(op) != nullptr ? "message"
                                            : "exchange";
}

ordered_json slowest(const std::vector<ordered_json>& ranks, const char* key) {
  std::vector<double> most;
  for (const auto& rank : ranks) {
    const auto times = rank.at(key).get<std::vector<double>>();
    most.resize(std::max(most.size(), times.size()), 0.0);
    for (std::size_t step = 0; step < times.size(); ++step) {
      most[step] = std::max(most[step], times[step]);
    }
  }
  return most;
}

} // namespace

std::vector<double> step_times_us(const RankTimes& times) {
  std::vector<double> durations;
  double before = times.prologue_s;
  for (const double end : times.step_end_s) {
    durations.push_back(to_nanoseconds((end - before) * 1e6));
    before = end;
  }
  return durations;
}

ordered_json rank_run_json(const Plan& plan, const RankRun& run) {
  const auto& program = plan.program(run.rank);
  auto operations = ordered_json::array();
  auto spans = ordered_json::array();
  std::map<std::pair<Part, int>, std::size_t> number_of;
  for (const auto& span : run.recorded.spans) {
    const auto [entry, is_new] =
        number_of.try_emplace({span.part, span.operation}, operations.size());
    if (is_new) {
      const auto& op = program.part(span.part)[static_cast<std::size_t>(span.operation)];
      operations.push_back({{"name", op.name},
                            {"layer", op.layer},
                            {"micro_batch", op.micro_batch},
                            {"kind", kind_of(op)},
                            {"stream", program.streams[static_cast<std::size_t>(op.stream)]}});
    }
    const int step = span.part == Part::epilogue ? plan.decode_steps : span.step;
    spans.push_back(ordered_json::array({entry->second,
                                         step,
                                         to_nanoseconds(span.start_s * 1e6),
                                         to_nanoseconds((span.end_s - span.start_s) * 1e6)}));
  }
  return {{"rank", run.rank},
          {"steps", step_times_us(run.totals)},
          {"recorded_steps", step_times_us(run.recorded)},
          {"operations", operations},
          {"spans", spans}};
}

std::string plan_run_text(const PlanRunHead& head,
                          const std::vector<ordered_json>& ranks,
                          std::size_t most_bytes) {
  auto listed = ordered_json::array();
  for (const auto& rank : ranks) {
    listed.push_back({{"rank", rank.at("rank")},
                      {"operations", rank.at("operations")},
                      {"spans", rank.at("spans")}});
  }
  const ordered_json plan{{"name", head.name},
                          {"scenario", ordered_json::parse(head.scenario)},
                          {"mode", head.mode},
                          {"graph", head.graph},
                          {"comparable", head.not_comparable.empty()},
                          {"reason", head.not_comparable},
                          {"unit", "us"},
                          {"steps", slowest(ranks, "steps")},
                          {"recorded_steps", slowest(ranks, "recorded_steps")},
                          {"ranks", listed}};
  const ordered_json file{{"format_version", 1},
                          {"kind", "plan"},
                          {"provenance", ordered_json::parse(head.provenance)},
                          {"plans", ordered_json::array({plan})}};
  return run_file_text(parse_run_file(file.dump(), head.name), most_bytes);
}

} // namespace decodesim
