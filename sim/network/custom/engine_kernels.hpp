#pragma once

#include "sim/json_reader.hpp"
#include "sim/network/path.hpp"

#include <optional>
#include <string>
#include <vector>

/// All-reduce kernels that serving engines bring for the small messages of decoding.
namespace decodesim::custom {

/// t = base + (n-1) per_peer + bytes that a GPU moves per direction / bandwidth.
struct KernelCost {
  Seconds base;
  Seconds per_peer; ///< each waits for a flag of every other
  BytesPerSecond bandwidth;
};

/// An engine's kernels on GPUs of one compute capability over one kind of link.
struct EngineKernels {
  Transport transport = Transport::nvlink;
  int compute_capability = 80;
  BytesPerSecond machine_bandwidth;   ///< `transports` bandwidth of the machine that was measured
  Seconds wires;                      ///< latency of a way there, which is in the bases
  KernelCost one_shot;                ///< a GPU moves (n-1) S
  std::optional<KernelCost> two_shot; ///< 2 (n-1)/n S
  std::optional<KernelCost> multimem; ///< (n+1)/n S: the switch reduces and copies
};

/// Those of an engine as `sim/network/custom/fits/NAME.json` has them, of the transport and the
/// nearest compute capability (the greater of two that are as near); nothing when the engine was
/// not measured over that transport.
/// @throws InputError with the JSON pointer of the first mistake
[[nodiscard]] std::optional<EngineKernels>
engine_kernels(const std::string& name, Transport transport, int compute_capability);

} // namespace decodesim::custom
