#include "sim/engine/prepared_transfers.hpp"

#include "sim/plan/expert_loads.hpp"

#include <algorithm>
#include <iterator>

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
        } else if (const auto* exchange = as_exchange(op)) {
          const auto& axis = plan.axis(exchange->axis);
          prepare_exchanges(plan, axis, axis.group_of_rank[static_cast<std::size_t>(rank)]);
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

/// Routes between all members that do not share their tokens: which of them are used, each step
/// decides anew.
void PreparedTransfers::prepare_exchanges(const Plan& plan, const GroupAxis& axis, int group) {
  const auto [entry, added] = exchanges_.try_emplace({&axis, group});
  if (!added) {
    return;
  }
  const auto& ranks = axis.groups[static_cast<std::size_t>(group)];
  const int members = static_cast<int>(ranks.size());
  const int tp = plan.expert_loads->grid().tp;
  for (int from = 0; from < members; ++from) {
    for (int to = 0; to < members; ++to) {
      entry->second.push_back(
          from / tp == to / tp
              ? PreparedPiece{}
              : ready(communication_.exchange(ranks, {{from, to, 0}}, Bytes{}), ranks)
                    .pieces.front());
    }
  }
}

PreparedTransfer PreparedTransfers::exchange(const GroupAxis& axis,
                                             int group,
                                             const std::vector<SentRows>& rows,
                                             Bytes row_bytes) const {
  const auto& pieces = exchanges_.at({&axis, group});
  const auto members = axis.groups[static_cast<std::size_t>(group)].size();
  PreparedTransfer transfer;
  transfer.pieces.reserve(rows.size());
  for (const auto& sent : rows) {
    transfer.pieces.push_back(
        pieces[static_cast<std::size_t>(sent.from) * members + static_cast<std::size_t>(sent.to)]);
    transfer.pieces.back().bytes = static_cast<double>(sent.rows) * row_bytes;
  }
  return transfer;
}

PreparedTransfer PreparedTransfers::ready(const Transfer& transfer, const std::vector<int>& ranks) {
  const bool shared = std::any_of(ranks.begin(), ranks.end(), [&](int rank) {
    return shares_memory_[static_cast<std::size_t>(rank)];
  });
  PreparedTransfer prepared;
  prepared.pieces.reserve(transfer.pieces.size());
  std::vector<int> gpus;
  std::transform(ranks.begin(), ranks.end(), std::back_inserter(gpus), [&](int rank) {
    return communication_.gpu(rank);
  });
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
    prepared.pieces.push_back(
        {.id = piece_count_++,
         .latency_s = piece.latency.value(),
         .bytes = piece.flow.bytes,
         .route = platform_.add_route(piece.flow, memory_gpus, gpus),
         .links = std::make_shared<std::vector<LinkDirection>>(piece.flow.links),
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
