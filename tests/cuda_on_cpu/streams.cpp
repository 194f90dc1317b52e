#include "tests/cuda_on_cpu/streams.hpp"

#include <algorithm>
#include <deque>
#include <set>

using namespace cuda_on_cpu;

/// A stream: what it has yet to run, in order, or the graph that it captures.
struct CUstream_st {
  struct Entry {
    std::string name;
    Attempt attempt;
  };

  std::deque<Entry> queue;
  Capture* capture = nullptr;
  std::vector<std::size_t> latest; ///< nodes that the next one of a capture comes after
};

/// Counts its records and how many of them were reached. Recorded in a capture it is a place there.
struct CUevent_st {
  bool is_timed = false;
  unsigned long recorded = 0;
  unsigned long reached = 0;
  double reached_us = 0;
  Capture* capture = nullptr;
  std::vector<std::size_t> nodes;
};

namespace cuda_on_cpu {

namespace {

CUstream_st legacy;
std::vector<cudaStream_t> streams{&legacy};
std::set<cudaEvent_t> events;
std::deque<Capture> all_captures; // kept, since events know them
thread_local int captures = 0;    // of this thread, that have not ended

cudaStream_t known(cudaStream_t stream) {
  auto* found = stream == nullptr ? &legacy : stream;
  breach_unless(std::find(streams.begin(), streams.end(), found) != streams.end(),
                "uses a stream that does not exist");
  return found;
}

cudaEvent_t known(cudaEvent_t event) {
  breach_unless(events.contains(event), "uses an event that does not exist");
  return event;
}

/// Runs the first piece of work of a stream. @returns whether one was ready
bool run_one() {
  for (const int i : drawn_order(static_cast<int>(streams.size()), pieces_run())) {
    auto& queue = streams[static_cast<std::size_t>(i)]->queue;
    if (!queue.empty() && try_to_run(queue.front().name, queue.front().attempt)) {
      queue.pop_front();
      return true;
    }
  }
  return false;
}

template <class Condition> void run_until(Call& call, Condition holds) {
  while (!holds()) {
    if (!run_one()) {
      call.pause();
    }
  }
}

/// Work that notes when an event is reached; the record counts when it is enqueued.
Work reaching(cudaEvent_t event) {
  return [event]() -> Attempt {
    const auto number = ++event->recorded;
    return [event, number] {
      event->reached = number;
      event->reached_us = pieces_run();
      return true;
    };
  };
}

/// A stream that waits for a place in a capture becomes part of it.
cudaError_t wait_in_capture(cudaStream_t stream, cudaEvent_t event) {
  if (event->capture->has_ended) {
    return refused(cudaErrorCapturedEvent, "an event of a capture that has ended");
  }
  if (stream->capture == nullptr) {
    breach_unless(stream != &legacy, "captures the legacy stream");
    stream->capture = event->capture;
    stream->latest.clear();
    event->capture->streams.push_back(stream);
  }
  if (stream->capture != event->capture) {
    return refused(cudaErrorStreamCaptureMerge, "an event of one capture in another");
  }
  auto& latest = stream->latest;
  for (const auto node : event->nodes) {
    if (std::find(latest.begin(), latest.end(), node) == latest.end()) {
      latest.push_back(node);
    }
  }
  return cudaSuccess;
}

/// Whether all nodes are before those that a capture ends with.
bool is_joined(const std::vector<Node>& nodes, const std::vector<std::size_t>& last) {
  std::set<std::size_t> joined{last.begin(), last.end()};
  for (auto i = nodes.size(); i-- > 0;) { // a node comes after earlier ones
    if (joined.contains(i)) {
      joined.insert(nodes[i].after.begin(), nodes[i].after.end());
    }
  }
  return joined.size() == nodes.size();
}

} // namespace

bool is_capturing() { return captures > 0; }

cudaError_t unless_capturing(const char* name) {
  return captures == 0
             ? cudaSuccess
             : refused(cudaErrorStreamCaptureUnsupported, std::string{name} + " during a capture");
}

void enqueue(cudaStream_t on, const std::string& name, Work work) {
  auto* stream = known(on);
  if (stream->capture != nullptr) {
    auto& nodes = stream->capture->nodes;
    nodes.push_back({name, std::move(work), stream->latest});
    stream->latest = {nodes.size() - 1};
    return;
  }
  breach_unless(stream != &legacy || captures == 0,
                "uses the legacy stream while another captures");
  stream->queue.push_back({name, work()});
  while (!order_is_random() && run_one()) {
  }
}

void finish(Call& call, cudaStream_t stream, bool all) {
  const auto is_empty = [](cudaStream_t one) { return one->queue.empty(); };
  run_until(call, [&] {
    return all ? std::all_of(streams.begin(), streams.end(), is_empty) : is_empty(known(stream));
  });
}

} // namespace cuda_on_cpu

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const Call call;
  breach_unless(flags == cudaStreamNonBlocking, "makes a stream that waits for the legacy one");
  *stream = streams.emplace_back(new CUstream_st);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Call call;
  finish(call, stream);
  std::erase(streams, known(stream));
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Call call;
  if (const auto error = unless_capturing("cudaStreamSynchronize")) {
    return error;
  }
  finish(call, stream);
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  Call call;
  if (const auto error = unless_capturing("cudaDeviceSynchronize")) {
    return error;
  }
  finish(call, nullptr, true);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  const Call call;
  *event = new CUevent_st{.is_timed = (flags & cudaEventDisableTiming) == 0};
  events.insert(*event);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Call call;
  events.erase(known(event));
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t on, unsigned flags) {
  const Call call;
  auto* stream = known(on);
  const bool is_external = (flags & cudaEventRecordExternal) != 0;
  if (is_external && stream->capture == nullptr) {
    return refused(cudaErrorInvalidValue, "an external record outside of a capture");
  }
  if (stream->capture != nullptr && !is_external) {
    known(event)->capture = stream->capture;
    event->nodes = stream->latest;
    return cudaSuccess;
  }
  known(event)->capture = nullptr;
  enqueue(on, "record", reaching(event));
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecordWithFlags(event, stream, cudaEventRecordDefault);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t on, cudaEvent_t event, unsigned) {
  const Call call;
  auto* stream = known(on);
  if (known(event)->capture != nullptr) {
    return wait_in_capture(stream, event);
  }
  const auto number = event->recorded;
  if (number == 0) {
    return cudaSuccess; // nothing to wait for, as CUDA sees it
  }
  if (stream->capture != nullptr) {
    return refused(cudaErrorStreamCaptureIsolation, "a capture waits for work outside of it");
  }
  enqueue(on, "wait", [=]() -> Attempt { return [=] { return event->reached >= number; }; });
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Call call;
  if (const auto error = unless_capturing("cudaEventQuery")) {
    return error;
  }
  for (int i = 0; i < 8 && known(event)->reached < event->recorded && run_one(); ++i) {
  }
  return event->reached == event->recorded ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) {
  const Call call;
  for (const auto* one : {known(from), known(to)}) {
    if (!one->is_timed || one->recorded == 0) {
      return refused(cudaErrorInvalidResourceHandle, "the time of an event that has none");
    }
    if (one->reached != one->recorded) {
      return refused(cudaErrorNotReady, "the time of an event that was not reached");
    }
  }
  *ms = static_cast<float>((to->reached_us - from->reached_us) * 1e-3);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  const Call call;
  breach_unless(mode == cudaStreamCaptureModeThreadLocal, "captures in a mode not emulated");
  if (stream == nullptr || known(stream)->capture != nullptr) {
    return refused(cudaErrorIllegalState, "a capture of the legacy stream, or a second one");
  }
  stream->capture = &all_captures.emplace_back(Capture{.origin = stream, .streams = {stream}});
  stream->latest.clear();
  ++captures;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Call call;
  auto* capture = known(stream)->capture;
  if (capture == nullptr || capture->origin != stream) {
    return refused(cudaErrorIllegalState, "the end of a capture that did not begin here");
  }
  for (auto* one : capture->streams) {
    one->capture = nullptr;
  }
  capture->has_ended = true;
  --captures;
  if (!is_joined(capture->nodes, stream->latest)) {
    return refused(cudaErrorStreamCaptureUnjoined, "a stream does not come back to the first");
  }
  *graph = new_graph(std::move(capture->nodes));
  return cudaSuccess;
}
}
