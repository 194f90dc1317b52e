#pragma once

#include "sim/result/result.hpp"

#include <string>

namespace decodesim {

/// A report for people. One layout is a summary; several are compared in two tables of a row a
/// layout: speed and memory, then traffic and where the GPUs' time goes.
/// @param report  as `check(report)` accepts it
/// @param colour  whether the text is coloured for a terminal
[[nodiscard]] std::string text_report(const Report& report, bool colour);

/// The same in Markdown.
[[nodiscard]] std::string markdown_report(const Report& report);

} // namespace decodesim
