#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// JSON written piece by piece, for files too large for a document in memory.
namespace decodesim {

/// Appends `text` as a JSON string with its quotes. Control characters are escaped; bytes that are
/// not UTF-8 become U+FFFD, since readers refuse a whole file for one of them.
void append_json_string(std::string& out, std::string_view text);

/// Appends the shortest decimal that reads back as `value`; a whole number without exponent below
/// 2^53.
/// @param value  finite: JSON has no word for the others
void append_json_number(std::string& out, double value);
void append_json_number(std::string& out, std::int64_t value);

/// Appends a number of nanoseconds as microseconds, exactly: 1234500 is 1234.5.
void append_microseconds(std::string& out, std::int64_t nanoseconds);

} // namespace decodesim
