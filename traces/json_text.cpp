#include "traces/json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace decodesim {

namespace {

/// Length of the UTF-8 sequence at the start of `text`; 0 when there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                             : lead >= 0xE0 && lead <= 0xEF ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                            : 0;
  if (length == 0 || text.size() < length) {
    return 0;
  }
  // The second byte is narrower after these leads: overlong forms, surrogates, beyond U+10FFFF.
  const unsigned least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < least || byte(1) > most) {
    return 0;
  }
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) {
      return 0;
    }
  }
  return length;
}

template <class Number> void append_chars(std::string& out, Number value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view hexadecimal = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const char c = text[0];
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (const auto code = static_cast<unsigned char>(c); code < 0x20 || code == 0x7F) {
      out += "\\u00";
      out += hexadecimal[code >> 4U];
      out += hexadecimal[code & 15U];
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void append_json_number(std::string& out, double value) {
  constexpr double exact_integers = 9007199254740992.0; // 2^53
  if (std::abs(value) < exact_integers && std::trunc(value) == value) {
    append_chars(out, static_cast<std::int64_t>(value));
  } else {
    append_chars(out, value);
  }
}

void append_json_number(std::string& out, std::int64_t value) { append_chars(out, value); }

void append_microseconds(std::string& out, std::int64_t nanoseconds) {
  append_chars(out, nanoseconds / 1000);
  std::int64_t rest = nanoseconds % 1000;
  if (rest == 0) {
    return;
  }
  out += '.';
  for (std::int64_t unit = 100; rest != 0; unit /= 10) {
    out += static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
}

} // namespace decodesim
