#include "validation/measure/stopping_rule.hpp"

#include "validation/measure/sample_statistics.hpp"

#include <chrono>

namespace decodesim {

Samples take_samples(const StoppingRule& rule,
                     const std::function<double()>& sample,
                     const std::function<double()>& clock) {
  Samples taken;
  const double start = clock();
  while (true) {
    taken.values.push_back(sample());
    const double seconds = clock() - start;
    if (taken.values.size() >= rule.least_samples && seconds >= rule.least_seconds &&
        statistics_of(taken.values).relative_deviation_of_mean() <= rule.relative_deviation) {
      taken.converged = true;
      return taken;
    }
    if (taken.values.size() >= rule.most_samples || seconds >= rule.most_seconds) {
      return taken;
    }
  }
}

Samples take_samples(const StoppingRule& rule, const std::function<double()>& sample) {
  return take_samples(rule, sample, [] {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
  });
}

} // namespace decodesim
