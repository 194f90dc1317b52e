#pragma once

#include "sim/network/path.hpp"
#include "topologies/machine.hpp"

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
/// In a cluster a way is GPU, NIC, fabric, NIC, GPU. Each GPU uses one NIC, the one with the least
/// weight to the fabric; GPUs that are equally near to the same NICs take turns among them, so that
/// two GPUs beside two NICs use both (as NCCL's channels do).
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

private:
  using LinkList = std::vector<LinkDirection>;

  [[nodiscard]] LinkList links_between(int from, int to) const;

  const Machine& machine_;
  /// Of node 0's GPU to [GPU of the same node]; empty until asked for.
  mutable std::vector<std::vector<std::optional<LinkList>>> in_node_;
  std::vector<std::optional<LinkList>> to_fabric_; ///< of node 0's GPUs; empty in a single server
  mutable std::unordered_map<std::int64_t, Path> paths_; ///< what was asked for
};

/// Way from any vertex to any other of the same node, by the rules of Routes ("gpu0" to "nic3").
/// Nothing when there is none.
[[nodiscard]] std::optional<Path> find_path(const Machine& machine, int from_vertex, int to_vertex);

} // namespace decodesim
