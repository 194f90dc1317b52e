#pragma once

#include "sim/result/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace decodesim {

/// Forms of a report. Enumerators are the names used in flags.
enum class OutputFormat { text, markdown, csv, json };

[[nodiscard]] std::vector<std::string> output_format_names();

/// @throws InputError naming `where` when the name is not a known format
[[nodiscard]] OutputFormat output_format_named(std::string_view name, std::string_view where);

/// A report in one form; the same report gives the same bytes. docs/formats.md says what is in it.
///
/// @param colour  whether text is coloured for a terminal; the other forms never are
/// @throws SimulationError when a result contradicts itself: a number that is not finite, shares of
///         time that do not add up to 1
[[nodiscard]] std::string render(const Report& report, OutputFormat format, bool colour = false);

/// Checks what every form relies on.
/// @throws SimulationError as `render`
void check(const Report& report);

} // namespace decodesim
