#pragma once

#include "sim/model/data_type.hpp"

#include <cstddef>
#include <cstdint>
#include <cuda_runtime.h>

namespace decodesim {

/// Decode attention of one layer: one query token of each sequence against its cache.
///
///     output[s, h] = sum over t of softmax_t(scale x queries[s, h] . keys[s, h / group, t])
///                    x values[s, h / group, t],  group = heads / kv_heads
///
/// Element e of the key of (sequence s, KV head h, position t) is at keys[s x sequence_stride +
/// h x head_stride + t x token_stride + e]; values likewise. Every row starts at a multiple of 16
/// bytes. All arrays are of `type`; sums are in fp32.
struct AttentionDecode {
  DataType type = DataType::bf16; ///< fp32, bf16 or fp16
  int sequences = 0;
  int heads = 0;
  int kv_heads = 0;              ///< divides `heads`
  int head_size = 0;             ///< 32, 64, 128 or 256
  int context = 0;               ///< tokens in the cache of each sequence, the new one included
  const int* contexts = nullptr; ///< on the device, in place of `context`: one of each sequence,
                                 ///< none above `context`
  int window = 0;                ///< attend to the last so many tokens; 0 = to all
  float scale = 0;               ///< 1 / sqrt(head_size) in most models

  const void* queries = nullptr; ///< [sequences][heads][head_size]
  std::int64_t query_stride = 0; ///< elements from one sequence to the next
  const void* keys = nullptr;
  const void* values = nullptr;
  std::int64_t sequence_stride = 0; ///< elements
  std::int64_t head_stride = 0;
  std::int64_t token_stride = 0;
  void* output = nullptr; ///< [sequences][heads][head_size], dense

  int splits = 1;             ///< blocks that share a sequence's tokens
  float* workspace = nullptr; ///< attention_decode_workspace_bytes, needed if splits > 1
};

/// Splits that fill the processors: four blocks each, as long as a block has 128 tokens or more. 1
/// to 128.
[[nodiscard]] int attention_decode_splits(const AttentionDecode& attention, int sm_count);

[[nodiscard]] std::size_t attention_decode_workspace_bytes(const AttentionDecode& attention);

/// Enqueues one kernel, and a second one that combines the splits if there are several. May be
/// captured in a graph.
/// @throws DeviceError when the shape or type is not supported, or the launch fails
void attention_decode(const AttentionDecode& attention, cudaStream_t stream);

} // namespace decodesim
