#include "traces/tracks.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace decodesim {

namespace {

/// Instants are sums of many durations: ends that should be equal may differ by their rounding.
constexpr std::int64_t tolerance_ns = 1;

const Operation& operation_of(const Plan& plan, const Span& span) {
  if (span.rank >= 0 && span.rank < plan.ranks()) {
    const Program& program = plan.program(span.rank);
    const auto& part = program.part(span.part);
    if (span.stream >= 0 && span.stream < static_cast<int>(program.streams.size()) &&
        span.operation >= 0 && span.operation < static_cast<int>(part.size())) {
      return part[static_cast<std::size_t>(span.operation)];
    }
  }
  throw SimulationError{"timeline: a span of rank " + std::to_string(span.rank) + ", stream " +
                        std::to_string(span.stream) + ", operation " +
                        std::to_string(span.operation) + " belongs to no operation of the plan"};
}

} // namespace

std::int64_t nanoseconds(double seconds) {
  constexpr double most_seconds = 9.2e9; // int64 nanoseconds end at 9.22e9 s
  if (!(seconds >= 0.0 && seconds < most_seconds)) {
    throw SimulationError{"timeline: " + std::to_string(seconds) + " s is no instant"};
  }
  return std::llround(seconds * 1e9);
}

const Track& Tracks::at(int rank, StreamId stream) const {
  return tracks[first_of_rank[static_cast<std::size_t>(rank)] + static_cast<std::size_t>(stream)];
}

Tracks sort_into_tracks(const Plan& plan, const Timeline& timeline) {
  Tracks result;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    result.first_of_rank.push_back(result.tracks.size());
    for (int stream = 0; stream < static_cast<int>(plan.program(rank).streams.size()); ++stream) {
      result.tracks.push_back({rank, stream, {}});
    }
  }
  for (const Span& span : timeline.spans) {
    const Operation& operation = operation_of(plan, span);
    const auto track = result.first_of_rank[static_cast<std::size_t>(span.rank)] +
                       static_cast<std::size_t>(span.stream);
    result.tracks[track].spans.push_back(
        {nanoseconds(span.start_s), nanoseconds(span.end_s), &span, &operation});
  }
  for (Track& track : result.tracks) {
    const auto earlier = [](const TrackSpan& a, const TrackSpan& b) {
      return a.span->start_s != b.span->start_s ? a.span->start_s < b.span->start_s
                                                : a.span->end_s < b.span->end_s;
    };
    std::stable_sort(track.spans.begin(), track.spans.end(), earlier);
    std::int64_t previous_end = 0;
    for (TrackSpan& one : track.spans) {
      if (one.end_ns < one.start_ns - tolerance_ns || one.start_ns < previous_end - tolerance_ns) {
        throw SimulationError{"timeline: spans of rank " + std::to_string(track.rank) +
                              ", stream " + std::to_string(track.stream) + " overlap at " +
                              std::to_string(one.span->start_s) + " s (" + one.operation->name +
                              ")"};
      }
      one.start_ns = std::max(one.start_ns, previous_end);
      one.end_ns = std::max(one.end_ns, one.start_ns);
      previous_end = one.end_ns;
    }
    result.left_out += static_cast<std::int64_t>(std::erase_if(
        track.spans, [](const TrackSpan& one) { return one.end_ns == one.start_ns; }));
  }
  return result;
}

} // namespace decodesim
