#pragma once

#include "sim/units.hpp"

#include <string>

/// Quantities as people write them: in the unit that leaves one to three digits before the point,
/// with up to four significant digits ("2.039 TB/s", "300 GB/s", "7.96 us", "0 s").
///
/// Decimal prefixes throughout: 1 GB is 1e9 bytes.
namespace decodesim {

[[nodiscard]] std::string to_text(Seconds time);
[[nodiscard]] std::string to_text(Bytes bytes);
[[nodiscard]] std::string to_text(BytesPerSecond bandwidth);
[[nodiscard]] std::string to_text(FlopPerSecond rate);
[[nodiscard]] std::string to_text(double ratio);

} // namespace decodesim
