#pragma once

#include "validation/parameter_file.hpp"

#include <vector>

namespace decodesim {

/// Fits the kernel parameters of every GPU with operator tables in `validation/data/kernels/`.
[[nodiscard]] std::vector<ParameterFile> calibrate_kernels();

} // namespace decodesim
