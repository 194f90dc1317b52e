#pragma once

#include "sim/plan/plan.hpp"

#include <array>
#include <vector>

namespace decodesim {

/// How often an event must have been recorded before an operation may start.
struct EventNeed {
  EventId event = 0;
  int at_step_0 = 0;
  int per_step = 0; ///< more for each decode step; 0 outside the body

  [[nodiscard]] int count(int step) const { return at_step_0 + step * per_step; }
};

struct IndexedOperation {
  const Operation* operation = nullptr;
  int index = 0; ///< in the part, which is the order in which the host enqueues
  std::vector<EventNeed> needs;
  /// Of a collective its entry in ProgramIndex::collectives, of an exchange its in
  /// ProgramIndex::exchanges, of messages theirs in ProgramIndex::messages.
  std::vector<int> ends = {};
};

/// A program cut into its streams, with waits turned into counts of records.
struct ProgramIndex {
  /// [stream][part]
  std::vector<std::array<std::vector<IndexedOperation>, 3>> streams;
  /// What is communicated, each different one once: a rank looks up who takes part a few times, not
  /// at every operation.
  std::vector<const Collective*> collectives;
  std::vector<const Exchange*> exchanges;
  std::vector<const Message*> messages;

  ProgramIndex(const Program& program, int decode_steps);
};

} // namespace decodesim
