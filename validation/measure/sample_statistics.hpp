#pragma once

#include <cstddef>
#include <vector>

namespace decodesim {

/// Moments of a sequence of samples, in the samples' unit.
struct SampleStatistics {
  std::size_t count = 0;
  double mean = 0;
  double median = 0;             ///< mean of the two middle samples when their number is even
  double standard_deviation = 0; ///< of the population that was sampled: divided by count - 1
  double minimum = 0;

  /// Standard error of the mean over the mean: how far the mean itself is likely to be off.
  /// Infinite with fewer than two samples or a mean of zero.
  [[nodiscard]] double relative_deviation_of_mean() const;
};

/// Of no samples all members are zero.
[[nodiscard]] SampleStatistics statistics_of(std::vector<double> samples);

} // namespace decodesim
