#pragma once

#include "sim/result/result.hpp"

#include <string>

namespace decodesim {

/// Version of the result file's keys and their meaning.
inline constexpr int result_format_version = 1;

/// A report as JSON, numbers in base units. What is unknown is null. Field by field in
/// docs/formats.md.
/// @param report  as `check(report)` accepts it
[[nodiscard]] std::string json_report(const Report& report);

} // namespace decodesim
