#pragma once

#include "validation/cuda/kernels/plan_kernels.cuh"
#include "validation/executor/kernel_calls.hpp"

#include <cstdint>

namespace decodesim {

/// An AttentionCall as kernels see it.
template <class T> struct AttentionArguments {
  const T* qkv;
  const T* cache;
  T* out;
  std::int64_t query_tokens;
  std::int64_t context;
  std::int64_t sequences; ///< of the whole cache
  std::int64_t tokens;    ///< room of each
  std::int64_t first_sequence;
  int heads;
  int kv_heads;
  int head_size;
  float scale;

  explicit AttentionArguments(const AttentionCall& call)
      : qkv{static_cast<const T*>(call.qkv.data)}, cache{static_cast<const T*>(
                                                       call.from.cache.data)},
        out{static_cast<T*>(call.out.data)}, query_tokens{call.query_tokens},
        context{call.context_tokens}, sequences{call.from.sequences}, tokens{call.from.tokens},
        first_sequence{call.from.first_sequence}, heads{call.heads}, kv_heads{call.kv_heads},
        head_size{call.head_size}, scale{1.0F / std::sqrt(static_cast<float>(call.head_size))} {}

  /// Keys of a sequence's head (`values` false) or its values; tokens are token_stride() apart.
  const __device__ T* rows(bool values, std::int64_t sequence, int kv_head) const {
    const auto at = (values ? sequences : 0) + first_sequence + sequence;
    return cache + (at * tokens * kv_heads + kv_head) * head_size;
  }

  __device__ std::int64_t token_stride() const { return std::int64_t{kv_heads} * head_size; }

  const __device__ T* query(std::int64_t row, int head) const {
    return qkv + (row * (heads + 2 * kv_heads) + head) * head_size;
  }

  __device__ T* result(std::int64_t row, int head) const {
    return out + (row * heads + head) * head_size;
  }
};

constexpr int most_elements_per_lane = most_head_size / 32;

} // namespace decodesim
