#pragma once

#include "validation/cuda/executor/decode_attention.hpp"
#include "validation/cuda/kernels/matrix_product.hpp"
#include "validation/executor/device.hpp"
#include "validation/executor/rendezvous.hpp"

#include <deque>
#include <mutex>
#include <nccl.h>
#include <vector>

namespace decodesim {

/// One rank's GPU: CUDA streams, events and graphs, cuBLASLt, the kernels beside it, NCCL.
class CudaDevice final : public Device {
public:
  /// @param gpu         CUDA's number
  /// @param rendezvous  where the ids of communicators are exchanged
  CudaDevice(int gpu, const Rendezvous& rendezvous);
  ~CudaDevice() override;

  void* allocate(const std::string& name, std::size_t bytes) override;
  void upload(void* to, const void* from, std::size_t bytes) override;
  void download(void* to, const void* from, std::size_t bytes) override;
  void fill(const Array& array, const WeightPiece& piece) override;
  void copy(void* to, const void* from, std::size_t bytes) override;
  StreamHandle create_stream(const std::string& name) override;
  EventHandle create_event(bool timed) override;
  CommunicatorHandle create_communicator(const Communicator& members, int rank) override;
  void prepare(const KernelCall& call) override;
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
    cudaEvent_t event = nullptr;
    bool timed = false;
  };

  int gpu_;
  const Rendezvous& rendezvous_;
  MatrixProducts products_;
  DecodeAttention decode_attention_;
  std::vector<void*> memory_;
  std::vector<cudaStream_t> streams_;
  std::mutex mutex_; ///< guards events_: a watchdog asks about them
  std::deque<Event> events_;
  std::vector<ncclComm_t> communicators_;
  std::vector<cudaGraphExec_t> graphs_;
  bool captures_ = false;

  [[nodiscard]] cudaStream_t stream(StreamHandle handle) const {
    return streams_[static_cast<std::size_t>(handle)];
  }

  [[nodiscard]] Event event(EventHandle handle);

  [[nodiscard]] ncclComm_t communicator(CommunicatorHandle handle) const {
    return communicators_[static_cast<std::size_t>(handle)];
  }
};

} // namespace decodesim
