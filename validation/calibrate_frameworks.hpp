#pragma once

#include "validation/parameter_file.hpp"

#include <vector>

namespace decodesim {

/// Fits the host costs of every framework that has calibration rows among the cases.
[[nodiscard]] std::vector<ParameterFile> calibrate_frameworks();

} // namespace decodesim
