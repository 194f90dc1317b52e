#include "sim/engine/player.hpp"

#include <algorithm>
#include <map>

namespace decodesim {

/// Instants of all steps from those that were played.
void Player::fill_steps() {
  result_.simulated_steps = plays_;
  if (steps_.all()) {
    return;
  }
  worst_prediction_ = steps_.worst_prediction(result_.step_end_s);
  spread_ = steps_.spread(result_.step_end_s);
  const double after_last = result_.end_s - result_.step_end_s.back();
  result_.step_end_s = steps_.at_all(result_.step_end_s);
  result_.end_s = result_.step_end_s.back() + after_last;
}

/// How a rank spent its time from the end of its first decode step to the end of its last.
GpuTime Player::window_of(const Rank& rank) const {
  if (rank.program->body.empty()) {
    return {.bubble_s = result_.end_s - result_.first_token_s};
  }
  const auto& marks = rank.clock.marks();
  if (steps_.all() || marks.empty()) {
    return rank.clock.window();
  }
  const auto in_window = [&](const auto& value) {
    std::vector<double> values;
    for (const auto& mark : marks) {
      values.push_back(value(mark));
    }
    values = steps_.at_all(values);
    return values.back() - values.front();
  };
  const auto spent = [&](std::size_t kind) {
    return in_window([kind](const GpuClock::Mark& mark) { return mark.sum[kind]; });
  };
  GpuTime time{.compute_s = spent(0),
               .communication_s = spent(1),
               .waiting_s = spent(2),
               .bubble_s = spent(3)};
  const double window = in_window([](const GpuClock::Mark& mark) { return mark.now; });
  time.other_s = std::max(0.0, window - time.total_s());
  return time;
}

/// What was recorded of a rank is what all that it stands for would have shown.
void Player::repeat_for_folded_ranks() {
  const auto repeat = [this](auto& list) {
    const auto played = list.size();
    for (std::size_t i = 0; i < played; ++i) {
      const int number = list[i].rank;
      for (const int alike : transfers_->fold().ranks_like(number)) {
        if (alike != number) {
          auto copy = list[i];
          copy.rank = alike;
          list.push_back(copy);
        }
      }
    }
  };
  repeat(result_.timeline.spans);
  repeat(result_.timeline.cache_samples);
}

void Player::fill_links() {
  std::map<LinkDirection, double> carried;
  // Steps that are not played move the same bytes.
  const double steps_per_play = plays_ > 0 ? static_cast<double>(plan_.decode_steps) / plays_ : 1.0;
  for (const auto& use : decode_use_) {
    if (use.links != nullptr) {
      for (const auto link : *use.links) {
        carried[link] += use.bytes * steps_per_play;
      }
    }
  }
  const double decode_s = result_.end_s - result_.first_token_s;
  for (const auto& [link, bytes] : carried) {
    const double possible = machine_.link(link).bandwidth.value.value() * decode_s;
    result_.links.push_back({.name = machine_.direction_name(link),
                             .bytes = bytes,
                             .utilisation_ratio = possible > 0 ? bytes / possible : 0.0});
  }
  std::stable_sort(result_.links.begin(), result_.links.end(), [](const auto& a, const auto& b) {
    return a.utilisation_ratio > b.utilisation_ratio;
  });
}

/// Each flow counts at its mean rate from start to end; samples are the sums at every change.
void Player::fill_link_samples() {
  struct Change {
    double time;
    double rate;
  };

  std::map<LinkDirection, std::vector<Change>> changes;
  for (const auto& record : piece_records_) {
    if (record.end <= record.start) {
      continue; // too short for the clock
    }
    const double rate = record.bytes.value() / (record.end - record.start);
    for (const auto link : *record.links) {
      const double share = rate / machine_.link(link).bandwidth.value.value();
      changes[link].push_back({record.start, share});
      changes[link].push_back({record.end, -share});
    }
  }
  auto& timeline = result_.timeline;
  timeline.link_names.resize(2 * machine_.links.size());
  for (auto& [link, list] : changes) {
    timeline.link_names[static_cast<std::size_t>(link)] = machine_.direction_name(link);
    std::stable_sort(
        list.begin(), list.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
    double level = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      level += list[i].rate;
      if (i + 1 == list.size() || list[i + 1].time > list[i].time) {
        // Flows that share a link are faster at one time and slower at another than their mean.
        const double shown = level < 1e-9 ? 0.0 : std::min(1.0, level);
        timeline.link_samples.push_back(
            {.time_s = list[i].time, .link = link, .utilisation_ratio = shown});
      }
    }
  }
}

} // namespace decodesim
