#pragma once

#include "sim/network/collective_kind.hpp"
#include "validation/executor/communicators.hpp"
#include "validation/executor/kernel_calls.hpp"
#include "validation/executor/weight_pieces.hpp"

#include <cstddef>
#include <string>

namespace decodesim {

using StreamHandle = int;
using EventHandle = int;
using CommunicatorHandle = int;
using GraphHandle = int;

/// One collective of a group. Every member passes the same kind and bytes.
struct CollectiveCall {
  CommunicatorHandle communicator = 0;
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::int64_t part_bytes = 0; ///< of one member's part; of an all-reduce: the array
  DataType type = DataType::bf16;
  const void* from = nullptr; ///< the part (all-gather), else the whole array
  void* to = nullptr;         ///< the part (reduce-scatter), else the whole array
};

/// What an executor needs of a GPU and its communication library: CUDA's and NCCL's programming
/// model. Work is enqueued on streams and runs later; `upload`, `download`, `fill` and
/// `copy` return when all is done. Handles stay valid as long as the device.
class Device {
public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  /// Zeroed memory. @throws InputError when there is not enough
  virtual void* allocate(const std::string& name, std::size_t bytes) = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  /// Waits for all that was enqueued.
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;
  /// Writes seeded numbers: see WeightPiece.
  virtual void fill(const Array& array, const WeightPiece& piece) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;

  virtual StreamHandle create_stream(const std::string& name) = 0;
  /// @param timed  whether `elapsed_us` is asked about it
  virtual EventHandle create_event(bool timed) = 0;
  /// Returns when all members have joined; all ranks join in the order of communicators().
  virtual CommunicatorHandle create_communicator(const Communicator& members, int rank) = 0;

  /// Told of every kernel before a run, once or more: finds its algorithm and memory beside the
  /// plan's, so that neither falls into the run.
  virtual void prepare(const KernelCall&) {}

  virtual void record(EventHandle event, StreamHandle stream) = 0;
  virtual void wait(StreamHandle stream, EventHandle event) = 0;
  virtual void launch(const KernelCall& call, StreamHandle stream) = 0;
  virtual void collective(const CollectiveCall& call, StreamHandle stream) = 0;
  /// Sends and receives between the two progress together.
  virtual void group_start() = 0;
  virtual void group_end() = 0;
  /// @param peer  index in the communicator
  virtual void send(CommunicatorHandle communicator,
                    int peer,
                    const void* from,
                    std::int64_t bytes,
                    StreamHandle stream) = 0;
  virtual void receive(CommunicatorHandle communicator,
                       int peer,
                       void* to,
                       std::int64_t bytes,
                       StreamHandle stream) = 0;

  /// What is enqueued from here on, on this stream and those that wait for it, becomes a graph.
  virtual void begin_capture(StreamHandle stream) = 0;
  virtual GraphHandle end_capture(StreamHandle stream) = 0;
  virtual void launch_graph(GraphHandle graph, StreamHandle stream) = 0;

  /// Whether all work before the latest record of the event is done.
  virtual bool is_done(EventHandle event) = 0;
  /// Time between two timed events that are done.
  virtual double elapsed_us(EventHandle from, EventHandle to) = 0;
};

} // namespace decodesim
