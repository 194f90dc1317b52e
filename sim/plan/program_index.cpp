#include "sim/plan/program_index.hpp"

#include <algorithm>

namespace decodesim {

namespace {

/// Index of the entry equal to `one`, which is added if there is none.
template <class T> int entry_of(std::vector<const T*>& known, const T& one) {
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const T* other) { return *other == one; });
  const auto index = static_cast<int>(found - known.begin());
  if (found == known.end()) {
    known.push_back(&one);
  }
  return index;
}

} // namespace

ProgramIndex::ProgramIndex(const Program& program, int decode_steps)
    : streams(program.streams.size()) {
  const auto events = static_cast<std::size_t>(program.event_count);
  std::vector<int> recorded(events, 0);
  for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
    std::vector<int> per_play(events, 0);
    for (const auto& op : program.part(part)) {
      for (const auto event : op.records) {
        ++per_play[static_cast<std::size_t>(event)];
      }
    }
    const int plays = part == Part::body ? decode_steps : 1;
    std::vector<int> so_far = recorded;
    int index = 0;
    for (const auto& op : program.part(part)) {
      IndexedOperation entry{.operation = &op, .index = index++, .needs = {}};
      for (const auto event : op.waits) {
        const auto e = static_cast<std::size_t>(event);
        entry.needs.push_back({.event = event,
                               .at_step_0 = so_far[e],
                               .per_step = part == Part::body ? per_play[e] : 0});
      }
      if (const auto* collective = as_collective(op)) {
        entry.ends = {entry_of(collectives, *collective)};
      } else if (const auto* exchange = as_exchange(op)) {
        entry.ends = {entry_of(exchanges, *exchange)};
      } else if (const auto* point_to_point = as_point_to_point(op)) {
        for (const auto& message : point_to_point->messages) {
          entry.ends.push_back(entry_of(messages, message));
        }
      }
      for (const auto event : op.records) {
        ++so_far[static_cast<std::size_t>(event)];
      }
      streams[static_cast<std::size_t>(op.stream)][static_cast<std::size_t>(part)].push_back(
          std::move(entry));
    }
    for (std::size_t e = 0; e < events; ++e) {
      recorded[e] += plays * per_play[e];
    }
  }
}

} // namespace decodesim
