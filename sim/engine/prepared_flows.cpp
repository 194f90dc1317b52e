#include "sim/engine/prepared_flows.hpp"

#include "topologies/ring.hpp"

#include <algorithm>

namespace decodesim {

PreparedFlows::PreparedFlows(const Plan& plan,
                             const Machine& machine,
                             const std::vector<int>& gpu_of_rank,
                             const std::vector<bool>& shares_memory,
                             const SimulationOptions& options,
                             Platform& platform)
    : plan_{plan}, machine_{machine}, routes_{machine}, gpu_of_rank_{gpu_of_rank},
      shares_memory_{shares_memory}, options_{options}, platform_{platform} {
  for (const auto& [transport, cost] : machine.transports) {
    costs_[transport] = cost.cost();
  }
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
      for (const auto& op : plan.program(rank).part(part)) {
        if (const auto* collective = as_collective(op)) {
          const auto& axis = plan.axis(collective->axis);
          prepare(axis, axis.group_of_rank[static_cast<std::size_t>(rank)], *collective);
        } else if (const auto* messages = as_point_to_point(op)) {
          for (const auto& one : messages->messages) {
            if (one.direction == Message::Direction::send) {
              const auto& group = plan.group(one.axis, rank);
              prepare(rank, group[static_cast<std::size_t>(one.peer)], one.bytes);
            }
          }
        }
      }
    }
  }
}

const std::vector<int>& PreparedFlows::ring(const GroupAxis& axis, int group) {
  auto& order = rings_[{&axis, group}];
  if (order.empty()) {
    order = axis.groups[static_cast<std::size_t>(group)];
    if (options_.ring_order == RingOrder::searched && order.size() > 2) {
      std::map<int, int> rank_on;
      std::vector<int> gpus;
      for (const int rank : order) {
        gpus.push_back(gpu_of_rank_[static_cast<std::size_t>(rank)]);
        rank_on[gpus.back()] = rank;
      }
      gpus = find_ring(machine_, routes_, gpus);
      std::transform(
          gpus.begin(), gpus.end(), order.begin(), [&](int gpu) { return rank_on.at(gpu); });
    }
  }
  return order;
}

PreparedFlow PreparedFlows::ready(const Flow& flow, const std::vector<int>& ranks) {
  std::vector<int> memory_gpus;
  const bool shared = std::any_of(ranks.begin(), ranks.end(), [&](int rank) {
    return shares_memory_[static_cast<std::size_t>(rank)];
  });
  if (shared) {
    for (const auto& [from, to] : flow.hops) {
      for (const int member : {from, to}) {
        memory_gpus.push_back(
            gpu_of_rank_[static_cast<std::size_t>(ranks[static_cast<std::size_t>(member)])]);
      }
    }
  }
  return {.id = count_++,
          .latency_s = flow.latency.value(),
          .bytes = flow.bytes,
          .route = platform_.add_route(flow, memory_gpus),
          .links = flow.links};
}

void PreparedFlows::prepare(const GroupAxis& axis, int group, const Collective& collective) {
  const CollectiveKey key{&axis, group, collective.kind, collective.total_bytes.value()};
  if (collectives_.contains(key)) {
    return;
  }
  const auto& members = ring(axis, group);
  if (members.size() < 2) {
    throw SimulationError{"plan " + plan_.layout + ": a collective on axis \"" + axis.name +
                          "\" has a group of one rank"};
  }
  const auto gpu = [&](int member) {
    return gpu_of_rank_[static_cast<std::size_t>(members[static_cast<std::size_t>(member)])];
  };
  const auto flow = collective_flow(
      options_.collectives,
      collective.kind,
      collective.total_bytes,
      static_cast<int>(members.size()),
      [&](int from, int to) -> const Path& { return routes_.between(gpu(from), gpu(to)); },
      [&](Transport transport) -> const TransportCost& { return costs_.at(transport); });
  collectives_.emplace(key, ready(flow, members));
}

void PreparedFlows::prepare(int from_rank, int to_rank, Bytes bytes) {
  const MessageKey key{from_rank, to_rank, bytes.value()};
  if (messages_.contains(key)) {
    return;
  }
  const auto& path = routes_.between(gpu_of_rank_[static_cast<std::size_t>(from_rank)],
                                     gpu_of_rank_[static_cast<std::size_t>(to_rank)]);
  const auto flow = message_flow(
      bytes, path, costs_.at(path.transport), options_.collectives == CollectiveAlgorithm::ideal);
  messages_.emplace(key, ready(flow, {from_rank, to_rank}));
}

const PreparedFlow&
PreparedFlows::collective(const GroupAxis& axis, int group, const Collective& collective) const {
  return collectives_.at({&axis, group, collective.kind, collective.total_bytes.value()});
}

const PreparedFlow& PreparedFlows::message(int from_rank, int to_rank, Bytes bytes) const {
  return messages_.at({from_rank, to_rank, bytes.value()});
}

} // namespace decodesim
