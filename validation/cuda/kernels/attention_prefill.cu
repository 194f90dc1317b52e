#include "validation/cuda/kernels/attention_of_calls.cuh"
#include "validation/cuda/kernels/element_type.cuh"
#include "validation/cuda/kernels/plan_kernels.cuh"

#include <cmath>

namespace decodesim {

namespace {

constexpr int warps = 8; ///< query tokens of a block
constexpr int tile = 32; ///< tokens that it reads at once, one for each lane

/// A block for 8 query tokens of a sequence and a head, which share the keys and values that they
/// load; each lane scores one token of a tile, and holds part of the result.
template <class T> __global__ void prefill_attention_kernel(AttentionArguments<T> in) {
  extern __shared__ float shared[];
  const int size = in.head_size;
  const int row_size = size + 1; // lanes read rows of one column at once: spread over the banks
  float* queries = shared;       // [warps][size]
  float* keys = queries + warps * size;   // [tile][size + 1]
  float* values = keys + tile * row_size; // [tile][size + 1]
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const auto sequence = static_cast<std::int64_t>(blockIdx.z);
  const int head = static_cast<int>(blockIdx.y);
  const int kv_head = head / (in.heads / in.kv_heads);
  const auto first_query = static_cast<std::int64_t>(blockIdx.x) * warps;
  const auto query = first_query + warp;
  const bool is_there = query < in.query_tokens;
  const auto before = in.context - in.query_tokens;
  const auto attended = is_there ? before + query + 1 : 0;
  const auto last_query =
      first_query + warps < in.query_tokens ? first_query + warps : in.query_tokens;
  const T* key_rows = in.rows(false, sequence, kv_head);
  const T* value_rows = in.rows(true, sequence, kv_head);
  const auto row = sequence * in.query_tokens + query;
  for (int i = lane; i < size && is_there; i += 32) {
    queries[warp * size + i] = to_float(in.query(row, head)[i]) * in.scale;
  }
  float result[most_elements_per_lane] = {};
  float largest = -INFINITY;
  float sum = 0.0F;
  for (std::int64_t begin = 0; begin < before + last_query; begin += tile) {
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < tile * size;
         i += static_cast<int>(blockDim.x)) {
      const auto token = begin + i / size;
      const bool held = token < in.context;
      const auto at = token * in.token_stride() + i % size;
      keys[i / size * row_size + i % size] = held ? to_float(key_rows[at]) : 0.0F;
      values[i / size * row_size + i % size] = held ? to_float(value_rows[at]) : 0.0F;
    }
    __syncthreads();
    if (begin >= attended) {
      continue;
    }
    float score = -INFINITY;
    if (begin + lane < attended) {
      score = 0.0F;
      for (int i = 0; i < size; ++i) {
        score += queries[warp * size + i] * keys[lane * row_size + i];
      }
    }
    const float now = fmaxf(largest, warp_largest(score));
    const float shrink = __expf(largest - now);
    const float weight = __expf(score - now);
    largest = now;
    sum = sum * shrink + warp_sum(weight);
#pragma unroll
    for (int i = 0; i < most_elements_per_lane; ++i) {
      result[i] *= shrink;
    }
    for (int token = 0; token < tile; ++token) {
      const float of_token = __shfl_sync(0xffffffffU, weight, token);
#pragma unroll
      for (int i = 0; i < most_elements_per_lane; ++i) {
        const int at = lane + 32 * i;
        if (at < size) {
          result[i] += of_token * values[token * row_size + at];
        }
      }
    }
  }
  if (!is_there) {
    return;
  }
#pragma unroll
  for (int i = 0; i < most_elements_per_lane; ++i) {
    const int at = lane + 32 * i;
    if (at < size) {
      in.result(row, head)[at] = from_float<T>(result[i] / sum);
    }
  }
}

} // namespace

void launch_prefill_attention(const AttentionCall& call, cudaStream_t stream) {
  if (call.sequences == 0) {
    return;
  }
  with_activation_type(call.qkv.type, [&](auto element) {
    using T = decltype(element);
    const dim3 blocks{static_cast<unsigned>((call.query_tokens + warps - 1) / warps),
                      static_cast<unsigned>(call.heads),
                      static_cast<unsigned>(call.sequences)};
    const auto elements = warps * call.head_size + 2 * tile * (call.head_size + 1);
    const auto bytes = static_cast<std::size_t>(elements) * sizeof(float);
    cudaFuncSetAttribute(prefill_attention_kernel<T>,
                         cudaFuncAttributeMaxDynamicSharedMemorySize,
                         static_cast<int>(bytes));
    prefill_attention_kernel<T><<<blocks, 32 * warps, bytes, stream>>>(AttentionArguments<T>{call});
  });
}

} // namespace decodesim
