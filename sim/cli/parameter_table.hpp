#pragma once

#include <string>

namespace decodesim {

/// Memory of the weights of a model of which only the number of parameters is known: bytes per GPU
/// by type and by number of GPUs. Every parameter in that type, divided evenly; without a shape
/// there is no cache, no activation and no time.
///
/// @param format  text, csv or json
[[nodiscard]] std::string parameter_table(double parameters, const std::string& format);

/// A count of parameters written as a number ("1.8e12", "70000000000").
/// @throws InputError naming `where` unless it is a whole number from 1 to 1e17
[[nodiscard]] double parse_parameters(const std::string& text, const std::string& where);

} // namespace decodesim
