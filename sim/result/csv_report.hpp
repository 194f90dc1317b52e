#pragma once

#include "sim/result/result.hpp"

#include <string>

namespace decodesim {

/// A report as CSV (RFC 4180, lines end in LF): a header, then one row per layout. Columns are the
/// main fields of the scenario and those of the result; what is unknown is empty.
/// @param report  as `check(report)` accepts it
[[nodiscard]] std::string csv_report(const Report& report);

} // namespace decodesim
