#include "validation/case_run.hpp"

#include "sim/result/run.hpp"
#include "validation/case_communication.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace decodesim {

namespace {

/// Factor from seconds to a unit of time; nothing for other units.
std::optional<double> per_second(const std::string& unit) {
  constexpr std::array<std::pair<const char*, double>, 3> units{
      {{"s", 1.0}, {"ms", 1e3}, {"us", 1e6}}};
  for (const auto& [name, factor] : units) {
    if (unit == name) {
      return factor;
    }
  }
  return std::nullopt;
}

/// Most sequences of the scenario's layout that fit, at most its own; nothing when none does.
std::optional<int> largest_batch(const CaseScenario& found) {
  const auto fits = [&](int batch) {
    auto scenario = found.scenario;
    scenario.workload.batch_size = batch;
    const auto result =
        run_layout(found.model, found.machine, scenario, scenario.layouts.front(), {});
    return result.status != Status::does_not_fit;
  };
  int most = found.scenario.workload.batch_size;
  if (fits(most)) {
    return most;
  }
  int least = 0;
  while (most - least > 1) {
    const int middle = (least + most) / 2;
    (fits(middle) ? least : most) = middle;
  }
  return least > 0 ? std::optional{least} : std::nullopt;
}

/// Decode steps and prefills of one scenario. A bound on them overrides end_to_end and pure_step.
class CaseTimes {
public:
  explicit CaseTimes(const CaseScenario& found) : found_{found} {}

  virtual ~CaseTimes() = default;

  [[nodiscard]] double batch() const { return found_.scenario.workload.batch_size; }

  [[nodiscard]] double output_tokens() const {
    return static_cast<double>(found_.scenario.workload.output_tokens);
  }

  [[nodiscard]] double input_tokens() const {
    return static_cast<double>(found_.scenario.workload.input_tokens);
  }

  /// Of the whole batch.
  [[nodiscard]] virtual double prefill() {
    auto scenario = found_.scenario;
    scenario.workload.output_tokens = 1;
    return run(scenario).ttft_s;
  }

  /// Whole batch, prefill included.
  [[nodiscard]] virtual double end_to_end() {
    return takes_middle_steps() ? prefill() + (output_tokens() - 1) * pure_step()
                                : whole().end_to_end_s;
  }

  /// Mean time between two tokens of a sequence.
  [[nodiscard]] double step() {
    const double step = pure_step();
    return found_.mixes_prefills && batch() > 1
               ? step + (batch() - 1) * prefill_of_one() / output_tokens()
               : step;
  }

  /// Without the prefills of others.
  [[nodiscard]] virtual double pure_step() {
    return takes_middle_steps() ? middle().tpot_s.value() : whole().tpot_s.value();
  }

  [[nodiscard]] virtual double prefill_of_one() {
    auto scenario = found_.scenario;
    scenario.workload.batch_size = 1;
    scenario.workload.output_tokens = 1;
    scenario.layouts.front().micro_batches = 0;
    return run(scenario).ttft_s;
  }

protected:
  [[nodiscard]] const CaseScenario& found() const { return found_; }

  [[nodiscard]] const LayoutResult& whole() {
    if (!whole_) {
      whole_ = run(found_.scenario);
    }
    return *whole_;
  }

private:
  /// Steps of models with experts differ in more than their context, so that none is interpolated:
  /// of long outputs those around the mean context stand for all.
  static constexpr int middle_steps = 32;

  [[nodiscard]] bool takes_middle_steps() const {
    return found_.model.moe && found_.scenario.workload.output_tokens > 2 * middle_steps;
  }

  [[nodiscard]] const LayoutResult& middle() {
    if (!middle_) {
      auto scenario = found_.scenario;
      auto& workload = scenario.workload;
      workload.input_tokens += (workload.output_tokens - 1 - middle_steps) / 2;
      workload.output_tokens = middle_steps + 1;
      middle_ = run(scenario);
    }
    return *middle_;
  }

  [[nodiscard]] LayoutResult run(const Scenario& scenario) const {
    auto result = run_layout(found_.model, found_.machine, scenario, scenario.layouts.front());
    if (result.status != Status::ok) {
      throw CaseProblem{result.status == Status::does_not_fit ? CaseStatus::does_not_fit
                                                              : CaseStatus::not_supported,
                        result.reason};
    }
    return result;
  }

  const CaseScenario& found_;
  std::optional<LayoutResult> whole_;
  std::optional<LayoutResult> middle_;
};

/// Bytes over bandwidth.
class BandwidthTimes final : public CaseTimes {
public:
  using CaseTimes::CaseTimes;

  [[nodiscard]] double end_to_end() override { return output_tokens() * pure_step(); }

  [[nodiscard]] double prefill() override { return pure_step(); }

  [[nodiscard]] double prefill_of_one() override { return 0; }

  [[nodiscard]] double pure_step() override {
    const auto& layout = whole().layout;
    const auto& memory = whole().memory.value();
    const auto& workload = found().scenario.workload;
    const double input = static_cast<double>(workload.input_tokens);
    const double mean_context = (input + output_tokens() / 2) / (input + output_tokens());
    const bool gathers = layout.strategy == "zero3";
    const auto bytes = memory.weights * (gathers ? layout.dp : 1) + memory.kv_cache * mean_context;
    const int passes = std::max(layout.pp, layout.micro_batches);
    return passes * (bytes / found().machine.gpu.memory_bandwidth.value).value();
  }
};

/// Kernels at datasheet rates, collectives without latency, a host that costs nothing.
CaseScenario at_rooflines(CaseScenario found) {
  const auto program = found.scenario.workload.traits; // the same work
  use_framework(found.scenario, {}, "roofline");
  found.scenario.workload.traits = program;
  found.scenario.collectives = "ideal";
  auto& gpu = found.machine.gpu;
  for (auto& [kernel_class, cost] : gpu.kernels) {
    cost = {.fixed = {}, .flop_efficiency_ratio = {1.0}, .byte_efficiency_ratio = {1.0}};
  }
  gpu.eager_launch.value = gpu.graph_launch.value = Seconds{};
  return found;
}

double in_metric(const Case& one, CaseTimes& times) {
  const auto& metric = one.metric;
  if (metric == "decode_throughput" && one.unit == "tok/s") {
    return times.batch() / times.step();
  }
  if (metric == "output_throughput" && one.unit == "tok/s") {
    return times.batch() * times.output_tokens() / times.end_to_end();
  }
  if (metric == "total_throughput" && one.unit == "tok/s") {
    return times.batch() * (times.input_tokens() + times.output_tokens()) / times.end_to_end();
  }
  const auto factor = per_second(one.unit);
  if (factor) {
    if (metric == "e2e_latency" || metric == "batch_latency") {
      return *factor * times.end_to_end();
    }
    if (metric.starts_with("tpot") || metric.starts_with("itl") || metric == "decode_step_time") {
      return *factor * times.step();
    }
    if (metric.starts_with("ttft")) {
      return *factor * times.prefill();
    }
    if (metric == "ms_per_generated_token") {
      return *factor * times.end_to_end() / (times.batch() * times.output_tokens());
    }
    if (metric == "benchmark_duration") {
      const auto requests = first_number(one.batch);
      return *factor * static_cast<double>(requests.value_or(1)) *
             (times.prefill_of_one() + times.output_tokens() * times.pure_step() / times.batch());
    }
  }
  throw CaseProblem{CaseStatus::not_supported,
                    "metric " + metric + " in " + one.unit + " is not simulated"};
}

void limit_batch(CaseScenario& found) {
  auto& batch = found.scenario.workload.batch_size;
  const auto most = largest_batch(found);
  if (most && *most < batch) {
    found.notes.push_back(std::to_string(*most) + " sequences fit at once");
    batch = *most;
  }
}

} // namespace

CaseOutcome simulate_case(const Case& one, const Framework& framework) {
  try {
    if (is_communication(one)) {
      return simulate_communication(one);
    }
    auto found = scenario_of(one, framework);
    if (found.batch_is_limited) {
      limit_batch(found);
    }
    CaseTimes times{found};
    const double value = in_metric(one, times);
    return {.status = CaseStatus::ok, .reason = joined(found.notes), .simulated = value};
  } catch (const CaseProblem& problem) {
    return {.status = problem.status(), .reason = problem.what(), .simulated = {}};
  } catch (const LayoutError& problem) {
    return {.status = CaseStatus::not_supported, .reason = problem.what(), .simulated = {}};
  } catch (const InputError& problem) {
    return {.status = CaseStatus::invalid, .reason = problem.what(), .simulated = {}};
  } catch (const SimulationError& problem) {
    return {.status = CaseStatus::not_supported, .reason = problem.what(), .simulated = {}};
  }
}

namespace {

void add_simpler_predictions(CaseOutcome& outcome, const Case& one, const Framework& framework) {
  auto found = scenario_of(one, framework);
  if (found.batch_is_limited) {
    limit_batch(found);
  }
  if (!found.model.moe) {
    BandwidthTimes bound{found};
    outcome.bandwidth_only = in_metric(one, bound);
  }
  const auto ideal = at_rooflines(found);
  CaseTimes times{ideal};
  outcome.roofline = in_metric(one, times);
}

} // namespace

CaseOutcome simulate_case(const Case& one) {
  const auto match = framework_for_alias(one.framework);
  auto outcome = simulate_case(one, match.framework);
  if (outcome.status == CaseStatus::ok && !is_communication(one)) {
    add_simpler_predictions(outcome, one, match.framework);
  }
  if (outcome.status == CaseStatus::ok && match.is_guess && !is_communication(one)) {
    outcome.reason += (outcome.reason.empty() ? "" : "; ") + match.note;
  }
  return outcome;
}

} // namespace decodesim
