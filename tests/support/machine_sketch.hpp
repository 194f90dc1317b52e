#pragma once

#include "topologies/machine.hpp"

#include <string>
#include <vector>

namespace decodesim::testing {

/// A GPU of round numbers: 1e12 B/s of memory, 1e15 flop/s, kernels of no fixed cost at full
/// arithmetic and `byte_efficiency` of the memory bandwidth, launches that cost nothing.
Gpu round_gpu(double byte_efficiency = 0.5);

/// A machine in a few lines; see two_gpus() for an example.
struct MachineSketch {
  struct Link {
    std::string from;
    std::string to;
    std::string kind; ///< as in machine files
    double gbytes_per_s = 0;
    double latency_us = 0;
  };

  struct Costs {
    double base_us = 0;
    double hop_us = 0;
    double gbytes_per_s = 1e5;
  };

  std::vector<std::pair<std::string, std::string>> vertices; ///< id, kind as in machine files
  std::vector<Link> links;
  Costs costs; ///< of every transport
  Gpu gpu = round_gpu();
  std::string peer_to_peer = "everywhere"; ///< as in machine files
  int nodes = 1;
  std::string fabric = "single-switch"; ///< as in flags
  double network_gbytes_per_s = 0;      ///< of each NIC to the fabric; 0 = no network
  double network_latency_us = 0;

  /// Goes through a machine file in the temporary folder.
  [[nodiscard]] Machine machine() const;
};

/// gpu0 and gpu1 on a direct link.
MachineSketch two_gpus(double gbytes_per_s, double latency_us);

/// `count` GPUs around one NVSwitch; each of the two links of a path has these numbers.
MachineSketch switched_gpus(int count, double gbytes_per_s, double latency_us);

} // namespace decodesim::testing
