#include "sim/engine/communication.hpp"

#include "sim/error.hpp"
#include "topologies/ring.hpp"

#include <algorithm>

namespace decodesim {

Communication::Communication(const Plan& plan,
                             const Machine& machine,
                             const std::vector<int>& gpu_of_rank,
                             const SimulationOptions& options)
    : plan_{plan}, machine_{machine}, gpu_of_rank_{gpu_of_rank}, options_{options}, routes_{
                                                                                        machine} {
  for (const auto& [transport, cost] : machine.transports) {
    costs_[transport] = cost.cost();
  }
}

const std::vector<int>& Communication::members(const GroupAxis& axis, int group) const {
  auto& order = rings_[{&axis, group}];
  if (order.empty()) {
    order = axis.groups[static_cast<std::size_t>(group)];
    if (options_.ring_order == RingOrder::searched && order.size() > 2) {
      std::map<int, int> rank_on;
      std::vector<int> gpus;
      for (const int rank : order) {
        gpus.push_back(gpu(rank));
        rank_on[gpus.back()] = rank;
      }
      gpus = find_ring(machine_, routes_, gpus);
      std::transform(
          gpus.begin(), gpus.end(), order.begin(), [&](int one) { return rank_on.at(one); });
      // The root of a broadcast is the group's first rank, wherever the ring was found to begin.
      const int root = axis.groups[static_cast<std::size_t>(group)].front();
      std::rotate(order.begin(), std::find(order.begin(), order.end(), root), order.end());
    }
  }
  return order;
}

Flow Communication::collective(const GroupAxis& axis,
                               int group,
                               const Collective& collective) const {
  const auto& ring = members(axis, group);
  if (ring.size() < 2) {
    throw SimulationError{"plan " + plan_.layout + ": a collective on axis \"" + axis.name +
                          "\" has a group of one rank"};
  }
  const auto member_gpu = [&](int member) { return gpu(ring[static_cast<std::size_t>(member)]); };
  return collective_flow(
      options_.collectives,
      collective.kind,
      collective.total_bytes,
      static_cast<int>(ring.size()),
      [&](int from, int to) -> const Path& {
        return routes_.between(member_gpu(from), member_gpu(to));
      },
      [&](Transport transport) -> const TransportCost& { return costs_.at(transport); });
}

Flow Communication::message(int from_rank, int to_rank, Bytes bytes) const {
  const auto& path = routes_.between(gpu(from_rank), gpu(to_rank));
  return message_flow(
      bytes, path, costs_.at(path.transport), options_.collectives == CollectiveAlgorithm::ideal);
}

CriticalPath critical_path(const Plan& plan,
                           const Machine& machine,
                           const std::vector<int>& gpu_of_rank,
                           const SimulationOptions& options) {
  const Communication communication{plan, machine, gpu_of_rank, options};
  const auto bandwidth = [&](LinkDirection direction) {
    return machine.link(direction).bandwidth.value;
  };
  return critical_path(
      plan,
      {.kernel = [&](int,
                     const Kernel& kernel,
                     StepContext at) { return kernel_time(kernel_work(kernel, at), machine.gpu); },
       .collective =
           [&](const Collective& collective, const std::vector<int>& ranks) {
             const auto& axis = plan.axis(collective.axis);
             const int group = axis.group_of_rank[static_cast<std::size_t>(ranks.front())];
             return communication.collective(axis, group, collective).idle_time(bandwidth);
           },
       .message =
           [&](int from, int to, Bytes bytes) {
             return communication.message(from, to, bytes).idle_time(bandwidth);
           }});
}

} // namespace decodesim
