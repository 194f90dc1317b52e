#include "validation/framework_fit.hpp"

#include "validation/case_run.hpp"
#include "validation/fit.hpp"

#include <cmath>
#include <utility>

namespace decodesim {

namespace {

constexpr int most_rounds = 2;
constexpr int most_evaluations = 20000; ///< of the linear model
/// Where durations move by less than this part of their largest value, another round tells nothing.
constexpr double settled = 1e-3;

std::optional<Sourced<Seconds>>& duration_of(Framework& framework, const std::string& name) {
  for (const auto& duration : framework_durations()) {
    if (name == duration.name) {
      return framework.*duration.member;
    }
  }
  throw InputError::at("calibrate frameworks", "knows no duration " + name, "");
}

Framework with_durations(Framework framework,
                         const std::vector<FittedDuration>& durations,
                         const std::vector<double>& values) {
  for (std::size_t i = 0; i < durations.size(); ++i) {
    duration_of(framework, durations[i].name) =
        Sourced<Seconds>{Seconds{values[i]}, SourceKind::fitted, "being fitted"};
  }
  return framework;
}

bool is_rate(const Case& one) { return one.unit.ends_with("/s"); }

/// Simulated over measured time of each case; cases that cannot be simulated were left out before.
std::vector<double> time_ratios(const std::vector<Case>& cases, const Framework& framework) {
  std::vector<double> ratios;
  for (const auto& one : cases) {
    const auto outcome = simulate_case(one, framework);
    const double ratio = outcome.simulated.value() / one.value;
    ratios.push_back(is_rate(one) ? 1.0 / ratio : ratio);
  }
  return ratios;
}

std::vector<Case> that_run(const std::vector<Case>& cases, const Framework& framework) {
  std::vector<Case> running;
  for (const auto& one : cases) {
    if (simulate_case(one, framework).status == CaseStatus::ok) {
      running.push_back(one);
    }
  }
  return running;
}

} // namespace

FrameworkFit fit_framework(Framework framework,
                           const std::vector<FittedDuration>& durations,
                           const std::vector<Case>& all_cases) {
  std::vector<double> values;
  for (const auto& duration : durations) {
    values.push_back(duration.start_s);
  }
  const auto cases = that_run(all_cases, with_durations(framework, durations, values));
  bool moved = !durations.empty() && !cases.empty();
  for (int round = 0; round < most_rounds && moved; ++round) {
    const auto base = time_ratios(cases, with_durations(framework, durations, values));
    std::vector<std::vector<double>> slopes; // by duration, case
    std::vector<FitParameter> parameters;
    for (std::size_t i = 0; i < durations.size(); ++i) {
      const auto& duration = durations[i];
      auto shifted = values;
      const double step = values[i] + duration.worst_guess_s > duration.most_s
                              ? -duration.worst_guess_s
                              : duration.worst_guess_s;
      shifted[i] += step;
      auto& slope =
          slopes.emplace_back(time_ratios(cases, with_durations(framework, durations, shifted)));
      for (std::size_t row = 0; row < slope.size(); ++row) {
        slope[row] = (slope[row] - base[row]) / step;
      }
      parameters.push_back({.name = duration.name,
                            .start = values[i] / duration.most_s,
                            .lower = 0.0,
                            .upper = 1.0});
    }
    const auto cost = [&](const std::vector<double>& shares) {
      double sum = 0;
      for (std::size_t row = 0; row < cases.size(); ++row) {
        double ratio = base[row];
        for (std::size_t i = 0; i < durations.size(); ++i) {
          ratio += slopes[i][row] * (shares[i] * durations[i].most_s - values[i]);
        }
        sum += std::abs(ratio - 1.0);
      }
      return sum;
    };
    const auto fit = minimize(parameters, cost, most_evaluations);
    moved = false;
    for (std::size_t i = 0; i < durations.size(); ++i) {
      const double value = fit.values[i] * durations[i].most_s;
      moved = moved || std::abs(value - values[i]) > settled * durations[i].most_s;
      values[i] = value;
    }
  }
  for (auto& value : values) {
    value = 1e-6 * to_four_digits(std::round(1e9 * value) * 1e-3); // ns are enough
  }
  FrameworkFit result{.framework = with_durations(std::move(framework), durations, values)};
  for (const auto& one : cases) {
    const auto outcome = simulate_case(one, result.framework);
    result.rows.push_back({.id = one.id,
                           .group = result.framework.name,
                           .measured = one.value,
                           .simulated = outcome.simulated,
                           .unit = one.unit,
                           .fitted = true});
  }
  return result;
}

} // namespace decodesim
