#include "tests/executor/recording_device.hpp"

namespace decodesim::testing {

namespace {

using std::to_string;

std::string rows(const char* name, std::int64_t count) {
  return std::string{name} + " " + to_string(count);
}

struct CallText {
  std::string operator()(const ProductCall& call) const {
    return "product " + to_string(call.m) + "x" + to_string(call.n) + "x" + to_string(call.k);
  }

  std::string operator()(const NormCall& call) const { return rows("rows", call.rows); }

  std::string operator()(const HeadNormCall& call) const { return rows("rows", call.rows); }

  std::string operator()(const CacheWriteCall& call) const { return rows("rows", call.rows); }

  std::string operator()(const AttentionCall& call) const {
    return "attention " + to_string(call.sequences) + " of " + to_string(call.context_tokens) +
           ", " + to_string(call.heads) + "/" + to_string(call.kv_heads) + " heads";
  }

  std::string operator()(const ActivationCall& call) const { return rows("rows", call.rows); }

  std::string operator()(const SumCall& call) const { return rows("rows", call.rows); }

  std::string operator()(const TopKCall& call) const { return rows("rows", call.rows); }

  std::string operator()(const GroupedProductCall& call) const {
    std::int64_t hit = 0;
    for (const auto count : call.tables->rows.slot_rows) {
      hit += count > 0 ? 1 : 0;
    }
    return "grouped " + to_string(call.tables->rows.sources.size()) + "x" + to_string(call.n) +
           "x" + to_string(call.k) + " of " + to_string(hit);
  }

  std::string operator()(const ExpertSumCall& call) const {
    return rows("sums", static_cast<std::int64_t>(call.tables->rows.sources.size()));
  }

  std::string operator()(const CombineSumCall& call) const {
    return rows("returned", static_cast<std::int64_t>(call.tables->rows.sent_tokens.size()));
  }

  std::string operator()(const PackRowsCall& call) const {
    return rows("pack", static_cast<std::int64_t>(call.tables->rows.sent_tokens.size()));
  }

  std::string operator()(const EmbeddingCall& call) const { return rows("rows", call.rows); }

  std::string operator()(const SamplingCall& call) const { return rows("rows", call.rows); }

  std::string operator()(const CopyCall&) const { return "copy"; }
};

} // namespace

void RecordingDevice::note(StreamHandle stream, const std::string& what) {
  clock_us_ += 1;
  lines.push_back(streams_[static_cast<std::size_t>(stream)] + ": " + what);
}

void* RecordingDevice::allocate(const std::string&, std::size_t bytes) {
  memory_.push_back(std::make_unique<std::byte[]>(bytes));
  return memory_.back().get();
}

void RecordingDevice::upload(void*, const void*, std::size_t) {}

void RecordingDevice::download(void*, const void*, std::size_t) {}

void RecordingDevice::fill(const Array&, const WeightPiece&) {}

void RecordingDevice::copy(void*, const void*, std::size_t) {}

StreamHandle RecordingDevice::create_stream(const std::string& name) {
  streams_.push_back(name);
  return static_cast<StreamHandle>(streams_.size()) - 1;
}

EventHandle RecordingDevice::create_event(bool timed) {
  events_.push_back({.timed = timed});
  return static_cast<EventHandle>(events_.size()) - 1;
}

CommunicatorHandle RecordingDevice::create_communicator(const Communicator& members, int) {
  joined.push_back(members.name);
  communicators_.push_back(members);
  return static_cast<CommunicatorHandle>(communicators_.size()) - 1;
}

void RecordingDevice::record(EventHandle event, StreamHandle stream) {
  auto& one = events_[static_cast<std::size_t>(event)];
  one.done = !blocked_.contains(stream);
  one.time_us = clock_us_;
  if (one.timed) {
    ++timed_records;
  } else {
    note(stream, "record " + to_string(event));
  }
}

void RecordingDevice::wait(StreamHandle stream, EventHandle event) {
  if (!events_[static_cast<std::size_t>(event)].done) {
    blocked_.insert(stream);
  }
  note(stream, "wait " + to_string(event));
}

void RecordingDevice::launch(const KernelCall& call, StreamHandle stream) {
  note(stream, std::visit(CallText{}, call));
}

void RecordingDevice::collective(const CollectiveCall& call, StreamHandle stream) {
  note(stream,
       std::string{decodesim::to_string(call.kind)} + " " +
           communicators_[static_cast<std::size_t>(call.communicator)].name + " " +
           to_string(call.part_bytes));
}

void RecordingDevice::group_start() { lines.push_back("group"); }

void RecordingDevice::group_end() { lines.push_back("end of group"); }

void RecordingDevice::send(CommunicatorHandle communicator,
                           int peer,
                           const void*,
                           std::int64_t bytes,
                           StreamHandle stream) {
  note(stream,
       "send " + communicators_[static_cast<std::size_t>(communicator)].name + " to " +
           to_string(peer) + " " + to_string(bytes));
}

void RecordingDevice::receive(
    CommunicatorHandle communicator, int peer, void*, std::int64_t bytes, StreamHandle stream) {
  const auto& name = communicators_[static_cast<std::size_t>(communicator)].name;
  if (name == silent_communicator) {
    blocked_.insert(stream);
  }
  note(stream, "receive " + name + " from " + to_string(peer) + " " + to_string(bytes));
}

void RecordingDevice::begin_capture(StreamHandle stream) { note(stream, "capture"); }

GraphHandle RecordingDevice::end_capture(StreamHandle stream) {
  note(stream, "graph " + to_string(graphs_));
  return graphs_++;
}

void RecordingDevice::launch_graph(GraphHandle graph, StreamHandle stream) {
  note(stream, "launch graph " + to_string(graph));
}

bool RecordingDevice::is_done(EventHandle event) {
  return events_[static_cast<std::size_t>(event)].done;
}

double RecordingDevice::elapsed_us(EventHandle from, EventHandle to) {
  return events_[static_cast<std::size_t>(to)].time_us -
         events_[static_cast<std::size_t>(from)].time_us;
}

} // namespace decodesim::testing
