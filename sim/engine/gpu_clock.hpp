#pragma once

#include "sim/engine/simulate.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

namespace decodesim {

/// Keeps account of how one GPU spends its time.
///
/// A rank with one stream adds stretches one after another; a rank whose streams overlap reports
/// when each state begins and ends, and at each instant the first of compute, launch (the
/// stream that computes has its data and waits for the host), transfer, waiting, bubble that some
/// stream is in counts. Launch and what nothing claims is `other`.
class GpuClock {
public:
  /// One stream: the stretch was all of one kind.
  void add(SpanKind kind, double seconds) { sum_[slot(kind)] += seconds; }

  /// Overlapping streams: from `now` on, `delta` more streams are in the state.
  void change(double now, SpanKind kind, int delta) {
    settle(now);
    const bool was_bubble = state() == slot(SpanKind::bubble);
    active_[slot(kind)] += delta;
    const bool is_bubble = state() == slot(SpanKind::bubble);
    if (is_bubble && !was_bubble) {
      bubble_since_ = now;
    } else if (was_bubble && !is_bubble && on_bubble) {
      on_bubble(bubble_since_, now);
    }
  }

  /// Called at the end of each bubble of a rank with overlapping streams; may be empty.
  std::function<void(double start, double end)> on_bubble;

  /// What the rank has done until the end of one of its steps.
  struct Mark {
    double now = 0;
    std::array<double, 4> sum{}; ///< compute, transfer, waiting, bubble
  };

  /// Notes how far the account is at the end of a step.
  void mark(double now) {
    settle(now);
    marks_.push_back({now, {sum_[0], sum_[1], sum_[2], sum_[3]}});
  }

  [[nodiscard]] const std::vector<Mark>& marks() const { return marks_; }

  void open_window(double now) {
    settle(now);
    opened_ = now;
    at_open_ = sum_;
  }

  void close_window(double now) {
    settle(now);
    window_ = {.compute_s = sum_[0] - at_open_[0],
               .communication_s = sum_[1] - at_open_[1],
               .waiting_s = sum_[2] - at_open_[2],
               .bubble_s = sum_[3] - at_open_[3],
               .other_s = 0.0};
    const double unclaimed = (now - opened_) - window_.total_s();
    window_.other_s = std::max(0.0, unclaimed); // rounding can leave -1e-16
  }

  [[nodiscard]] const GpuTime& window() const { return window_; }

private:
  static std::size_t slot(SpanKind kind) { return static_cast<std::size_t>(kind); }

  /// The state that counts: the first that some stream is in; one past the last when none is.
  [[nodiscard]] std::size_t state() const {
    for (const auto kind : {SpanKind::compute,
                            SpanKind::launch,
                            SpanKind::transfer,
                            SpanKind::waiting,
                            SpanKind::bubble}) {
      if (active_[slot(kind)] > 0) {
        return slot(kind);
      }
    }
    return none;
  }

  void settle(double now) {
    sum_[state()] += now - settled_;
    settled_ = now;
  }

  static constexpr std::size_t none = 5;

  std::array<double, 6> sum_{};
  std::array<double, 6> at_open_{};
  std::array<int, 5> active_{};
  double settled_ = 0;
  double opened_ = 0;
  double bubble_since_ = 0;
  std::vector<Mark> marks_;
  GpuTime window_;
};

} // namespace decodesim
