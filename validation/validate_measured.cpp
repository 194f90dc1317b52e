#include "validation/validate_measured.hpp"

#include "sim/error.hpp"
#include "sim/json_reader.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/result/run.hpp"
#include "sim/scenario/scenario_file.hpp"
#include "traces/chrome_trace.hpp"
#include "validation/collective_systems.hpp"
#include "validation/measured_timeline.hpp"

#include <map>
#include <set>

namespace decodesim {

namespace {

/// A plan and how it was simulated.
struct Simulated {
  Plan plan;
  Timeline timeline;
  std::map<PlayedOperation, double> duration_us;
  double mean_step_us = 0;
};

/// The machine that a run was made on: what it names itself or, of ranks that shared a GPU, that.
std::string machine_of(const PlanRun& run, const JsonReader& scenario, const Provenance& from) {
  const bool shared = run.mode == "shared";
  if (!shared && scenario.has("machine") && !scenario.at("machine").as_string().empty()) {
    return scenario.at("machine").as_string();
  }
  const auto known = system_of_device(from.device);
  const auto name = !known ? std::string{} : shared ? known->shared_machine : known->machine;
  if (name.empty()) {
    throw InputError::at(
        run.name,
        shared ? "is of ranks that shared a " + from.device + ", which no machine file describes"
               : "names no machine, and no server with " + from.device + " is known",
        "give --machine");
  }
  return name;
}

/// The executor's launches are its own unless the run names a framework.
Scenario scenario_of(const PlanRun& run, const Provenance& from, const MeasuredOptions& options) {
  const auto json = JsonReader::parse(run.scenario, run.name + ": scenario");
  auto scenario =
      parse_scenario(json,
                     std::filesystem::current_path(),
                     {.machine = options.machine ? *options.machine : machine_of(run, json, from)});
  if (run.mode == "shared") {
    scenario.nodes = scenario.layouts.front().ranks(); // a node of such a machine is a rank
  }
  if (scenario.framework.name == "none") {
    use_framework(scenario, find_framework("decodesim-measure", run.name), run.name);
  }
  scenario.launch = run.graph ? LaunchMode::graph : LaunchMode::eager;
  return scenario;
}

/// Spans of one operation are of one or several kinds (a collective waits, then moves data); what
/// the stream waits for its launch is not the operation's.
std::map<PlayedOperation, double> durations(const Plan& plan, const Timeline& timeline) {
  std::map<PlayedOperation, double> sums;
  for (const auto& span : timeline.spans) {
    if (span.kind == SpanKind::launch) {
      continue;
    }
    const int step = span.part == Part::prologue ? -1
                     : span.part == Part::body   ? span.step
                                                 : plan.decode_steps;
    sums[{span.rank, step, span.part, span.operation}] += (span.end_s - span.start_s) * 1e6;
  }
  return sums;
}

Simulated simulate(const PlanRun& run, const Scenario& scenario) {
  Simulated found;
  const auto machine = machine_of(scenario, run.name);
  const auto model = find_model(scenario.model, run.name);
  RunOptions options{.record_timeline = true};
  options.on_result = [&](const Plan& plan, const Machine&, const LayoutResult& result) {
    found.plan = plan;
    found.timeline = result.timeline;
    found.mean_step_us = 1e6 * result.tpot_s.value_or(0);
  };
  const auto result = run_layout(model, machine, scenario, scenario.layouts.front(), options);
  if (result.status != Status::ok) {
    throw InputError::at(run.name, "cannot be simulated", result.reason);
  }
  found.duration_us = durations(found.plan, found.timeline);
  return found;
}

std::string kind_of(const Operation& op) {
  if (const auto* kernel = as_kernel(op)) {
    return to_string(kernel_work(*kernel).kernel_class);
  }
  if (const auto* collective = as_collective(op)) {
    return std::string{to_string(collective->kind)};
  }
  return as_exchange(op) != nullptr ? "exchange" : "message";
}

/// Measured and simulated time of some operations, of one rank and step in the mean.
struct Sums {
  double measured_us = 0;
  double simulated_us = 0;
};

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

class RunComparison {
public:
  RunComparison(const PlanRun& run, const Simulated& simulated, std::vector<MatchedSpan> spans)
      : run_{run}, simulated_{simulated}, spans_{std::move(spans)} {
    std::set<std::pair<int, int>> passes; // rank, decode step
    for (const auto& [played, span] : spans_) {
      if (played.part == Part::body) {
        passes.insert({played.rank, played.step});
        add(played, span.duration_us);
      }
    }
    passes_ = static_cast<double>(passes.size());
    compute_us_ = kernels_us_ / std::max(1.0, passes_);
  }

  void append_to(std::vector<Comparison>& rows, bool with_spans) const {
    const bool alone = run_.mode == "shard";
    rows.push_back(row("decode step",
                       "steps",
                       {mean(run_.steps_us), alone ? compute_us_ : simulated_.mean_step_us},
                       1));
    for (const auto& [name, sums] : kinds_) {
      rows.push_back(row(name, "kinds", sums, passes_));
    }
    for (const auto& [name, sums] : operations_) {
      rows.push_back(row(name, "operations", sums, passes_));
    }
    for (const auto& [name, sums] : layers_) {
      if (with_spans) {
        rows.push_back(row(name, "spans", sums, passes_));
      }
    }
  }

private:
  void add(const PlayedOperation& played, double measured_us) {
    const auto& op = simulated_.plan.program(played.rank)
                         .part(played.part)[static_cast<std::size_t>(played.operation)];
    const auto found = simulated_.duration_us.find(played);
    const double simulated_us = found == simulated_.duration_us.end() ? 0 : found->second;
    if (as_kernel(op) != nullptr) {
      kernels_us_ += simulated_us;
    }
    const auto layer = op.layer >= 0 ? "L" + std::to_string(op.layer) + " " : std::string{};
    for (auto* sums : {&kinds_[kind_of(op)], &operations_[op.name], &layers_[layer + op.name]}) {
      sums->measured_us += measured_us;
      sums->simulated_us += simulated_us;
    }
  }

  [[nodiscard]] Comparison
  row(const std::string& what, const char* group, const Sums& sums, double passes) const {
    return {.id = run_.name + ": " + what,
            .group = run_.mode + " " + group,
            .measured = sums.measured_us / passes,
            .simulated = sums.simulated_us / passes,
            .unit = "us",
            .in_overall = std::string{group} == "steps"};
  }

  const PlanRun& run_;
  const Simulated& simulated_;
  std::vector<MatchedSpan> spans_;
  double passes_ = 0;
  double kernels_us_ = 0;
  double compute_us_ = 0;
  std::map<std::string, Sums> kinds_;
  std::map<std::string, Sums> operations_;
  std::map<std::string, Sums> layers_;
};

Comparison not_comparable(const PlanRun& run) {
  return {.id = run.name + ": decode step",
          .group = run.mode + " steps",
          .status = CaseStatus::not_supported,
          .reason = run.reason,
          .measured = mean(run.steps_us),
          .simulated = {},
          .unit = "us",
          .in_overall = false};
}

} // namespace

ComparisonReport validate_measured(const std::filesystem::path& path,
                                   const MeasuredOptions& options) {
  const auto file = read_run_file(path);
  if (file.kind != "plan") {
    throw InputError::at(path.string(),
                         "holds " + file.kind,
                         "executed plans are expected; probes go to --operators");
  }
  if (options.timeline && file.plans.size() != 1) {
    throw InputError::at("--timeline",
                         "shows one run, and " + path.string() + " has " +
                             std::to_string(file.plans.size()),
                         "");
  }
  ComparisonReport report;
  report.title = path.filename().string() + ": " + file.provenance.device;
  for (const auto& run : file.plans) {
    if (!run.comparable && !options.timeline) {
      report.rows.push_back(not_comparable(run));
      continue;
    }
    const auto simulated = simulate(run, scenario_of(run, file.provenance, options));
    auto spans = match(simulated.plan, run);
    if (options.timeline) {
      const auto both = side_by_side(simulated.plan, simulated.timeline, spans);
      write_chrome_trace(*options.timeline, both.plan, both.timeline);
    }
    if (!run.comparable) {
      report.rows.push_back(not_comparable(run));
      continue;
    }
    RunComparison{run, simulated, std::move(spans)}.append_to(report.rows, options.spans);
    if (!run.recorded_us.empty() && !run.steps_us.empty()) {
      report.notes.push_back(run.name + ": events around operations make a step " +
                             std::to_string(static_cast<int>(
                                 100 * (mean(run.recorded_us) / mean(run.steps_us) - 1) + 0.5)) +
                             " % longer");
    }
  }
  return report;
}

} // namespace decodesim
