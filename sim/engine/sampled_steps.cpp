#include "sim/engine/sampled_steps.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace decodesim {

SampledSteps::SampledSteps(int steps) : steps_{steps}, played_(static_cast<std::size_t>(steps)) {
  std::iota(played_.begin(), played_.end(), 0);
}

SampledSteps::SampledSteps(int steps, int windows, int settling, int measured)
    : SampledSteps{steps} {
  const int length = settling + measured;
  if (2 * (windows + 1) * length >= steps) {
    return;
  }
  measured_ = static_cast<std::size_t>(measured);
  played_.clear();
  const int last_first = steps - length;
  for (int w = 0; w < windows; ++w) {
    // The first window is twice as long: there a pipeline fills.
    const int first = static_cast<int>(std::int64_t{last_first} * w / (windows - 1));
    const auto place = played_.size();
    for (int i = 0; i < (w == 0 ? 2 : 1) * length; ++i) {
      played_.push_back(first + i);
    }
    windows_.push_back({.first = place,
                        .counts_from = place + static_cast<std::size_t>(w == 0 ? 1 : settling),
                        .end = played_.size()});
  }
}

std::vector<SampledSteps::Anchor>
SampledSteps::anchors(const std::vector<double>& at_played) const {
  std::vector<Anchor> anchors;
  for (const auto& window : windows_) {
    const auto last = window.end - 1;
    const auto before = last - measured_;
    const auto count = static_cast<double>(measured_);
    anchors.push_back({.step = played_[last] - (count - 1.0) / 2.0,
                       .increment = (at_played[last] - at_played[before]) / count});
  }
  return anchors;
}

std::vector<double> SampledSteps::at_all(const std::vector<double>& at_played) const {
  if (all()) {
    return at_played;
  }
  const auto anchor = anchors(at_played);
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(steps_));
  values.push_back(at_played.front());
  for (std::size_t w = 0; w < windows_.size(); ++w) {
    const auto& window = windows_[w];
    const int counts_from = played_[window.counts_from];
    while (static_cast<int>(values.size()) < counts_from) {
      const auto& left = anchor[w - 1]; // the first window has no step before it
      const auto& right = anchor[w];
      const double share =
          (static_cast<double>(values.size()) - left.step) / (right.step - left.step);
      values.push_back(values.back() + left.increment + share * (right.increment - left.increment));
    }
    for (auto place = window.counts_from; place < window.end; ++place) {
      values.push_back(values.back() + (at_played[place] - at_played[place - 1]));
    }
  }
  return values;
}

double SampledSteps::spread(const std::vector<double>& at_played) const {
  double squares = 0;
  double sum = 0;
  int count = 0;
  const auto anchor = anchors(at_played);
  for (std::size_t w = 0; w < windows_.size(); ++w) {
    const auto last = windows_[w].end - 1;
    for (auto place = last - measured_ + 1; place <= last; ++place) {
      const double increment = at_played[place] - at_played[place - 1];
      squares += (increment - anchor[w].increment) * (increment - anchor[w].increment);
      sum += increment;
      ++count;
    }
  }
  const double freedom =
      std::max(1.0, static_cast<double>(count) - static_cast<double>(windows_.size()));
  return sum > 0 ? std::sqrt(squares / freedom) / (sum / count) : 0.0;
}

double SampledSteps::worst_prediction(const std::vector<double>& at_played) const {
  double worst = 0;
  const auto anchor = anchors(at_played);
  for (std::size_t w = 1; w + 1 < anchor.size(); ++w) {
    const auto& left = anchor[w - 1];
    const auto& right = anchor[w + 1];
    const double share = (anchor[w].step - left.step) / (right.step - left.step);
    const double predicted = left.increment + share * (right.increment - left.increment);
    const double scale = std::max(std::abs(anchor[w].increment), 1e-30);
    worst = std::max(worst, std::abs(predicted - anchor[w].increment) / scale);
  }
  return worst;
}

} // namespace decodesim
