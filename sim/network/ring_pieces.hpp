#pragma once

#include "sim/network/collective_algorithm.hpp"

#include <vector>

namespace decodesim {

/// Rings or chains that work at once, each over its own edges on the same number of bytes.
struct RingWork {
  CollectiveKind kind = CollectiveKind::all_reduce;
  Bytes bytes; ///< of each ring: what it reduces, gathers (all parts), scatters or broadcasts
  std::vector<std::vector<RingEdge>> rings; ///< equally long; a broadcast leaves the last edge out
  bool starts = true;                       ///< pays the transports' base cost
  std::vector<int> after = {};              ///< earlier pieces of the transfer
};

/// Appends rings to a transfer.
///
/// With n edges a ring, S bytes, hop = software hop + latency of the path of an edge:
/// - all-reduce: 2 (n-1)/n S over every edge; all-gather, reduce-scatter: (n-1)/n S; broadcast: S
///   along the n-1 edges from the root.
/// - latency: base + the hops that the slowest piece of data makes in a row: 2 (n-1) edges for
///   all-reduce (twice around less the two adjacent edges that are cheapest to skip), n-1 for the
///   others; of several rings the slowest.
/// - cap: a GPU that several rings leave over one transport shares that transport's limit.
/// `flow` makes one coupled flow of it. `step` sends every rank's 1/n of the data (a broadcast:
/// chunks of 512 KiB) as a message that waits for the one it forwards.
///
/// Source: bytes as in nccl-tests doc/PERFORMANCE.md; latency as in NCCL's cost model
/// (src/graph/tuning.cc: base + steps x hop); 512 KiB is a slot of NCCL's Simple protocol.
/// @return the pieces after which the rings are through
std::vector<int>
add_rings(Transfer& transfer, const RingWork& work, Fidelity fidelity, const GroupNetwork& group);

/// A collective in equal parts over all channels of the group.
[[nodiscard]] Transfer ring_transfer(const CollectiveTask& task, const GroupNetwork& group);

/// Chunks in which `step` passes data along chains and trees: an eighth of the data, within these.
inline constexpr Bytes chunk_bytes{512.0 * 1024.0};
inline constexpr Bytes least_chunk_bytes{16.0 * 1024.0};

/// Chunks that `bytes` are cut into, at least 1.
[[nodiscard]] int chunk_count(Bytes bytes);

} // namespace decodesim
