#pragma once

#include "sim/network/collective_algorithm.hpp"

namespace decodesim::nccl {

/// All-reduce over several nodes in which the switch of each reduces and copies (NVLSTree).
///
/// N nodes of L members: a GPU owns 1/L of the array. Its port carries (L+1)/L S up and down, as
/// NVLS in one node; between nodes each GPU's part goes up and down two binary trees, on average
/// 2 (N-1)/N S/L over every hop of the nodes' ring. Both run at once, after
/// base + 2 floor(log2 N) network hops.
/// @throws LayoutError when nodes have unequal parts of the group, or no switch that reduces
[[nodiscard]] Transfer nvls_tree_transfer(const CollectiveTask& task, const GroupNetwork& group);

} // namespace decodesim::nccl
