#include "sim/error.hpp"
#include "sim/network/collective_algorithm.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace decodesim {

namespace {

SwitchPort port_of(int member, const GroupNetwork& group) {
  const auto port = group.switch_port(member);
  if (!port || group.node(member) != group.node(0)) {
    throw LayoutError{"nvls collectives need all ranks of a group on one switch that reduces; this "
                      "machine has none, or the group spans several"};
  }
  return *port;
}

/// How many 1/n parts of the array a GPU sends up to the switch and gets down from it.
struct Parts {
  int up = 0;
  int down = 0;
};

/// The switch reads all copies of a part and hands on their sum, and copies what is stored to all.
Parts parts_of(CollectiveKind kind, int members, bool root) {
  switch (kind) {
  case CollectiveKind::all_reduce: // each GPU pulls the sum of its part, then stores it to all
    return {.up = members + 1, .down = members + 1};
  case CollectiveKind::all_gather:
    return {.up = 1, .down = members};
  case CollectiveKind::reduce_scatter:
    return {.up = members, .down = 1};
  case CollectiveKind::broadcast:
    return {.up = root ? members : 0, .down = root ? 0 : members};
  }
  return {};
}

/// One crossing of the switch, twice for an all-reduce, which pulls and then stores.
Transfer nvls(const CollectiveTask& task, const GroupNetwork& group) {
  const int n = group.members();
  const auto& cost = group.cost(Transport::nvlink);
  int unit = 0; // parts that all ports move alike are listed once
  int most = 1;
  for (int member = 0; member < n; ++member) {
    const auto parts = parts_of(task.kind, n, member == 0);
    unit = std::gcd(unit, std::gcd(parts.up, parts.down));
    most = std::max({most, parts.up, parts.down});
  }
  Seconds crossing;
  Flow all{.bytes = unit * task.total_bytes / n, .cap = {}, .links = {}, .hops = {}};
  std::vector<Flow> ports;
  double efficiency = 1.0;
  for (int member = 0; member < n; ++member) {
    const auto port = port_of(member, group);
    crossing = std::max(crossing, cost.hop + 2.0 * port.latency);
    efficiency = port.efficiency_ratio;
    const auto parts = parts_of(task.kind, n, member == 0);
    Flow own{.bytes = all.bytes, .cap = {}, .links = {}, .hops = {}};
    // What goes up is read and what comes down is written: a hop stands for one of each.
    own.hops.assign(static_cast<std::size_t>((parts.up + parts.down + unit) / (2 * unit)),
                    {member, member});
    own.links.insert(own.links.end(), static_cast<std::size_t>(parts.up / unit), port.up);
    own.links.insert(own.links.end(), static_cast<std::size_t>(parts.down / unit), port.down);
    all.links.insert(all.links.end(), own.links.begin(), own.links.end());
    all.hops.insert(all.hops.end(), own.hops.begin(), own.hops.end());
    ports.push_back(std::move(own));
  }
  const auto cap = efficiency * cost.bandwidth / (static_cast<double>(most) / unit);
  const auto latency = cost.base + (task.kind == CollectiveKind::all_reduce ? 2.0 : 1.0) * crossing;
  Transfer transfer;
  if (task.fidelity == Fidelity::flow) {
    all.cap = cap;
    transfer.add({.latency = latency, .flow = std::move(all)});
    return transfer;
  }
  for (auto& own : ports) {
    own.cap = cap;
    transfer.add({.latency = latency, .flow = std::move(own)});
  }
  return transfer;
}

const RegisterCollectiveAlgorithm registration{
    {.name = "nvls",
     .summary = "The NVSwitch reduces and copies; within one switch that can",
     .reference = "NCCL's NVLS; Klenk et al., ISCA 2020",
     .transfer = nvls,
     .arrays_received = [](CollectiveKind kind, int members) {
       return kind == CollectiveKind::all_reduce       ? members + 1.0
              : kind == CollectiveKind::reduce_scatter ? 1.0
              : kind == CollectiveKind::all_gather     ? members
                                                       : members - 1.0;
     }}};

} // namespace

} // namespace decodesim
