#pragma once

#include "validation/parameter_file.hpp"

#include <vector>

namespace decodesim {

/// Fits the exchanges of experts: NCCL's all-to-all (`aic_nccl.csv`, rows of 16-bit elements) and
/// DeepEP's low-latency kernels (`aic_deepep_ll.csv`, at least 4 experts per token, uniform): files
/// `exchange-NAME.json` of `sim/network/custom/fits/`. DeepEP's normal kernels were measured at one
/// size each: their file is written by hand.
[[nodiscard]] std::vector<ParameterFile> calibrate_exchanges();

} // namespace decodesim
