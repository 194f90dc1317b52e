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

constexpr int most_rounds = 6;
constexpr int most_evaluations = 20000; ///< of the linear model
/// Where numbers move by less than this part of their largest value, another round tells nothing.
constexpr double settled = 1e-3;

constexpr const char* gemm_byte_efficiency = "kernels/gemm/byte_efficiency_ratio";
constexpr const char* unsplit_attention = "kernels/attention_decode/per_unsplit_token";
constexpr const char* cache_reads = "kernels/attention_decode/per_sm_cache_reads";

void set_number(Framework& framework, const std::string& name, double value) {
  constexpr auto* source = "being fitted";
  if (name == gemm_byte_efficiency) {
    framework.kernels[KernelClass::gemm].byte_efficiency_ratio =
        Sourced<double>{value, SourceKind::fitted, source};
    return;
  }
  if (name == unsplit_attention) {
    framework.kernels[KernelClass::attention_decode].per_unsplit_token =
        Sourced<Seconds>{Seconds{value}, SourceKind::fitted, source};
    return;
  }
  if (name == cache_reads) {
    framework.kernels[KernelClass::attention_decode].per_sm_cache_reads =
        Sourced<BytesPerSecond>{BytesPerSecond{value}, SourceKind::fitted, source};
    return;
  }
  for (const auto& duration : framework_durations()) {
    if (name == duration.name) {
      framework.*duration.member = Sourced<Seconds>{Seconds{value}, SourceKind::fitted, source};
      return;
    }
  }
  throw InputError::at("calibrate frameworks", "knows no number " + name, "");
}

Framework with_numbers(Framework framework,
                       const std::vector<FittedNumber>& numbers,
                       const std::vector<double>& values) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    set_number(framework, numbers[i].name, values[i]);
  }
  return framework;
}

/// As written to files: to four digits; durations have no more than five decimals of a us.
double rounded(const FittedNumber& number, double value) {
  const auto unit = unit_of(number);
  const double in_unit = value / unit.value;
  const bool is_duration = std::string{unit.name} == "us";
  return unit.value * to_four_digits(is_duration ? std::round(1e5 * in_unit) * 1e-5 : in_unit);
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

FittedUnit unit_of(const FittedNumber& number) {
  const std::string name = number.name;
  if (name == gemm_byte_efficiency) {
    return {"ratio", 1.0};
  }
  return name == cache_reads ? FittedUnit{"GB/s", 1e9} : FittedUnit{"us", 1e-6};
}

FrameworkFit fit_framework(const Framework& framework,
                           const std::vector<FittedNumber>& numbers,
                           const std::vector<Case>& all_cases) {
  std::vector<double> values;
  for (const auto& number : numbers) {
    values.push_back(number.start);
  }
  const auto cases = that_run(all_cases, with_numbers(framework, numbers, values));
  bool moved = !numbers.empty() && !cases.empty();
  for (int round = 0; round < most_rounds && moved; ++round) {
    const auto base = time_ratios(cases, with_numbers(framework, numbers, values));
    std::vector<std::vector<double>> slopes; // by number, case
    std::vector<FitParameter> parameters;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const auto& number = numbers[i];
      auto shifted = values;
      const double step = values[i] + number.step > number.most ? -number.step : number.step;
      shifted[i] += step;
      auto& slope =
          slopes.emplace_back(time_ratios(cases, with_numbers(framework, numbers, shifted)));
      for (std::size_t row = 0; row < slope.size(); ++row) {
        slope[row] = (slope[row] - base[row]) / step;
      }
      parameters.push_back({.name = number.name,
                            .start = values[i] / number.most,
                            .lower = number.least / number.most,
                            .upper = 1.0});
    }
    const auto cost = [&](const std::vector<double>& shares) {
      double sum = 0;
      for (std::size_t row = 0; row < cases.size(); ++row) {
        double ratio = base[row];
        for (std::size_t i = 0; i < numbers.size(); ++i) {
          ratio += slopes[i][row] * (shares[i] * numbers[i].most - values[i]);
        }
        sum += std::abs(ratio - 1.0);
      }
      return sum;
    };
    const auto fit = minimize(parameters, cost, most_evaluations);
    moved = false;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const double value = fit.values[i] * numbers[i].most;
      moved = moved || std::abs(value - values[i]) > settled * numbers[i].most;
      values[i] = value;
    }
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    values[i] = rounded(numbers[i], values[i]);
  }
  FrameworkFit result{.values = values, .rows = {}};
  const auto values_of_rows = simulated(cases, with_numbers(framework, numbers, values));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    result.rows.push_back({.id = cases[i].id,
                           .group = framework.name,
                           .measured = cases[i].value,
                           .simulated = values_of_rows[i],
                           .unit = cases[i].unit,
                           .fitted = true});
  }
  return result;
}

} // namespace decodesim
