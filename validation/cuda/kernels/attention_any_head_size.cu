#include "validation/cuda/kernels/attention_of_calls.cuh"
#include "validation/cuda/kernels/element_type.cuh"
#include "validation/cuda/kernels/plan_kernels.cuh"

#include <cmath>

namespace decodesim {

namespace {

constexpr int warps = 8;

/// A block for each sequence and head; its warps take the tokens in turn, each with a softmax of
/// its own that they merge at the end (Milakov and Gimelshein, Online normalizer calculation for
/// softmax, arXiv 1805.02867).
template <class T> __global__ void decode_attention_kernel(AttentionArguments<T> in) {
  __shared__ float largest_of[warps];
  __shared__ float sum_of[warps];
  extern __shared__ float value_of[]; // [warps][head size]
  const auto sequence = static_cast<std::int64_t>(blockIdx.x);
  const int head = static_cast<int>(blockIdx.y);
  const int kv_head = head / (in.heads / in.kv_heads);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const T* keys = in.rows(false, sequence, kv_head);
  const T* values = in.rows(true, sequence, kv_head);
  const T* query = in.query(sequence, head);
  float q[most_elements_per_lane];
  float value[most_elements_per_lane];
#pragma unroll
  for (int i = 0; i < most_elements_per_lane; ++i) {
    const int at = lane + 32 * i;
    q[i] = at < in.head_size ? to_float(query[at]) * in.scale : 0.0F;
    value[i] = 0.0F;
  }
  float largest = -INFINITY;
  float sum = 0.0F;
  for (std::int64_t token = warp; token < in.context; token += warps) {
    const T* key = keys + token * in.token_stride();
    const T* row = values + token * in.token_stride();
    float score = 0.0F;
#pragma unroll
    for (int i = 0; i < most_elements_per_lane; ++i) {
      const int at = lane + 32 * i;
      if (at < in.head_size) {
        score += q[i] * to_float(key[at]);
      }
    }
    score = warp_sum(score);
    const float now = fmaxf(largest, score);
    const float shrink = __expf(largest - now);
    const float weight = __expf(score - now);
    largest = now;
    sum = sum * shrink + weight;
#pragma unroll
    for (int i = 0; i < most_elements_per_lane; ++i) {
      const int at = lane + 32 * i;
      if (at < in.head_size) {
        value[i] = value[i] * shrink + weight * to_float(row[at]);
      }
    }
  }
  if (lane == 0) {
    largest_of[warp] = largest;
    sum_of[warp] = sum;
  }
#pragma unroll
  for (int i = 0; i < most_elements_per_lane; ++i) {
    const int at = lane + 32 * i;
    if (at < in.head_size) {
      value_of[warp * in.head_size + at] = value[i];
    }
  }
  __syncthreads();
  float all = -INFINITY;
  for (int w = 0; w < warps; ++w) {
    all = fmaxf(all, largest_of[w]);
  }
  for (int at = static_cast<int>(threadIdx.x); at < in.head_size;
       at += static_cast<int>(blockDim.x)) {
    float total = 0.0F;
    float result = 0.0F;
    for (int w = 0; w < warps; ++w) {
      const float part = __expf(largest_of[w] - all);
      total += part * sum_of[w];
      result += part * value_of[w * in.head_size + at];
    }
    in.result(sequence, head)[at] = from_float<T>(result / total);
  }
}

} // namespace

void launch_decode_attention(const AttentionCall& call, cudaStream_t stream) {
  if (call.sequences == 0) {
    return;
  }
  with_activation_type(call.qkv.type, [&](auto element) {
    using T = decltype(element);
    const dim3 blocks{static_cast<unsigned>(call.sequences), static_cast<unsigned>(call.heads)};
    const auto bytes = static_cast<std::size_t>(warps * call.head_size) * sizeof(float);
    decode_attention_kernel<T><<<blocks, 32 * warps, bytes, stream>>>(AttentionArguments<T>{call});
  });
}

} // namespace decodesim
