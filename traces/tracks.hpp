#pragma once

#include "sim/engine/timeline.hpp"
#include "sim/plan/plan.hpp"

#include <cstdint>
#include <vector>

namespace decodesim {

/// A span on the grid of whole nanoseconds that timeline viewers keep.
struct TrackSpan {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0; ///< later than start_ns
  const Span* span = nullptr;
  const Operation* operation = nullptr; ///< what the span plays or waits to play
};

/// The spans of one stream of one rank, in order, none overlapping.
struct Track {
  int rank = 0;
  StreamId stream = 0;
  std::vector<TrackSpan> spans;
};

/// A timeline sorted into tracks: one for each stream of each rank, rank after rank, those without
/// spans included.
///
/// Both ends of a span are rounded to nanoseconds and its length follows from them, so that spans
/// that touch in the simulation touch here. A span that rounds to nothing is left out: viewers
/// either drop it or draw it inside its neighbour.
struct Tracks {
  std::vector<Track> tracks;
  std::int64_t left_out = 0; ///< spans that round to nothing

  [[nodiscard]] const Track& at(int rank, StreamId stream) const;

  std::vector<std::size_t> first_of_rank; ///< index of each rank's stream 0
};

/// The plan and the timeline outlive the result, which points into both.
/// @throws SimulationError when the timeline is wrong: a span of no operation of the plan, a time
///         that is negative or not finite, spans of a stream that overlap by more than a nanosecond
[[nodiscard]] Tracks sort_into_tracks(const Plan& plan, const Timeline& timeline);

/// Seconds as whole nanoseconds, to the nearest.
/// @throws SimulationError when negative, not finite or beyond 292 years
[[nodiscard]] std::int64_t nanoseconds(double seconds);

} // namespace decodesim
