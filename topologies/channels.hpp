#pragma once

#include "topologies/routes.hpp"

#include <vector>

namespace decodesim {

/// Rings over which a collective of several GPUs is split, so that it uses more than one NIC or
/// more than one link of a GPU. Each is an order of the same GPUs.
///
/// - Over several nodes: as many rings as can leave and enter every node by different NICs of its
///   GPUs; ring c has every node's part (its order in the given ring, or a cycle over direct links
///   where there is one) turned so that another GPU leaves it, and every second one reversed, so
///   that equal GPUs of two nodes are joined (the last and the first of an odd number of nodes are
///   not).
/// - Inside a node whose GPUs are joined by direct links: as many Hamiltonian cycles that share no
///   physical link as there are, in both directions; the search gives up on more than 8 GPUs.
/// - Otherwise the given ring alone.
///
/// Source: what NCCL's channels are for (its search is described in src/graph/search.cc).
/// @param ring  distinct GPU indices as found by find_ring: those of a node one after another
[[nodiscard]] std::vector<std::vector<int>>
find_channels(const Machine& machine, const Routes& routes, const std::vector<int>& ring);

} // namespace decodesim
