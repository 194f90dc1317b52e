#pragma once

#include "topologies/routes.hpp"

#include <vector>

namespace decodesim {

/// Order in which a ring visits `gpus`: inside a node first, then node after node; within a node the
/// order whose slowest link takes least time per byte (a link that the ring crosses twice in one
/// direction counts twice), then least total latency, then the smallest order.
///
/// Up to 8 GPUs of a node are searched exhaustively, more by nearest neighbour and 2-opt.
///
/// @param gpus  distinct GPU indices; one or two are returned as they are
[[nodiscard]] std::vector<int>
find_ring(const Machine& machine, const Routes& routes, std::vector<int> gpus);

} // namespace decodesim
