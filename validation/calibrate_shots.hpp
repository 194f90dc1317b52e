#pragma once

#include "validation/parameter_file.hpp"

#include <vector>

namespace decodesim {

/// Fits the all-reduce kernels of serving engines, measured in CUDA graphs
/// (`validation/data/collectives-fit/aic_custom_allreduce.csv`): files of
/// `sim/network/custom/fits/`. Each kernel is fitted to the sizes for which its engine uses it.
[[nodiscard]] std::vector<ParameterFile> calibrate_shots();

} // namespace decodesim
