#pragma once

#include "validation/comparison_report.hpp"

#include <filesystem>

namespace decodesim {

/// The cases that come with the program.
[[nodiscard]] std::filesystem::path default_case_file();

/// Every case of a case file beside its simulation (docs/formats.md).
/// @throws InputError when the file is no case file
[[nodiscard]] ComparisonReport validate_cases(const std::filesystem::path& file);

} // namespace decodesim
