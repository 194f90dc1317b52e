#pragma once

#include "sim/units.hpp"

#include <string>

/// NCCL's own model of what its collectives cost, and what it chooses by it.
///
/// Source of everything here: NCCL 2.28.9, src/graph/tuning.cc, src/graph/topo.h, src/enqueue.cc;
/// differences of other versions where named.
namespace decodesim::nccl {

enum class Algorithm { ring, tree, nvls, nvls_tree };

/// How a kernel hands data on: LL sends a flag with every 4 bytes, LL128 with every 120; Simple
/// sends data alone and then says so.
enum class Protocol { ll, ll128, simple };

/// Of a GPU: rows of NCCL's tables of bandwidth.
enum class Generation { volta, ampere, hopper, blackwell };

/// Rows of NCCL's table of latencies.
enum class LinkClass { nvlink, pcie, network };

/// NCCL 2.`minor`.
struct Version {
  int minor = 29;
};

[[nodiscard]] std::string to_string(Algorithm algorithm);
[[nodiscard]] std::string to_string(Protocol protocol);
[[nodiscard]] std::string to_string(Generation generation);

/// @param compute_capability  90 for 9.0
[[nodiscard]] Generation generation_of(int compute_capability);

/// Bytes on the wire for a byte of data: LL 2, LL128 128/120, Simple 1.
[[nodiscard]] double wire_ratio(Protocol protocol);

/// Once per collective (baseLat).
[[nodiscard]] Seconds base_latency(Version version, Algorithm algorithm, Protocol protocol);

/// Each step over a link (hwLat).
[[nodiscard]] Seconds
hop_latency(Version version, LinkClass link, Algorithm algorithm, Protocol protocol);

/// Least cost of a step inside a node when the collective spans several (netOverhead).
[[nodiscard]] Seconds network_overhead(Protocol protocol, bool amd_cpu);

/// Most that LL moves over all channels together (llMaxBw).
[[nodiscard]] BytesPerSecond ll_limit(Generation generation, int nodes, bool amd_cpu);

/// Most that one channel moves.
[[nodiscard]] BytesPerSecond ring_ll128_limit(Generation generation, int nodes);
[[nodiscard]] BytesPerSecond tree_ll128_limit(Generation generation, int nodes);
[[nodiscard]] BytesPerSecond tree_limit(Generation generation, int nodes);
[[nodiscard]] BytesPerSecond nvls_tree_limit(Generation generation, int nodes);

/// Share of a link's bandwidth that NVLS reaches; 0 where there is none.
[[nodiscard]] double nvls_efficiency(Generation generation);

/// Factor on the bandwidth of a tree all-reduce of that size (treeCorrectionFactor).
[[nodiscard]] double tree_correction(Protocol protocol, Bytes bytes);

/// The same without its steps, straight in the logarithm of the size, so that more bytes never take
/// less time.
[[nodiscard]] double smooth_tree_correction(Protocol protocol, Bytes bytes);

} // namespace decodesim::nccl
