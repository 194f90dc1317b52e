#pragma once

#include "validation/parameter_file.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace decodesim {

/// Parameter files from what decodesim-probe measured on one machine, as far as its runs have the
/// probes for them:
/// - kernels of the GPU (calibrate_kernels_to_probes);
/// - what a launch costs the host: `eager_launch` of framework decodesim-measure, the median of
///   probe "launch";
/// - network loopback, from collectives among ranks that shared a GPU under MPS: hop and bandwidth
///   are fitted, as what NCCL's cost model chooses for them takes.
///
/// @param gpu_name  GPU preset or file; empty = by the device's name
/// @throws InputError when the files have no such probe, or are of several GPUs
[[nodiscard]] std::vector<ParameterFile>
calibrate_probes(const std::vector<std::filesystem::path>& files, const std::string& gpu_name);

} // namespace decodesim
