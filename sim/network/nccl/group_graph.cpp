#include "sim/network/nccl/group_graph.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

namespace decodesim::nccl {

namespace {

constexpr BytesPerSecond gbytes(double value) { return BytesPerSecond{value * 1e9}; }

/// What NCCL counts for an NVLink of which the datasheet says 25 or 50 GB/s.
double nvlink_ratio(Generation generation) {
  switch (generation) {
  case Generation::volta:
  case Generation::ampere:
    return 20.0 / 25.0;
  case Generation::hopper:
    return 20.6 / 25.0;
  case Generation::blackwell:
    return 40.1 / 50.0;
  }
  return 1.0;
}

/// PCIe lanes carry 8/10.5 of what their datasheet says in NCCL's tables; other links what they do.
BytesPerSecond counted_pcie(BytesPerSecond narrowest) {
  for (const double lanes : {15.75, 31.5, 63.0, 126.0}) {
    if (std::abs(narrowest.value() / (lanes * 1e9) - 1.0) < 0.03) {
      return gbytes(lanes * 24.0 / 31.5);
    }
  }
  return narrowest;
}

std::vector<double> speeds(Generation generation, int nodes) {
  if (nodes > 1) {
    switch (generation) {
    case Generation::volta:
    case Generation::ampere:
      return {48, 30, 28, 24, 20, 18, 15, 12, 10, 9, 7, 6, 5, 4, 3, 2.4, 1.2, 0.24, 0.12};
    case Generation::hopper:
      return {48, 45, 42, 40, 30, 24, 22, 20, 17.5, 15, 12, 6, 3, 2.4, 1.2, 0.24, 0.12};
    case Generation::blackwell:
      return {96, 48, 45.1, 42, 40, 30, 24, 22, 20, 17.5, 15, 12, 6, 3, 2.4, 1.2, 0.24, 0.12};
    }
  }
  switch (generation) {
  case Generation::volta:
  case Generation::ampere:
    return {40, 30, 20, 18, 15, 12, 10, 9, 7, 6, 5, 4, 3};
  case Generation::hopper:
    return {60, 50, 40, 30, 24, 20, 15, 12, 11, 6, 3};
  case Generation::blackwell:
    return {90, 80, 70, 60, 50, 40, 30, 24, 20, 19, 18, 12, 6, 3};
  }
  return {};
}

/// As many channels of one speed as move most bytes; the faster speed where two move as much.
/// @param nic    what NCCL counts for one NIC, which a channel between nodes cannot exceed
/// @param nics   of a node, together
Channels find_rings(Generation generation,
                    int nodes,
                    BytesPerSecond in_node,
                    std::optional<BytesPerSecond> nic,
                    std::optional<BytesPerSecond> nics) {
  constexpr double rounding = 1e-6;
  const auto most = nics ? std::min(in_node, *nics) : in_node;
  Channels best{.count = 0, .in_node = {}, .between_nodes = {}};
  for (const double speed : speeds(generation, nodes)) {
    if (nic && gbytes(speed) > (1.0 + rounding) * *nic) {
      continue;
    }
    const int count = std::min(32, static_cast<int>(std::floor(most / gbytes(speed) + rounding)));
    if (count * speed > best.total_in_node().value() / 1e9 + rounding) {
      best = {.count = count, .in_node = gbytes(speed), .between_nodes = gbytes(speed)};
    }
  }
  if (best.count == 0) {
    return {.count = 1, .in_node = most, .between_nodes = most};
  }
  // Few wide channels are cut in two.
  const bool hopper_or_later = generation >= Generation::hopper;
  const auto speed = best.in_node;
  if (speed >= gbytes(25) && !(hopper_or_later && speed < gbytes(50) && best.count > 4)) {
    best = {.count = 2 * best.count, .in_node = speed / 2.0, .between_nodes = speed / 2.0};
  }
  return best;
}

/// A second pass tries faster speeds inside the nodes with as many channels.
Channels raise_in_node(Channels found, Generation generation, int nodes, BytesPerSecond in_node) {
  for (const double speed : speeds(generation, nodes)) {
    if (gbytes(speed) > found.in_node && found.count * gbytes(speed) <= in_node) {
      found.in_node = gbytes(speed);
      break;
    }
  }
  return found;
}

/// One channel per GPU; its head reads and stores, so that n + 1 times its speed fit its links.
std::optional<Channels> find_nvls(Generation generation,
                                  int nodes,
                                  int per_node,
                                  BytesPerSecond in_node,
                                  std::optional<BytesPerSecond> between_nodes) {
  if (nvls_efficiency(generation) == 0.0 || per_node < 2) {
    return std::nullopt;
  }
  constexpr double rounding = 1e-6;
  const auto list = speeds(generation, 1);
  for (const double speed : list) {
    if ((per_node + 1) * speed <= in_node.value() / 1e9 + rounding) {
      // A second pass of the search raises the speed between nodes to at most twice that inside.
      const double raised = std::min(2.0 * speed, list.front());
      const auto between =
          nodes == 1 ? gbytes(raised)
                     : std::min(gbytes(raised), *between_nodes / static_cast<double>(per_node));
      return Channels{.count = per_node, .in_node = gbytes(speed), .between_nodes = between};
    }
  }
  return std::nullopt;
}

} // namespace

GroupGraph graph_of(const GroupNetwork& group) {
  const int n = group.members();
  GroupGraph graph{.members = n};
  std::set<int> nodes;
  for (int member = 0; member < n; ++member) {
    nodes.insert(group.node(member));
  }
  graph.nodes = static_cast<int>(nodes.size());
  graph.per_node = std::max(1, n / graph.nodes);
  graph.compute_capability = group.compute_capability();
  graph.generation = generation_of(graph.compute_capability);
  graph.amd_cpu = group.amd_cpu();

  const auto& channels = group.channels();
  std::optional<BytesPerSecond> inside;
  std::optional<BytesPerSecond> between;
  bool nvlink_alone = true;
  for (const auto& edge : channels.front()) {
    const auto& path = *edge.path;
    if (path.transport == Transport::network) {
      const auto nic = std::min(path.bandwidth * 0.96, counted_pcie(path.bandwidth));
      between = between ? std::min(*between, nic) : nic;
      const auto step = group.cost(Transport::network).hop + path.latency;
      graph.plugin_latency =
          std::max(graph.plugin_latency,
                   step - hop_latency({}, LinkClass::network, Algorithm::ring, Protocol::ll));
      continue;
    }
    const bool nvlink = path.transport == Transport::nvlink;
    nvlink_alone = nvlink_alone && nvlink;
    const auto counted =
        nvlink ? path.bandwidth * nvlink_ratio(graph.generation) : counted_pcie(path.bandwidth);
    inside = inside ? std::min(*inside, counted) : counted;
  }
  const auto rings = static_cast<double>(channels.size());
  const auto nic = between;
  if (between) {
    between = *between * rings; // a ring for every NIC
  } else if (rings > 1.0) {
    inside = *inside * rings; // a ring for every link
  }
  graph.in_node = inside && nvlink_alone ? LinkClass::nvlink : LinkClass::pcie;
  graph.ll128 = nvlink_alone && inside.has_value() && group.compute_capability() >= 70;
  if (between && !inside) {
    inside = between;
  }
  graph.rings = find_rings(graph.generation, graph.nodes, *inside, nic, between);
  graph.trees = raise_in_node(graph.rings, graph.generation, graph.nodes, *inside);
  bool reduces = graph.in_node == LinkClass::nvlink;
  for (int member = 0; reduces && member < n; ++member) {
    reduces = group.switch_port(member).has_value();
  }
  if (reduces) {
    graph.nvls = find_nvls(graph.generation, graph.nodes, graph.per_node, *inside, between);
  }
  return graph;
}

} // namespace decodesim::nccl
