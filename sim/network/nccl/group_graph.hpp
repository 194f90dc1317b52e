#pragma once

#include "sim/network/collective_algorithm.hpp"
#include "sim/network/nccl/constants.hpp"

#include <optional>

namespace decodesim::nccl {

/// Channels that NCCL's search finds, before it doubles them, and what it counts for each.
struct Channels {
  int count = 1;
  BytesPerSecond in_node;       ///< of one channel
  BytesPerSecond between_nodes; ///< of one channel

  [[nodiscard]] BytesPerSecond total_in_node() const {
    return static_cast<double>(count) * in_node;
  }
};

/// A group as NCCL's topology search describes it to its cost model.
struct GroupGraph {
  int members = 2;
  int nodes = 1;
  int per_node = 2; ///< GPUs of the group in a node
  int compute_capability = 80;
  Generation generation = Generation::ampere;
  LinkClass in_node = LinkClass::nvlink;
  bool ll128 = true; ///< in-node links store 128 bytes at once: NVLink throughout
  bool amd_cpu = false;
  Seconds plugin_latency; ///< what the network adds to InfiniBand's step
  Channels rings;
  Channels trees; ///< as many, with the speed inside raised where the network is slower
  std::optional<Channels> nvls; ///< where all GPUs of a node are behind a switch that reduces
};

/// Speeds that NCCL counts are those of src/graph/topo.h: 20 GB/s an NVLink of Volta and Ampere,
/// 20.6 of Hopper, 40.1 of Blackwell; 12, 24, 48 GB/s a PCIe x16 of generation 3, 4, 5; 12 GB/s per
/// 100 Gbit/s of a NIC. The search takes the first speed of a list with which most bytes move.
[[nodiscard]] GroupGraph graph_of(const GroupNetwork& group);

} // namespace decodesim::nccl
