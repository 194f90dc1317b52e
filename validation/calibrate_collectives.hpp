#pragma once

#include "validation/parameter_file.hpp"

#include <vector>

namespace decodesim {

/// Fits the collective parameters of every kind of system measured in
/// `validation/data/collectives-fit/`.
[[nodiscard]] std::vector<ParameterFile> calibrate_collectives();

} // namespace decodesim
