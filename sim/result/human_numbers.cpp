#include "sim/result/human_numbers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace decodesim {

namespace {

struct Unit {
  double factor;
  const char* name;
};

/// The largest unit of which there is at least one after rounding; the last if there is none.
/// @param units  from large to small
template <std::size_t N> std::string with_unit(double value, const std::array<Unit, N>& units) {
  constexpr double almost_one = 0.9995; // shows as 1.00
  for (const Unit& unit : units) {
    if (std::abs(value) >= almost_one * unit.factor) {
      return rounded(value / unit.factor) + " " + unit.name;
    }
  }
  return rounded(value / units.back().factor) + " " + units.back().name;
}

} // namespace

std::string fixed(double value, int decimals) {
  std::array<char, 512> digits{}; // the longest double has 309 digits before the point
  const auto end =
      std::to_chars(
          digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, decimals)
          .ptr;
  return {digits.data(), end};
}

std::string rounded(double value) {
  if (value == 0.0 || !std::isfinite(value)) {
    return fixed(value, 0);
  }
  // 9.996 has three significant digits as 10.0, not as 10.00.
  int decimals = 2 - static_cast<int>(std::floor(std::log10(std::abs(value))));
  const double unit = std::pow(10.0, -decimals);
  if (std::round(std::abs(value) / unit) >= 1000.0) {
    --decimals;
  }
  return fixed(value, std::clamp(decimals, 0, 12));
}

int decimals_for(const std::vector<double>& values) {
  double smallest = 0.0;
  for (const double value : values) {
    if (value > 0.0 && (smallest == 0.0 || value < smallest)) {
      smallest = value;
    }
  }
  if (smallest == 0.0) {
    return 0;
  }
  return std::clamp(2 - static_cast<int>(std::floor(std::log10(smallest))), 0, 2);
}

std::string duration_text(Seconds time) {
  constexpr std::array<Unit, 4> units{{{1.0, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}}};
  return with_unit(time.value(), units);
}

std::string traffic_text(Bytes bytes) {
  constexpr std::array<Unit, 5> units{
      {{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1.0, "B"}}};
  return with_unit(bytes.value(), units);
}

double gib(Bytes bytes) {
  constexpr double bytes_per_gib = 1073741824.0;
  return bytes.value() / bytes_per_gib;
}

} // namespace decodesim
