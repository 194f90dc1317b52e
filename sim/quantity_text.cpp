#include "sim/quantity_text.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <span>

namespace decodesim {

namespace {

struct Unit {
  double size;
  const char* name;
};

std::string number_text(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

/// @param units  from the largest to the smallest; the first that the value reaches is used
std::string in_best_unit(double value, std::span<const Unit> units, const char* base) {
  if (value == 0.0) {
    return std::string{"0 "} + base;
  }
  for (const auto& unit : units) {
    // Four digits would print 999.96 as 1000: that is the next unit's 1.
    if (std::abs(value) >= 0.99995 * unit.size) {
      return number_text(value / unit.size) + " " + unit.name;
    }
  }
  return number_text(value / units.back().size) + " " + units.back().name;
}

} // namespace

std::string to_text(Seconds time) {
  static constexpr std::array<Unit, 4> units{
      {{1.0, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}}};
  return in_best_unit(time.value(), units, "s");
}

std::string to_text(Bytes bytes) {
  static constexpr std::array<Unit, 5> units{
      {{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1.0, "B"}}};
  return in_best_unit(bytes.value(), units, "B");
}

std::string to_text(BytesPerSecond bandwidth) {
  static constexpr std::array<Unit, 5> units{
      {{1e12, "TB/s"}, {1e9, "GB/s"}, {1e6, "MB/s"}, {1e3, "kB/s"}, {1.0, "B/s"}}};
  return in_best_unit(bandwidth.value(), units, "B/s");
}

std::string to_text(FlopPerSecond rate) {
  static constexpr std::array<Unit, 4> units{
      {{1e15, "PFLOP/s"}, {1e12, "TFLOP/s"}, {1e9, "GFLOP/s"}, {1.0, "FLOP/s"}}};
  return in_best_unit(rate.value(), units, "FLOP/s");
}

std::string to_text(double ratio) { return number_text(ratio); }

} // namespace decodesim
