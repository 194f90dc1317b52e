#pragma once

#include "sim/result/result.hpp"

#include <string>

namespace decodesim {

/// A result without its layout and timeline as bytes, for the pipe between two processes of one
/// program: every number arrives exactly as it was.
[[nodiscard]] std::string pack(const LayoutResult& result);

/// @param layout  the one whose result was packed
[[nodiscard]] LayoutResult unpack(const std::string& bytes, const Layout& layout);

} // namespace decodesim
