#pragma once

#include "sim/result/result.hpp"

#include <string>

namespace decodesim {

/// All about one layout, for people: a line each for speed, memory, traffic, experts and where the
/// GPUs' time goes; why, if it cannot run.
/// @param colour  whether the text is coloured for a terminal
[[nodiscard]] std::string layout_summary_text(const LayoutResult& result, bool colour);

/// The same in Markdown.
[[nodiscard]] std::string layout_summary_markdown(const LayoutResult& result);

} // namespace decodesim
