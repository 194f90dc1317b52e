#pragma once

#include "validation/parameter_file.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace decodesim {

/// Fits the kernel parameters of every GPU with operator tables in `validation/data/kernels/`.
[[nodiscard]] std::vector<ParameterFile> calibrate_kernels();

/// Fits the kernel parameters of a GPU to the probes that ran on it, and to nothing else. Classes
/// that the probes tell too little about are as in the GPU's kernel file; a GPU without one takes
/// them from its nearest relative, as assumptions.
///
/// @param files  run files of probes; each counts alike, whatever the number of its rows
/// @param gpu    preset or GPU file; empty: the preset that the device's name stands for
/// @throws InputError when a file is no run of probes, no preset is known for its device, files are
///         of different GPUs, the GPU's file has kernels of its own, or no class has enough rows
[[nodiscard]] ParameterFile
calibrate_kernels_to_probes(const std::vector<std::filesystem::path>& files,
                            const std::string& gpu = {});

} // namespace decodesim
