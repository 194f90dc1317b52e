#include "traces/chrome_trace.hpp"

#include "sim/atomic_file.hpp"
#include "sim/error.hpp"
#include "traces/json_text.hpp"
#include "traces/span_labels.hpp"
#include "traces/tracks.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace decodesim {

namespace {

/// Names from the palette of the Trace Event format: green, blue, red, grey and beige.
std::string_view colour(SpanKind kind) {
  switch (kind) {
  case SpanKind::compute:
    return "thread_state_running";
  case SpanKind::transfer:
    return "rail_load";
  case SpanKind::waiting:
    return "terrible";
  case SpanKind::bubble:
    return "grey";
  case SpanKind::launch:
    return "generic_work";
  }
  return "generic_work";
}

std::string span_name(const Operation& operation, SpanKind kind) {
  switch (kind) {
  case SpanKind::waiting:
    return "waiting: " + operation.name;
  case SpanKind::bubble:
    return "bubble";
  case SpanKind::launch:
    return "launch";
  case SpanKind::compute:
  case SpanKind::transfer:
    break;
  }
  return operation.layer < 0 ? operation.name
                             : "L" + std::to_string(operation.layer) + " " + operation.name;
}

std::string_view part_name(Part part) {
  switch (part) {
  case Part::prologue:
    return "prologue";
  case Part::body:
    return "body";
  case Part::epilogue:
    return "epilogue";
  }
  return "?";
}

/// What an event says of its operation, the same in every step: from the name to the arguments,
/// which are left open.
std::string describe(const Operation& operation, Part part, SpanKind kind) {
  std::string text = ",\"name\":";
  append_json_string(text, span_name(operation, kind));
  text += ",\"cat\":";
  append_json_string(text, to_string(kind));
  text += ",\"cname\":";
  append_json_string(text, colour(kind));
  text += ",\"args\":{\"operation\":";
  append_json_string(text, operation.name);
  text += ",\"part\":";
  append_json_string(text, part_name(part));
  if (operation.layer >= 0) {
    text += ",\"layer\":" + std::to_string(operation.layer);
  }
  if (operation.micro_batch >= 0) {
    text += ",\"micro_batch\":" + std::to_string(operation.micro_batch);
  }
  append_work_arguments(text, operation);
  return text;
}

class Writer {
public:
  Writer(const std::filesystem::path& path, const Plan& plan, const Timeline& timeline)
      : plan_{plan}, timeline_{timeline}, file_{path}, labels_{plan, describe} {}

  TraceContents write() {
    const Tracks tracks = sort_into_tracks(plan_, timeline_);
    contents_.left_out_spans = tracks.left_out;
    line_ = "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"layout\":";
    append_json_string(line_, plan_.layout);
    line_ += ",\"tool\":\"decodesim " DECODESIM_VERSION "\"},\"traceEvents\":[";
    write_names();
    for (const Track& track : tracks.tracks) {
      write_spans(track);
    }
    for (const Arrow& arrow : timeline_.arrows) {
      write_arrow(tracks, arrow);
    }
    write_counters();
    line_ += "\n]}\n";
    file_.write(line_);
    file_.commit();
    return contents_;
  }

private:
  /// Starts an event on a line of its own.
  void begin(std::string_view phase, int process) {
    file_.write(line_);
    line_.assign(first_ ? "\n{\"ph\":\"" : ",\n{\"ph\":\"");
    first_ = false;
    line_ += phase;
    line_ += "\",\"pid\":";
    append_json_number(line_, std::int64_t{process});
  }

  void thread(StreamId stream) {
    // Perfetto takes thread 0 for "no thread": streams count from 1.
    line_ += ",\"tid\":";
    append_json_number(line_, std::int64_t{stream} + 1);
  }

  void instant(std::int64_t ns) {
    line_ += ",\"ts\":";
    append_microseconds(line_, ns);
  }

  void name_process(int process, std::string_view name) {
    begin("M", process);
    line_ += ",\"name\":\"process_name\",\"args\":{\"name\":";
    append_json_string(line_, name);
    line_ += "}}";
    begin("M", process);
    line_ += ",\"name\":\"process_sort_index\",\"args\":{\"sort_index\":";
    append_json_number(line_, std::int64_t{process});
    line_ += "}}";
  }

  void name_thread(int process, StreamId stream, std::string_view name) {
    begin("M", process);
    thread(stream);
    line_ += ",\"name\":\"thread_name\",\"args\":{\"name\":";
    append_json_string(line_, name);
    line_ += "}}";
    begin("M", process);
    thread(stream);
    line_ += ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":";
    append_json_number(line_, std::int64_t{stream});
    line_ += "}}";
  }

  void write_names() {
    for (int rank = 0; rank < plan_.ranks(); ++rank) {
      const Program& program = plan_.program(rank);
      const auto index = static_cast<std::size_t>(rank);
      std::string what =
          index < timeline_.gpu_of_rank.size() ? timeline_.gpu_of_rank[index] : std::string{};
      if (!program.role.empty()) {
        what += (what.empty() ? "" : ", ") + program.role;
      }
      name_process(rank, "rank " + std::to_string(rank) + (what.empty() ? "" : " (" + what + ")"));
      for (std::size_t stream = 0; stream < program.streams.size(); ++stream) {
        name_thread(rank, static_cast<StreamId>(stream), program.streams[stream]);
      }
    }
    if (!timeline_.link_samples.empty()) {
      name_process(links_process(), "links");
    }
  }

  void write_spans(const Track& track) {
    for (const TrackSpan& one : track.spans) {
      const Span& span = *one.span;
      begin("X", track.rank);
      thread(track.stream);
      instant(one.start_ns);
      line_ += ",\"dur\":";
      append_microseconds(line_, one.end_ns - one.start_ns);
      line_ += labels_.of(span);
      if (span.step >= 0) {
        line_ += ",\"step\":";
        append_json_number(line_, std::int64_t{span.step});
        // Prefill yields token 1, step 0 token 2.
        line_ += ",\"token\":";
        append_json_number(line_, std::int64_t{span.step} + 2);
      }
      append_step_arguments(line_, plan_, span);
      line_ += "}}";
      ++contents_.spans;
    }
  }

  enum class End { start, finish };

  /// Span that an arrow touches at an instant: the transfer, if there is one. Where one transfer
  /// ends and the next begins, an arrow starts from the later and finishes in the earlier one.
  static const TrackSpan* touched(const Track& track, std::int64_t ns, End end) {
    const TrackSpan* found = nullptr;
    auto it = std::upper_bound(
        track.spans.begin(), track.spans.end(), ns, [](std::int64_t at, const TrackSpan& one) {
          return at < one.start_ns;
        });
    while (it != track.spans.begin() && (--it)->end_ns >= ns) {
      const bool transfer = it->span->kind == SpanKind::transfer;
      const bool found_transfer = found != nullptr && found->span->kind == SpanKind::transfer;
      if (found == nullptr || (transfer && (!found_transfer || end == End::finish))) {
        found = &*it;
      }
    }
    return found;
  }

  /// An instant of the span that lies strictly before its end, where the next one may begin.
  static std::int64_t inside(const TrackSpan& one, std::int64_t ns) {
    return std::clamp(ns, one.start_ns, one.end_ns - 1);
  }

  [[nodiscard]] bool known(int rank, StreamId stream) const {
    return rank >= 0 && rank < plan_.ranks() && stream >= 0 &&
           stream < static_cast<int>(plan_.program(rank).streams.size());
  }

  void write_arrow(const Tracks& tracks, const Arrow& arrow) {
    const TrackSpan* from = nullptr;
    const TrackSpan* to = nullptr;
    if (known(arrow.from_rank, arrow.from_stream) && known(arrow.to_rank, arrow.to_stream)) {
      from = touched(
          tracks.at(arrow.from_rank, arrow.from_stream), nanoseconds(arrow.start_s), End::start);
      to =
          touched(tracks.at(arrow.to_rank, arrow.to_stream), nanoseconds(arrow.end_s), End::finish);
    }
    if (from == nullptr || to == nullptr) {
      ++contents_.left_out_arrows;
      return;
    }
    const std::int64_t start = inside(*from, nanoseconds(arrow.start_s));
    const std::int64_t finish = inside(*to, std::max(start, nanoseconds(arrow.end_s)));
    if (finish < start) { // readers count an end before its start as an error
      ++contents_.left_out_arrows;
      return;
    }
    ++contents_.arrows;
    begin("s", arrow.from_rank);
    thread(arrow.from_stream);
    instant(start);
    finish_arrow();
    begin("f", arrow.to_rank);
    thread(arrow.to_stream);
    instant(finish);
    line_ += ",\"bp\":\"e\"";
    finish_arrow();
  }

  void finish_arrow() {
    line_ += ",\"id\":";
    append_json_number(line_, contents_.arrows);
    line_ += ",\"name\":\"message\",\"cat\":\"message\"}";
  }

  [[nodiscard]] int links_process() const { return plan_.ranks(); }

  void write_counter(
      int process, double time_s, std::string_view name, std::string_view unit, double value) {
    if (!std::isfinite(value)) {
      throw SimulationError{"timeline: " + std::string{name} + " is not finite"};
    }
    begin("C", process);
    instant(nanoseconds(time_s));
    line_ += ",\"name\":";
    append_json_string(line_, name);
    line_ += ",\"args\":{";
    append_json_string(line_, unit);
    line_ += ':';
    append_json_number(line_, value);
    line_ += "}}";
    ++contents_.counter_samples;
  }

  void write_counters() {
    for (const CacheSample& sample : timeline_.cache_samples) {
      write_counter(sample.rank, sample.time_s, "KV cache", "bytes", sample.kv_cache_bytes);
    }
    for (const LinkSample& sample : timeline_.link_samples) {
      const auto link = static_cast<std::size_t>(sample.link);
      const bool named = link < timeline_.link_names.size() && !timeline_.link_names[link].empty();
      write_counter(links_process(),
                    sample.time_s,
                    named ? timeline_.link_names[link] : "link " + std::to_string(sample.link),
                    "utilisation_ratio",
                    sample.utilisation_ratio);
    }
  }

  const Plan& plan_;
  const Timeline& timeline_;
  AtomicFile file_;
  SpanLabels labels_;
  std::string line_;
  bool first_ = true;
  TraceContents contents_;
};

} // namespace

TraceContents
write_chrome_trace(const std::filesystem::path& path, const Plan& plan, const Timeline& timeline) {
  return Writer{path, plan, timeline}.write();
}

} // namespace decodesim
