#include "sim/plan/program_index.hpp"

namespace decodesim {

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
