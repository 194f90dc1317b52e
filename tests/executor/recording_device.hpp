#pragma once

#include "validation/executor/device.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace decodesim::testing {

/// A device that notes what it is asked to do, line by line: "compute: product 3x16x8",
/// "send: send pp.hidden[0>1] 96". Work is done at once, unless it is behind a receive that never
/// completes.
class RecordingDevice final : public Device {
public:
  /// Receives over this communicator never complete; empty = all do.
  std::string silent_communicator;
  /// All calls that enqueue something; records of timed events are left out.
  std::vector<std::string> lines;
  int timed_records = 0;
  std::vector<std::string> joined; ///< communicators, in the order of joining
  std::vector<KernelCall> prepared;

  void* allocate(const std::string& name, std::size_t bytes) override;
  void upload(void* to, const void* from, std::size_t bytes) override;
  void download(void* to, const void* from, std::size_t bytes) override;
  void fill(const Array& array, const WeightPiece& piece) override;
  void copy(void* to, const void* from, std::size_t bytes) override;
  StreamHandle create_stream(const std::string& name) override;
  EventHandle create_event(bool timed) override;
  CommunicatorHandle create_communicator(const Communicator& members, int rank) override;

  void prepare(const KernelCall& call) override { prepared.push_back(call); }

  void record(EventHandle event, StreamHandle stream) override;
  void wait(StreamHandle stream, EventHandle event) override;
  void launch(const KernelCall& call, StreamHandle stream) override;
  void collective(const CollectiveCall& call, StreamHandle stream) override;
  void group_start() override;
  void group_end() override;
  void send(CommunicatorHandle communicator,
            int peer,
            const void* from,
            std::int64_t bytes,
            StreamHandle stream) override;
  void receive(CommunicatorHandle communicator,
               int peer,
               void* to,
               std::int64_t bytes,
               StreamHandle stream) override;
  void begin_capture(StreamHandle stream) override;
  GraphHandle end_capture(StreamHandle stream) override;
  void launch_graph(GraphHandle graph, StreamHandle stream) override;
  bool is_done(EventHandle event) override;
  double elapsed_us(EventHandle from, EventHandle to) override;

private:
  struct Event {
    bool timed = false;
    bool done = false;
    double time_us = 0;
  };

  void note(StreamHandle stream, const std::string& what);

  std::vector<std::unique_ptr<std::byte[]>> memory_;
  std::vector<std::string> streams_;
  std::vector<Event> events_;
  std::vector<Communicator> communicators_;
  std::set<StreamHandle> blocked_;
  double clock_us_ = 0;
  int graphs_ = 0;
};

} // namespace decodesim::testing
