#pragma once

#include "sim/network/collective_kind.hpp"
#include "sim/network/nccl/group_graph.hpp"

#include <vector>

namespace decodesim::nccl {

/// One way in which NCCL could run a collective, and what its cost model says of it.
struct Candidate {
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
  Seconds latency;
  BytesPerSecond bus_bandwidth; ///< before the share of it that the algorithm makes of it
  Seconds time;                 ///< latency + bytes / algorithm bandwidth
};

/// All that are allowed, in the order of NCCL's tables.
///
/// - bus bandwidth: channels x speed, at most what protocol and algorithm move (constants.hpp);
/// - algorithm bandwidth: ring n / steps of it, tree half, NVLS n / steps (5/6 before 2.28);
/// - latency: base + steps x hop; tree 2 ((n/N - 1) hops inside + log2 N between N nodes).
/// Source: NCCL 2.28.9, src/graph/tuning.cc; before 2.28 the rules for NVLS of 2.21 to 2.27.
/// Limits: no CollNet (SHARP), no PAT; data types that NVLS sums (16-bit floats).
[[nodiscard]] std::vector<Candidate>
candidates(const GroupGraph& graph, Version version, CollectiveKind kind, Bytes bytes);

/// The first of the fastest.
[[nodiscard]] Candidate
choose(const GroupGraph& graph, Version version, CollectiveKind kind, Bytes bytes);

/// Steps that a piece of data makes around a ring: all-reduce 2 (n-1), all-gather and
/// reduce-scatter n-1, broadcast n-1.
[[nodiscard]] int ring_steps(CollectiveKind kind, int members);

} // namespace decodesim::nccl
