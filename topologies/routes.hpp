#pragma once

#include "sim/network/path.hpp"
#include "topologies/machine.hpp"
#include "topologies/node_ways.hpp"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace decodesim {

/// Ways between the GPUs of a machine: for each pair the one that moves a large message soonest.
///
/// Dijkstra with the weight latency + 1 MiB / bandwidth per link; ties go to the lower vertex
/// index. Traffic never passes through a GPU that is not an end; it enters and leaves a network
/// only through NICs, and between GPUs of one node it stays in the node.
///
/// Where peer-to-peer access does not allow any way between two GPUs, or a GPU and a NIC, data is
/// staged: from the one to the host memory nearest to the other (as NCCL places its buffers), and
/// on from there.
///
/// In a cluster a way is GPU, NIC, network switches, NIC, GPU. Each GPU uses one NIC, the one with
/// the least weight to the network; GPUs that are equally near to the same NICs take turns among
/// them, so that two GPUs beside two NICs use both (as NCCL's channels do).
///
/// Nodes are equal, so one node is searched and its ways are shifted: clusters of thousands of GPUs
/// only pay for the pairs that are asked for. Not safe to call from several threads.
class Routes {
public:
  explicit Routes(const Machine& machine); ///< `machine` must outlive this

  /// @param from, to  GPU indices, different
  /// @return valid as long as this
  /// @throws InputError when there is no way
  [[nodiscard]] const Path& between(int from, int to) const;

  /// One way per rail: of GPUs of two nodes by NIC k of both for each NIC k that both reach, in NIC
  /// order (between() alone when there is none); inside a node the one way of between().
  ///
  /// @param from, to  GPU indices, different
  /// @throws InputError when there is no way
  [[nodiscard]] std::vector<Path> rails(int from, int to) const;

  /// What joins two vertices of the first node ("gpu0" to "nic3"), whether or not they have
  /// peer-to-peer access; nothing when they are one or not joined.
  [[nodiscard]] std::optional<Path> wires(int from_vertex, int to_vertex) const;

private:
  using LinkList = std::vector<LinkDirection>;

  [[nodiscard]] int local(int gpu) const { return gpu % machine_.gpus_per_node(); }

  [[nodiscard]] bool same_node(int from, int to) const {
    return from / machine_.gpus_per_node() == to / machine_.gpus_per_node();
  }

  /// From a GPU of the first node by its NIC `nic` to the network; nothing when it does not reach
  /// it.
  [[nodiscard]] const std::optional<LinkList>& to_network(int gpu, int nic) const;
  void choose_nics();
  [[nodiscard]] LinkList in_node(int from, int to) const;
  [[nodiscard]] LinkList across(int from, int to, int from_nic, int to_nic) const;
  void refuse_same(int from, int to) const;
  [[nodiscard]] InputError no_way(int from, int to) const;

  const Machine& machine_;
  mutable NodeWays node_;
  std::vector<int> nics_;            ///< vertices of the first node; empty in a single server
  std::vector<int> nic_of_gpu_;      ///< by GPU of the first node, -1 for none
  std::vector<LinkDirection> spine_; ///< from each network switch to the spine, -1 for none
  mutable std::vector<std::optional<std::optional<LinkList>>> to_network_; ///< [gpu x NICs + nic]
  mutable std::unordered_map<std::int64_t, Path> paths_;                   ///< what was asked for
};

} // namespace decodesim
