#pragma once

#include "validation/executor/device.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

namespace decodesim {

/// What the CPU devices of several ranks communicate through: one thread per rank, in one process.
/// Sends are buffered.
class CpuFabric {
public:
  using Bytes = std::vector<std::byte>;

  /// Puts a message into the queue of (communicator, from, to).
  void send(const std::string& communicator, int from, int to, Bytes bytes);
  /// Takes the next one out; waits for it.
  /// @throws SimulationError after `fail`
  [[nodiscard]] Bytes receive(const std::string& communicator, int from, int to);
  /// Ends all that wait, with an error: one rank cannot go on.
  void fail();

private:
  using Channel = std::tuple<std::string, int, int>;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<Channel, std::deque<Bytes>> queues_;
  bool failed_ = false;
};

/// A device that computes on the CPU, with plain loops and in the order in which work is enqueued:
/// the reference for what kernels mean, and the proof that a plan's buffers, shapes and messages
/// give the model's logits. Elements are stored in their type (fp32 or bf16), sums are in fp32.
///
/// Accesses are checked against the arrays. Streams do nothing; graphs are refused.
class CpuDevice final : public Device {
public:
  explicit CpuDevice(CpuFabric& fabric) : fabric_{fabric} {}

  void* allocate(const std::string& name, std::size_t bytes) override;
  void upload(void* to, const void* from, std::size_t bytes) override;
  void download(void* to, const void* from, std::size_t bytes) override;
  void fill(const Array& array, const WeightPiece& piece) override;
  void copy(void* to, const void* from, std::size_t bytes) override;
  StreamHandle create_stream(const std::string& name) override;
  EventHandle create_event(bool timed) override;
  CommunicatorHandle create_communicator(const Communicator& members, int rank) override;
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
  struct Joined {
    Communicator members;
    int index = 0;
  };

  struct Receive {
    CommunicatorHandle communicator = 0;
    int peer = 0;
    void* to = nullptr;
    std::int64_t bytes = 0;
  };

  CpuFabric& fabric_;
  std::vector<std::unique_ptr<std::byte[]>> memory_;
  std::vector<Joined> communicators_;
  std::vector<double> recorded_us_; ///< of each event; below 0 = not yet
  std::vector<Receive> receives_;   ///< of the group that is open
  int streams_ = 0;
};

/// Computes a kernel on arrays in the host's memory.
/// @throws SimulationError when it would touch what an array does not have
void compute_on_cpu(const KernelCall& call);

} // namespace decodesim
