#pragma once

#include "sim/units.hpp"

#include <string>
#include <vector>

/// Numbers for people: few digits, a unit that fits. Files have the exact ones.
namespace decodesim {

/// A decimal number with a fixed number of digits after the point: 12.30.
[[nodiscard]] std::string fixed(double value, int decimals);

/// Three significant digits, whole numbers in full: 0.0123, 4.50, 162, 1079.
[[nodiscard]] std::string rounded(double value);

/// Digits after the point, at most 2, with which the smallest positive value of a column still
/// shows three significant digits.
[[nodiscard]] int decimals_for(const std::vector<double>& values);

/// "6.18 ms", "1.27 s", "350 ns"
[[nodiscard]] std::string duration_text(Seconds time);

/// Powers of 1000, as for traffic: "2.62 MB", "141 GB", "512 B".
[[nodiscard]] std::string traffic_text(Bytes bytes);

/// GiB, as for device memory: 16.4 for 17.6e9 bytes.
[[nodiscard]] double gib(Bytes bytes);

} // namespace decodesim
