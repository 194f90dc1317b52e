#include "validation/framework_fit.hpp"

#include "sim/error.hpp"
#include "sim/result/child_process.hpp"
#include "validation/case_run.hpp"
#include "validation/fit.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <thread>
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

/// What the simulation says to each case; nothing for those that cannot be simulated. Each runs in
/// a process of its own, so that no result depends on those before.
std::vector<std::optional<double>> simulated(const std::vector<Case>& cases,
                                             const Framework& framework) {
  std::vector<ChildTask> tasks;
  for (const auto& one : cases) {
    tasks.push_back({.name = one.id,
                     .work =
                         [&](const std::function<void(int, int)>&) {
                           const auto value = simulate_case(one, framework).simulated;
                           return value ? nlohmann::json(*value).dump() : std::string{};
                         },
                     .on_report = {}});
  }
  const auto at_once = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::vector<std::optional<double>> values;
  for (const auto& text : run_in_children(tasks, at_once)) {
    values.push_back(text.empty() ? std::nullopt : std::optional{std::stod(text)});
  }
  return values;
}

/// Simulated over measured time of each case, all of which can be simulated.
std::vector<double> time_ratios(const std::vector<Case>& cases, const Framework& framework) {
  std::vector<double> ratios;
  const auto values = simulated(cases, framework);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const double ratio = values[i].value() / cases[i].value;
    ratios.push_back(is_rate(cases[i]) ? 1.0 / ratio : ratio);
  }
  return ratios;
}

std::vector<Case> that_run(const std::vector<Case>& cases, const Framework& framework) {
  std::vector<Case> running;
  const auto values = simulated(cases, framework);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (values[i]) {
      running.push_back(cases[i]);
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
  const auto values_of_rows = simulated(cases, result.framework);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    result.rows.push_back({.id = cases[i].id,
                           .group = result.framework.name,
                           .measured = cases[i].value,
                           .simulated = values_of_rows[i],
                           .unit = cases[i].unit,
                           .fitted = true});
  }
  return result;
}

} // namespace decodesim
