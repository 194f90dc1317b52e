#pragma once

#include "sim/json_reader.hpp"
#include "sim/sourced.hpp"

#include <string>

/// Hardware numbers of machine and GPU files:
/// `{"value": 4.8, "unit": "TB/s", "kind": "datasheet", "source": "..."}`.
///
/// All four fields are required, the source is not empty, and other keys are refused. `kind` is
/// datasheet, measured, published, assumed or fitted; for `assumed` the source is the reason, for
/// `fitted` it names the data that the value was fitted to.
///
/// Units: s, ms, us, ns; B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024);
/// each of those with "/s", and Mbit/s, Gbit/s; GFLOP/s, TFLOP/s, PFLOP/s; ratio; count.
///
/// All functions throw InputError with file and JSON pointer, what was found and what is allowed.
namespace decodesim {

/// From 0 to 10 s: latencies and fixed costs may be zero.
[[nodiscard]] Sourced<Seconds> read_seconds(const JsonReader& json);

/// From 1 B to 1 PB.
[[nodiscard]] Sourced<Bytes> read_bytes(const JsonReader& json);

/// From 1 kB/s to 1 PB/s: below that, times overflow rather than tell anything.
[[nodiscard]] Sourced<BytesPerSecond> read_bytes_per_second(const JsonReader& json);

/// From 1 MFLOP/s to 10,000 PFLOP/s.
[[nodiscard]] Sourced<FlopPerSecond> read_flop_per_second(const JsonReader& json);

/// From 0.0001 to 1 (unit "ratio").
[[nodiscard]] Sourced<double> read_ratio(const JsonReader& json);

/// A ratio that may be above 1: what multiplies another number.
[[nodiscard]] Sourced<double> read_factor(const JsonReader& json);

/// From 0 to a million (unit "count").
[[nodiscard]] Sourced<double> read_count(const JsonReader& json);

/// "datasheet", "measured", "published", "fitted" or "assumed".
[[nodiscard]] std::string to_string(SourceKind kind);

} // namespace decodesim
