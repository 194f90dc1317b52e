#include "sim/engine/prepared_flows.hpp"

#include <algorithm>

namespace decodesim {

PreparedFlows::PreparedFlows(const Plan& plan,
                             const Communication& communication,
                             const std::vector<bool>& shares_memory,
                             Platform& platform)
    : communication_{communication}, shares_memory_{shares_memory}, platform_{platform} {
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
      for (const auto& op : plan.program(rank).part(part)) {
        if (const auto* one = as_collective(op)) {
          const auto& axis = plan.axis(one->axis);
          const int group = axis.group_of_rank[static_cast<std::size_t>(rank)];
          const CollectiveKey key{&axis, group, one->kind, one->total_bytes.value()};
          if (!collectives_.contains(key)) {
            collectives_.emplace(key,
                                 ready(communication.collective(axis, group, *one),
                                       communication.members(axis, group)));
          }
        } else if (const auto* messages = as_point_to_point(op)) {
          for (const auto& message : messages->messages) {
            const int peer = plan.group(message.axis, rank)[static_cast<std::size_t>(message.peer)];
            const MessageKey key{rank, peer, message.bytes.value()};
            if (message.direction == Message::Direction::send && !messages_.contains(key)) {
              messages_.emplace(
                  key, ready(communication.message(rank, peer, message.bytes), {rank, peer}));
            }
          }
        }
      }
    }
  }
}

PreparedFlow PreparedFlows::ready(const Flow& flow, const std::vector<int>& ranks) {
  std::vector<int> memory_gpus;
  const bool shared = std::any_of(ranks.begin(), ranks.end(), [&](int rank) {
    return shares_memory_[static_cast<std::size_t>(rank)];
  });
  if (shared) {
    for (const auto& [from, to] : flow.hops) {
      for (const int member : {from, to}) {
        memory_gpus.push_back(communication_.gpu(ranks[static_cast<std::size_t>(member)]));
      }
    }
  }
  return {.id = count_++,
          .latency_s = flow.latency.value(),
          .bytes = flow.bytes,
          .route = platform_.add_route(flow, memory_gpus),
          .links = flow.links};
}

const PreparedFlow&
PreparedFlows::collective(const GroupAxis& axis, int group, const Collective& collective) const {
  return collectives_.at({&axis, group, collective.kind, collective.total_bytes.value()});
}

const PreparedFlow& PreparedFlows::message(int from_rank, int to_rank, Bytes bytes) const {
  return messages_.at({from_rank, to_rank, bytes.value()});
}

} // namespace decodesim
