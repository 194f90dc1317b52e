#include "validation/measure/sample_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace decodesim {

double SampleStatistics::relative_deviation_of_mean() const {
  if (count < 2 || mean == 0.0) {
    return std::numeric_limits<double>::infinity();
  }
  return standard_deviation / std::sqrt(static_cast<double>(count)) / std::abs(mean);
}

SampleStatistics statistics_of(std::vector<double> samples) {
  SampleStatistics all{.count = samples.size()};
  if (samples.empty()) {
    return all;
  }
  std::sort(samples.begin(), samples.end());
  const auto count = static_cast<double>(samples.size());
  const auto middle = samples.size() / 2;
  all.minimum = samples.front();
  all.median =
      samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2.0;
  all.mean = std::accumulate(samples.begin(), samples.end(), 0.0) / count;
  if (samples.size() > 1) {
    double squares = 0;
    for (const double sample : samples) {
      squares += (sample - all.mean) * (sample - all.mean);
    }
    all.standard_deviation = std::sqrt(squares / (count - 1.0));
  }
  return all;
}

} // namespace decodesim
