#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace decodesim {

/// When enough samples of a quantity are taken. Files name it "mean-deviation".
///
/// It is enough, and the samples are *converged*, once there are at least `least_samples`, they
/// took at least `least_seconds`, and the relative deviation of their mean (standard error over
/// mean) is at most `relative_deviation`. It is also enough, but not converged, once there are
/// `most_samples` or they took `most_seconds`.
///
/// Source: NVBench's criterion "stdrel" (a noise limit with a minimum time), with the standard
/// error in place of the standard deviation, which more samples do not lower.
struct StoppingRule {
  double relative_deviation = 0.005;
  double least_seconds = 0.02;
  std::size_t least_samples = 10;
  std::size_t most_samples = 200;
  double most_seconds = 0.5;

  bool operator==(const StoppingRule&) const = default;
};

/// Name of StoppingRule in files.
constexpr const char* stopping_rule_name = "mean-deviation";

/// What a rule let pass.
struct Samples {
  std::vector<double> values; ///< in the order in which they were taken
  bool converged = false;
};

/// Asks `sample` for one value after the other until the rule says that it is enough.
///
/// @param sample  one measurement in microseconds, or any other unit of time
/// @param clock   seconds since any instant: measures what taking the samples takes, with all that
///                lies between them
[[nodiscard]] Samples take_samples(const StoppingRule& rule,
                                   const std::function<double()>& sample,
                                   const std::function<double()>& clock);

/// With the steady clock of this machine.
[[nodiscard]] Samples take_samples(const StoppingRule& rule, const std::function<double()>& sample);

} // namespace decodesim
