#pragma once

#include "sim/plan/plan.hpp"

#include <string>
#include <vector>

namespace decodesim {

/// What a span of a stream is. Enumerators are the names used in timelines.
enum class SpanKind {
  compute,  ///< a kernel runs
  transfer, ///< a collective or message moves data, latency included
  waiting,  ///< a collective waits for its last member, or a send for its receiver
  bubble,   ///< a receive waits for its sender: the stage has no work
  launch    ///< the stream waits for the host to launch its next operation
};

[[nodiscard]] std::string_view to_string(SpanKind kind);

/// One stretch of time on one stream of one rank. Spans of a stream do not overlap and are in
/// order.
struct Span {
  double start_s = 0;
  double end_s = 0;
  int rank = 0;
  StreamId stream = 0;
  SpanKind kind = SpanKind::compute;
  Part part = Part::body;
  int step = -1;     ///< decode step in the body, -1 outside
  int operation = 0; ///< index in the part of the rank's program
};

/// A message from its sender's span to its receiver's, for arrows.
struct Arrow {
  double start_s = 0; ///< when the transfer starts
  double end_s = 0;
  int from_rank = 0;
  StreamId from_stream = 0;
  int to_rank = 0;
  StreamId to_stream = 0;
};

/// Share of one link direction in use from an instant on, until the next sample of that link.
struct LinkSample {
  double time_s = 0;
  int link = 0; ///< LinkDirection
  double utilisation_ratio = 0;
};

/// Cache held by a rank from an instant on.
struct CacheSample {
  double time_s = 0;
  int rank = 0;
  double kv_cache_bytes = 0;
};

struct Timeline {
  std::vector<Span> spans; ///< in no particular order between ranks
  std::vector<Arrow> arrows;
  std::vector<LinkSample> link_samples;
  std::vector<CacheSample> cache_samples;
  std::vector<std::string> gpu_of_rank; ///< vertex id: "gpu3", "node1/gpu0"
  std::vector<std::string> link_names;  ///< by LinkDirection; empty if never used
};

} // namespace decodesim
