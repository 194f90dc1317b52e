#pragma once

#include "topologies/routes.hpp"

#include <map>
#include <vector>

namespace decodesim {

/// Order in which a ring visits `gpus`: node after node in node order, and within a node the order
/// whose busiest link takes least time per byte (a link that the ring crosses twice in one
/// direction counts twice), then least total latency, then the smallest order.
///
/// The first GPU of a node in the ring is its smallest. Up to 8 GPUs of a node are searched
/// exhaustively, more by nearest neighbour and 2-opt (a good order, not always the best).
/// When the ring spans several nodes, the ways out of a node and into it count as part of its
/// order.
///
/// @param gpus  distinct GPU indices; one or two are returned as they are
[[nodiscard]] std::vector<int>
find_ring(const Machine& machine, const Routes& routes, std::vector<int> gpus);

/// Time per byte of the busiest link direction of a ring: the largest of crossings over bandwidth.
/// In s/B; zero for fewer than two GPUs.
[[nodiscard]] double
ring_seconds_per_byte(const Machine& machine, const Routes& routes, const std::vector<int>& order);

/// How often a ring crosses each link direction between two sockets; absent when never.
[[nodiscard]] std::map<LinkDirection, int>
socket_crossings(const Machine& machine, const Routes& routes, const std::vector<int>& order);

} // namespace decodesim
