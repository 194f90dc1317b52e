#include "validation/executor/communicators.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <map>

namespace decodesim {

int Communicator::index_of(int rank) const {
  const auto found = std::find(ranks.begin(), ranks.end(), rank);
  if (found == ranks.end()) {
    throw SimulationError{"rank " + std::to_string(rank) + " is no member of " + name};
  }
  return static_cast<int>(found - ranks.begin());
}

Communicator group_communicator(const Plan& plan, const std::string& axis, int rank) {
  const auto& members = plan.group(axis, rank);
  std::string name = axis + "[";
  for (const int member : members) {
    name += (member == members.front() ? "" : ",") + std::to_string(member);
  }
  return {.name = name + "]", .ranks = members};
}

Communicator message_communicator(const Plan& plan, const Message& message, int rank) {
  const int peer = plan.group(message.axis, rank)[static_cast<std::size_t>(message.peer)];
  const bool sends = message.direction == Message::Direction::send;
  const int from = sends ? rank : peer;
  const int to = sends ? peer : rank;
  return {.name = message.axis + "." + message.channel + "[" + std::to_string(from) + ">" +
                  std::to_string(to) + "]",
          .ranks = {from, to}};
}

std::vector<Communicator> communicators(const Plan& plan) {
  std::map<std::string, Communicator> by_name;
  const auto add = [&by_name](Communicator one) { by_name.try_emplace(one.name, one); };
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    const auto& program = plan.program(rank);
    for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
      for (const auto& op : program.part(part)) {
        if (const auto* collective = as_collective(op)) {
          add(group_communicator(plan, collective->axis, rank));
        } else if (const auto* exchange = as_exchange(op)) {
          add(group_communicator(plan, exchange->axis, rank));
        } else if (const auto* messages = as_point_to_point(op)) {
          for (const auto& message : messages->messages) {
            add(message_communicator(plan, message, rank));
          }
        }
      }
    }
  }
  std::vector<Communicator> all;
  for (auto& [name, one] : by_name) {
    all.push_back(std::move(one));
  }
  return all;
}

} // namespace decodesim
