#pragma once

#include "sim/engine/timeline.hpp"
#include "sim/plan/plan.hpp"

#include <cstdint>
#include <filesystem>

namespace decodesim {

/// How much a written timeline holds.
struct TraceContents {
  std::int64_t spans = 0;
  std::int64_t arrows = 0;
  std::int64_t counter_samples = 0;
  std::int64_t left_out_spans = 0;  ///< shorter than half a nanosecond
  std::int64_t left_out_arrows = 0; ///< without a span to start from or to end in

  bool operator==(const TraceContents&) const = default;
};

/// Writes a timeline in Chrome's Trace Event format, for ui.perfetto.dev and speedscope: a process
/// per rank, a thread per stream, arrows from sends to receives, counters of link utilisation and
/// KV cache. docs/formats.md lists names, categories and arguments. Times are in microseconds of
/// simulated time, exact to the nanosecond.
///
/// The file appears whole or not at all; the same timeline gives the same bytes.
///
/// @throws InputError naming the path when it cannot be written
/// @throws SimulationError when the timeline contradicts itself or the plan
TraceContents
write_chrome_trace(const std::filesystem::path& path, const Plan& plan, const Timeline& timeline);

} // namespace decodesim
