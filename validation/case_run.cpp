#include "validation/case_run.hpp"

#include "sim/result/run.hpp"

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

/// Decode steps and prefills of one scenario.
class CaseTimes {
public:
  explicit CaseTimes(const CaseScenario& found) : found_{found} {}

  [[nodiscard]] double batch() const { return found_.scenario.workload.batch_size; }

  [[nodiscard]] double output_tokens() const {
    return static_cast<double>(found_.scenario.workload.output_tokens);
  }

  /// Whole batch, prefill included.
  [[nodiscard]] double end_to_end() { return whole().end_to_end_s; }

  /// Mean time between two tokens of a sequence.
  [[nodiscard]] double step() {
    const double step = whole().tpot_s.value();
    return found_.mixes_prefills && batch() > 1
               ? step + (batch() - 1) * prefill_of_one() / output_tokens()
               : step;
  }

  /// Without the prefills of others.
  [[nodiscard]] double pure_step() { return whole().tpot_s.value(); }

  [[nodiscard]] double prefill_of_one() {
    auto scenario = found_.scenario;
    scenario.workload.batch_size = 1;
    scenario.workload.output_tokens = 1;
    scenario.layouts.front().micro_batches = 0;
    return run(scenario).ttft_s;
  }

private:
  [[nodiscard]] const LayoutResult& whole() {
    if (!whole_) {
      whole_ = run(found_.scenario);
    }
    return *whole_;
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
};

double in_metric(const Case& one, CaseTimes& times) {
  const auto& metric = one.metric;
  if (metric == "decode_throughput" && one.unit == "tok/s") {
    return times.batch() / times.step();
  }
  if (metric == "output_throughput" && one.unit == "tok/s") {
    return times.batch() * times.output_tokens() / times.end_to_end();
  }
  const auto factor = per_second(one.unit);
  if (factor) {
    if (metric == "e2e_latency" || metric == "batch_latency") {
      return *factor * times.end_to_end();
    }
    if (metric == "tpot" || metric == "tpot_p50" || metric == "tpot_median" ||
        metric == "decode_step_time") {
      return *factor * times.step();
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

std::string joined(const std::vector<std::string>& notes) {
  std::string text;
  for (const auto& note : notes) {
    text += (text.empty() ? "" : "; ") + note;
  }
  return text;
}

} // namespace

CaseOutcome simulate_case(const Case& one, const Framework& framework) {
  try {
    const auto found = scenario_of(one, framework);
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

CaseOutcome simulate_case(const Case& one) {
  const auto match = framework_for_alias(one.framework);
  auto outcome = simulate_case(one, match.framework);
  if (outcome.status == CaseStatus::ok && match.is_guess) {
    outcome.reason += (outcome.reason.empty() ? "" : "; ") + match.note;
  }
  return outcome;
}

} // namespace decodesim
