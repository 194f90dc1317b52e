#pragma once

#include "sim/units.hpp"

#include <string>

namespace decodesim {

/// How a hardware number is known.
enum class SourceKind {
  datasheet,
  measured,  ///< on the hardware itself
  published, ///< somebody's measurement
  fitted,    ///< by `decodesim calibrate`, to tables that the source names
  assumed
};

/// A hardware number together with where it comes from. In files it is the object
/// `{"value": 4.8, "unit": "TB/s", "kind": "datasheet", "source": "..."}`.
template <class T> struct Sourced {
  T value{};
  SourceKind kind = SourceKind::assumed;
  std::string source; ///< document; for `assumed` the reason, for `fitted` the data
};

} // namespace decodesim
