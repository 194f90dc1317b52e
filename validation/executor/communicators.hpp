#pragma once

#include "sim/plan/plan.hpp"

#include <string>
#include <vector>

namespace decodesim {

/// Ranks that communicate with each other in one order.
struct Communicator {
  std::string name;       ///< "tp[0,1]", "pp.hidden[0>2]"
  std::vector<int> ranks; ///< in member order

  /// @throws SimulationError when the rank is none of them
  [[nodiscard]] int index_of(int rank) const;

  bool operator==(const Communicator&) const = default;
};

/// The communicator of a collective or an exchange: the rank's group on the axis.
[[nodiscard]] Communicator group_communicator(const Plan& plan, const std::string& axis, int rank);

/// The communicator of a message: one for each sender, receiver and channel, sender first. Messages
/// match in order among these alone (Message), and each is used by one stream of either side, so
/// that none waits for another behind the plan's back.
[[nodiscard]] Communicator message_communicator(const Plan& plan, const Message& message, int rank);

/// All communicators of a plan, by name. Ranks that join theirs in this order never wait in a
/// circle.
[[nodiscard]] std::vector<Communicator> communicators(const Plan& plan);

} // namespace decodesim
