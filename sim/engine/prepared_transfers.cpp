#include "sim/engine/prepared_transfers.hpp"

#include <algorithm>

namespace decodesim {

PreparedTransfers::PreparedTransfers(const Plan& plan,
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

PreparedTransfer PreparedTransfers::ready(const Transfer& transfer, const std::vector<int>& ranks) {
  const bool shared = std::any_of(ranks.begin(), ranks.end(), [&](int rank) {
    return shares_memory_[static_cast<std::size_t>(rank)];
  });
  PreparedTransfer prepared;
  prepared.pieces.reserve(transfer.pieces.size());
  for (const auto& piece : transfer.pieces) {
    std::vector<int> memory_gpus;
    for (const auto& [from, to] : shared ? piece.flow.hops : decltype(piece.flow.hops){}) {
      for (const int member : {from, to}) {
        memory_gpus.push_back(communication_.gpu(ranks[static_cast<std::size_t>(member)]));
      }
    }
    const auto index = static_cast<int>(prepared.pieces.size());
    for (const int before : piece.after) {
      prepared.pieces[static_cast<std::size_t>(before)].next.push_back(index);
    }
    prepared.pieces.push_back({.id = piece_count_++,
                               .latency_s = piece.latency.value(),
                               .bytes = piece.flow.bytes,
                               .route = platform_.add_route(piece.flow, memory_gpus),
                               .links = piece.flow.links,
                               .after = static_cast<int>(piece.after.size()),
                               .next = {}});
  }
  return prepared;
}

const PreparedTransfer& PreparedTransfers::collective(const GroupAxis& axis,
                                                      int group,
                                                      const Collective& collective) const {
  return collectives_.at({&axis, group, collective.kind, collective.total_bytes.value()});
}

const PreparedTransfer& PreparedTransfers::message(int from_rank, int to_rank, Bytes bytes) const {
  return messages_.at({from_rank, to_rank, bytes.value()});
}

} // namespace decodesim
