#include "sim/network/nccl/protocol_network.hpp"

#include <algorithm>

namespace decodesim::nccl {

namespace {

/// Starting a kernel is the GPU's work: where the link was measured with other GPUs, a small
/// message starts as on links over which these, or the nearest, were.
Seconds base_of(const LinkCalibration& link,
                int compute_capability,
                const std::pair<Algorithm, Protocol>& kernel) {
  const auto& nearest = start_calibration(compute_capability);
  const bool same = link.compute_capability == nearest.compute_capability;
  return (same || kernel.second != Protocol::ll ? link : nearest).kernels.at(kernel).base;
}

/// Bandwidth of a tree over that of a ring of the same protocol in NCCL's constants, without what
/// limits single channels.
double tree_share(Protocol protocol, int nodes) {
  switch (protocol) {
  case Protocol::ll:
    return 0.92 / 3.8 / 0.5;
  case Protocol::ll128:
    return nodes == 1 ? 7.0 / 9.0 : 120.0 / 128.0;
  case Protocol::simple:
    return 0.92;
  }
  return 1.0;
}

} // namespace

ProtocolNetwork::ProtocolNetwork(const GroupNetwork& group,
                                 const GroupGraph& graph,
                                 Version version,
                                 const Candidate& chosen,
                                 const CollectiveTask& task)
    : ForwardedNetwork{group}, graph_{graph}, version_{version}, chosen_{chosen}, task_{task} {
  for (const auto& edge : group.channels().front()) {
    base_ = std::max(base_, cost(edge.path->transport).base);
  }
  for (auto& [transport, cost] : costs_) {
    cost.base = base_;
  }
}

const TransportCost& ProtocolNetwork::cost(Transport transport) const {
  const auto known = costs_.find(transport);
  if (known != costs_.end()) {
    return known->second;
  }
  auto cost = transport == Transport::network ? network_cost() : in_node_cost(transport);
  cost.base = std::max(cost.base, base_);
  return costs_.emplace(transport, cost).first->second;
}

KernelCost ProtocolNetwork::kernel(const LinkCalibration& link, double scale) const {
  const auto scaled = [&](KernelCost cost, double factor) {
    cost.bandwidth = factor * cost.bandwidth;
    cost.copy = factor * cost.copy;
    return cost;
  };
  const std::pair wanted{chosen_.algorithm, chosen_.protocol};
  if (const auto found = link.kernels.find(wanted); found != link.kernels.end()) {
    auto cost = scaled(found->second, scale);
    cost.base = base_of(link, graph_.compute_capability, wanted);
    return cost;
  }
  const std::pair nvls{Algorithm::nvls, Protocol::simple};
  if (chosen_.algorithm == Algorithm::nvls_tree && link.kernels.contains(nvls)) {
    auto one_node = graph_;
    one_node.nodes = 1;
    one_node.members = graph_.per_node;
    one_node.nvls->between_nodes = 2.0 * one_node.nvls->in_node;
    const auto all = candidates(one_node, version_, task_.kind, task_.total_bytes);
    const auto inside = std::find_if(
        all.begin(), all.end(), [](const auto& one) { return one.algorithm == Algorithm::nvls; });
    const auto algorithm_bandwidth = [&](const Candidate& one) {
      return task_.total_bytes / (one.time - one.latency);
    };
    return scaled(link.kernels.at(nvls),
                  scale * (algorithm_bandwidth(chosen_) / algorithm_bandwidth(*inside)));
  }
  const auto protocol = link.kernels.contains({Algorithm::ring, chosen_.protocol})
                            ? chosen_.protocol
                            : Protocol::simple;
  const std::pair ring{Algorithm::ring, protocol};
  auto cost = scaled(link.kernels.at(ring), scale);
  cost.base = base_of(link, graph_.compute_capability, ring);
  const auto in_constants = [&](Algorithm algorithm, Protocol one) {
    return hop_latency(version_, graph_.in_node, algorithm, one);
  };
  cost.base += base_latency(version_, chosen_.algorithm, chosen_.protocol) -
               base_latency(version_, Algorithm::ring, protocol);
  cost.base = std::max(cost.base, Seconds{});
  cost.hop = cost.hop * (in_constants(chosen_.algorithm, chosen_.protocol) /
                         in_constants(Algorithm::ring, protocol));
  return scaled(cost, tree_share(protocol, graph_.nodes));
}

TransportCost ProtocolNetwork::in_node_cost(Transport transport) const {
  const auto& link = link_calibration(transport, graph_.compute_capability);
  const auto cost = kernel(link, group().cost(transport).bandwidth / link.machine_bandwidth);
  auto hop = cost.hop - link.wires;
  if (graph_.nodes > 1 && chosen_.algorithm == Algorithm::ring) {
    hop = std::max(hop, network_overhead(chosen_.protocol, graph_.amd_cpu) - link.wires);
  }
  const bool ring = chosen_.algorithm == Algorithm::ring;
  // LL opens channels by the bytes of each part of a ring.
  const int parts = ring && chosen_.protocol == Protocol::ll ? graph_.members : 1;
  return {.base = cost.base + cost.fill_time(task_.total_bytes, parts, graph_.members),
          .hop = std::max(hop, Seconds{}),
          .bandwidth = ring ? cost.effective_bandwidth(ring_steps(task_.kind, graph_.members))
                            : efficiency() * cost.bandwidth};
}

double ProtocolNetwork::efficiency() const {
  return chosen_.algorithm == Algorithm::tree
             ? smooth_tree_correction(chosen_.protocol, task_.total_bytes)
             : 1.0;
}

TransportCost ProtocolNetwork::network_cost() const {
  auto cost = group().cost(Transport::network);
  const auto algorithm = graph_.per_node == 1 ? Algorithm::tree : chosen_.algorithm;
  cost.base = kernel(start_calibration(graph_.compute_capability), 1.0).base;
  cost.hop += hop_latency(version_, LinkClass::network, algorithm, chosen_.protocol) -
              hop_latency(version_, LinkClass::network, Algorithm::ring, Protocol::ll) +
              graph_.plugin_latency * (chosen_.protocol == Protocol::simple ? 1.0 : 0.0);
  cost.hop = std::max(cost.hop, Seconds{});
  if (chosen_.protocol == Protocol::ll) {
    const auto rings = static_cast<double>(group().channels().size());
    cost.bandwidth = std::min(cost.bandwidth / wire_ratio(Protocol::ll),
                              ll_limit(graph_.generation, graph_.nodes, graph_.amd_cpu) / rings);
  } else {
    cost.bandwidth = cost.bandwidth / wire_ratio(chosen_.protocol);
  }
  cost.bandwidth = efficiency() * cost.bandwidth;
  return cost;
}

} // namespace decodesim::nccl
