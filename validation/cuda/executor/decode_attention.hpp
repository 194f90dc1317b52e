#pragma once

#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/attention_decode.cuh"
#include "validation/executor/kernel_calls.hpp"

namespace decodesim {

/// Decode attention of a plan: the split-KV kernel that the probes measure, with as many splits as
/// fill the GPU. Heads of sizes that it is not written for take a plain kernel.
class DecodeAttention {
public:
  /// On the current device.
  DecodeAttention();

  /// Finds memory for the sums of splits; nothing is allocated in `run`.
  void prepare(const AttentionCall& call);
  /// @param call  with one query token of each sequence
  void run(const AttentionCall& call, cudaStream_t stream) const;

private:
  int sm_count_ = 0;
  GrowingBuffer sums_; ///< of splits

  [[nodiscard]] AttentionDecode with_splits(const AttentionCall& call) const;
};

} // namespace decodesim
