#pragma once

#include "validation/cuda/gpu_monitor.hpp"
#include "validation/measure/run_file.hpp"
#include "validation/measure/stopping_rule.hpp"

#include <cstdint>
#include <cuda_runtime.h>
#include <functional>

namespace decodesim {

/// Times work on the current device with events, by a stopping rule.
class DeviceTimer {
public:
  explicit DeviceTimer(const StoppingRule& rule);
  ~DeviceTimer();
  DeviceTimer(const DeviceTimer&) = delete;
  DeviceTimer& operator=(const DeviceTimer&) = delete;

  [[nodiscard]] cudaStream_t stream() const { return stream_; }

  [[nodiscard]] int sm_count() const { return sm_count_; }

  [[nodiscard]] std::size_t l2_bytes() const { return l2_bytes_; }

  /// Copies of operands of `bytes` each to rotate over, so that between two uses of one at least
  /// twice the L2 cache's bytes of others are used; 1 to 512.
  [[nodiscard]] int copies_that_flush(std::size_t bytes) const;

  /// Time of one launch of an operation on `stream()`, in a CUDA graph of as many launches as take
  /// about 1.5 ms, in multiples of `copies` (at most 512): events before and after the graph.
  /// Launches once outside of any graph first, and the graph twice, none of which counts.
  /// @param launch  enqueues launch number i; operands are those of copy i % copies
  void time(ProbeResult& result, int copies, const std::function<void(int i)>& launch);

  /// As `time`, but launched one by one, for what no graph can hold.
  void time_eager(ProbeResult& result, int copies, const std::function<void(int i)>& launch);

  /// Microseconds that the device takes for what `enqueue` puts on the stream.
  [[nodiscard]] double elapsed_us(const std::function<void()>& enqueue);

private:
  [[nodiscard]] int repeats_for(int copies, const std::function<void(int i)>& launch);
  void sample(ProbeResult& result, int repeats, const std::function<void()>& enqueue);

  StoppingRule rule_;
  GpuMonitor monitor_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t start_ = nullptr;
  cudaEvent_t stop_ = nullptr;
  int sm_count_ = 0;
  std::size_t l2_bytes_ = 0;
};

} // namespace decodesim
