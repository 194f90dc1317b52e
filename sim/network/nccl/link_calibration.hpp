#pragma once

#include "sim/json_reader.hpp"
#include "sim/network/nccl/constants.hpp"
#include "sim/network/path.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace decodesim::nccl {

/// What one algorithm with one protocol costs on one kind of link.
///
/// Around a ring of n members in s steps, b bytes in all:
///   t = base + s hop + min(1, b / fill_bytes) (fill + (n-1) fill_per_peer)
///       + b/n (s / bandwidth + 1 / copy); of a ring with LL n fill_bytes count
/// - base: start and end of the kernel, once;
/// - hop: a step of a small message, wires included;
/// - fill: until the channels' buffers are full, the first chunk grows with the message. NCCL gives
///   a channel at least 4,096 bytes of a rank's part before it opens another (LL: 512 threads of 8
///   bytes, src/enqueue.cc), so that LL is full from there on;
/// - bandwidth: what a GPU moves per direction; copy: the local copies at both ends of the ring.
/// NVLS: t = base + min(1, b / fill_bytes) fill + (n+1)/n b / bandwidth, at each port.
struct KernelCost {
  Seconds base;
  Seconds hop;
  Seconds fill;
  Seconds fill_per_peer;
  Bytes fill_bytes;
  BytesPerSecond bandwidth;
  BytesPerSecond copy;

  /// What a message that is moved in so many parts pays, all of the fill from parts x fill_bytes
  /// on.
  [[nodiscard]] Seconds fill_time(Bytes bytes, int parts, int members) const;
  /// Bandwidth with the local copies counted in.
  [[nodiscard]] BytesPerSecond effective_bandwidth(int steps) const;
};

/// Fitted costs of NCCL's kernels on GPUs of one compute capability over one kind of link, as a
/// file of `sim/network/nccl/fits/` has them.
struct LinkCalibration {
  std::string name;
  std::string summary;
  Transport transport = Transport::nvlink;
  int compute_capability = 80; ///< of the GPUs that were measured, 89 for 8.9
  /// `transports` bandwidth of the machine that was measured; others scale by theirs.
  BytesPerSecond machine_bandwidth;
  Seconds wires; ///< latency of the links in `hop`
  std::map<std::pair<Algorithm, Protocol>, KernelCost> kernels;
};

/// "nvlink", "pcie", "host_memory" or "network".
[[nodiscard]] Transport read_transport(const JsonReader& json);

/// "8.9" is 89.
[[nodiscard]] int read_compute_capability(const JsonReader& json);

/// @throws InputError with the JSON pointer of the first mistake
[[nodiscard]] LinkCalibration read_link_calibration(const JsonReader& file);

/// Of the transport and the nearest compute capability, the greater of two that are as near.
/// @throws InputError when there is no file for the transport, or as read_link_calibration
[[nodiscard]] const LinkCalibration& link_calibration(Transport transport, int compute_capability);

/// Of the nearest compute capability, over whatever links: starting a kernel is the GPU's work.
[[nodiscard]] const LinkCalibration& start_calibration(int compute_capability);

/// "collectives over nvlink = as nvlink-sm90 (H100 and H200 behind NVSwitch)", for each transport
/// whose costs were fitted on other GPUs; between nodes, that NCCL's constants hold.
[[nodiscard]] std::vector<std::string>
assumed_calibrations(const std::vector<Transport>& transports, int compute_capability);

/// All of them, in alphabetical order.
[[nodiscard]] const std::vector<LinkCalibration>& link_calibrations();

} // namespace decodesim::nccl
