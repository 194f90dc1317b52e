#pragma once

#include "validation/comparison_report.hpp"

#include <filesystem>

namespace decodesim {

/// Kernel times of a table beside the kernel model's.
/// @throws InputError when the file is no table of kernels
[[nodiscard]] ComparisonReport validate_operators(const std::filesystem::path& file);

} // namespace decodesim
