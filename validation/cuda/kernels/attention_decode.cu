#include "validation/cuda/device_error.hpp"
#include "validation/cuda/kernels/attention_decode.cuh"

#include <algorithm>
#include <cmath>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace decodesim {

namespace {

constexpr int block_threads = 128;
constexpr int warps = block_threads / 32;
constexpr int most_splits = 128;
constexpr int least_tokens_of_a_split = 128;
constexpr int blocks_per_processor = 4;

template <class T> __device__ void widen(const uint4& raw, float* out);

template <> __device__ void widen<float>(const uint4& raw, float* out) {
  out[0] = __uint_as_float(raw.x);
  out[1] = __uint_as_float(raw.y);
  out[2] = __uint_as_float(raw.z);
  out[3] = __uint_as_float(raw.w);
}

template <> __device__ void widen<__nv_bfloat16>(const uint4& raw, float* out) {
  const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    // A bf16 is the upper half of the fp32 of the same value.
    out[2 * i] = __uint_as_float(words[i] << 16);
    out[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
}

template <> __device__ void widen<__half>(const uint4& raw, float* out) {
  const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const auto pair = __half22float2(*reinterpret_cast<const __half2*>(&words[i]));
    out[2 * i] = pair.x;
    out[2 * i + 1] = pair.y;
  }
}

/// Lanes of a warp that share a row, and rows that a warp reads at once.
template <class T, int HeadSize> struct RowShape {
  static constexpr int per_vector = 16 / static_cast<int>(sizeof(T));
  static constexpr int lanes = HeadSize / per_vector < 32 ? HeadSize / per_vector : 32;
  static constexpr int vectors = HeadSize / (per_vector * lanes); ///< of each lane
  static constexpr int elements = per_vector * vectors;           ///< of each lane
  static constexpr int teams = warps * 32 / lanes;
};

/// Index in the row of element `i` of a lane.
template <class Shape> __device__ int row_index(int lane, int i) {
  return ((i / Shape::per_vector) * Shape::lanes + lane) * Shape::per_vector +
         i % Shape::per_vector;
}

/// One split of `Group` query heads that share a KV head. Teams of lanes take tokens in turn, each
/// with an online softmax of its own (Milakov, Gimelshein, arXiv 1805.02867), in base 2; they are
/// combined at the end. With one split the output is written, else the partial sums.
template <class T, int HeadSize, int Group>
__global__ void __launch_bounds__(block_threads) split_attention(const AttentionDecode a) {
  using Shape = RowShape<T, HeadSize>;
  constexpr int unroll = Group <= 2 ? 8 / Shape::vectors : 4 / Shape::vectors;
  const int group_size = a.heads / a.kv_heads;
  const int parts = (group_size + Group - 1) / Group;
  const int kv_head = static_cast<int>(blockIdx.y) / parts;
  const int first_in_group = static_cast<int>(blockIdx.y) % parts * Group;
  const int first_head = kv_head * group_size + first_in_group;
  const int own_heads = min(Group, group_size - first_in_group);
  const int split = static_cast<int>(blockIdx.x);
  const int sequence = static_cast<int>(blockIdx.z);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % Shape::lanes;
  const int team = static_cast<int>(threadIdx.x) / Shape::lanes;

  const int context = a.contexts != nullptr ? a.contexts[sequence] : a.context;
  const int first = a.window > 0 ? max(0, context - a.window) : 0;
  const int per_split = (context - first + a.splits - 1) / a.splits;
  const int begin = first + split * per_split;
  const int end = min(context, begin + per_split);

  const T* keys =
      static_cast<const T*>(a.keys) + sequence * a.sequence_stride + kv_head * a.head_stride;
  const T* values =
      static_cast<const T*>(a.values) + sequence * a.sequence_stride + kv_head * a.head_stride;

  float query[Group][Shape::elements];
#pragma unroll
  for (int g = 0; g < Group; ++g) {
    const int head = first_head + min(g, own_heads - 1);
    const T* row = static_cast<const T*>(a.queries) + sequence * a.query_stride +
                   static_cast<std::int64_t>(head) * HeadSize;
#pragma unroll
    for (int v = 0; v < Shape::vectors; ++v) {
      const auto raw = reinterpret_cast<const uint4*>(row)[v * Shape::lanes + lane];
      widen<T>(raw, &query[g][v * Shape::per_vector]);
    }
#pragma unroll
    for (int e = 0; e < Shape::elements; ++e) {
      query[g][e] *= a.scale * 1.4426950408889634f; // log2(e): exponentials are powers of 2
    }
  }

  float largest[Group];
  float total[Group];
  float sum[Group][Shape::elements];
#pragma unroll
  for (int g = 0; g < Group; ++g) {
    largest[g] = -INFINITY;
    total[g] = 0;
#pragma unroll
    for (int e = 0; e < Shape::elements; ++e) {
      sum[g][e] = 0;
    }
  }

  // Whole warps go round together, since the teams of one exchange their sums by shuffles.
  const int warp_begin = begin + warp * (32 / Shape::lanes);
  for (int base = warp_begin; base < end; base += unroll * Shape::teams) {
    const int token = base + team % (32 / Shape::lanes);
    uint4 key[unroll][Shape::vectors];
    uint4 value[unroll][Shape::vectors];
#pragma unroll
    for (int u = 0; u < unroll; ++u) {
      const auto row = static_cast<std::int64_t>(token + u * Shape::teams) * a.token_stride;
      const bool there = token + u * Shape::teams < end;
#pragma unroll
      for (int v = 0; v < Shape::vectors; ++v) {
        const int at = v * Shape::lanes + lane;
        key[u][v] = there ? __ldcs(reinterpret_cast<const uint4*>(keys + row) + at) : uint4{};
        value[u][v] = there ? __ldcs(reinterpret_cast<const uint4*>(values + row) + at) : uint4{};
      }
    }
    float score[unroll][Group];
#pragma unroll
    for (int u = 0; u < unroll; ++u) {
      float k[Shape::elements];
#pragma unroll
      for (int v = 0; v < Shape::vectors; ++v) {
        widen<T>(key[u][v], &k[v * Shape::per_vector]);
      }
#pragma unroll
      for (int g = 0; g < Group; ++g) {
        float dot = 0;
#pragma unroll
        for (int e = 0; e < Shape::elements; ++e) {
          dot += query[g][e] * k[e];
        }
#pragma unroll
        for (int offset = Shape::lanes / 2; offset > 0; offset /= 2) {
          dot += __shfl_xor_sync(0xffffffffu, dot, offset);
        }
        score[u][g] = token + u * Shape::teams < end ? dot : -INFINITY;
      }
    }
#pragma unroll
    for (int g = 0; g < Group; ++g) {
      float now = largest[g];
#pragma unroll
      for (int u = 0; u < unroll; ++u) {
        now = fmaxf(now, score[u][g]);
      }
      // A team that has seen no token yet has the maximum -inf: its sums are zero whatever they are
      // scaled by.
      const float shift = now == -INFINITY ? 0.0f : now;
      const float shrink = exp2f(largest[g] - shift);
      largest[g] = now;
      total[g] *= shrink;
#pragma unroll
      for (int e = 0; e < Shape::elements; ++e) {
        sum[g][e] *= shrink;
      }
#pragma unroll
      for (int u = 0; u < unroll; ++u) {
        score[u][g] = exp2f(score[u][g] - shift);
        total[g] += score[u][g];
      }
    }
#pragma unroll
    for (int u = 0; u < unroll; ++u) {
      float v[Shape::elements];
#pragma unroll
      for (int i = 0; i < Shape::vectors; ++i) {
        widen<T>(value[u][i], &v[i * Shape::per_vector]);
      }
#pragma unroll
      for (int g = 0; g < Group; ++g) {
#pragma unroll
        for (int e = 0; e < Shape::elements; ++e) {
          sum[g][e] += score[u][g] * v[e];
        }
      }
    }
  }

  // Teams of a warp.
#pragma unroll
  for (int offset = Shape::lanes; offset < 32; offset *= 2) {
#pragma unroll
    for (int g = 0; g < Group; ++g) {
      const float other = __shfl_xor_sync(0xffffffffu, largest[g], offset);
      const float both = fmaxf(largest[g], other);
      const float shift = both == -INFINITY ? 0.0f : both;
      const float own = exp2f(largest[g] - shift);
      const float theirs = exp2f(other - shift);
      total[g] = total[g] * own + __shfl_xor_sync(0xffffffffu, total[g], offset) * theirs;
#pragma unroll
      for (int e = 0; e < Shape::elements; ++e) {
        sum[g][e] = sum[g][e] * own + __shfl_xor_sync(0xffffffffu, sum[g][e], offset) * theirs;
      }
      largest[g] = both;
    }
  }

  // Warps of the block.
  __shared__ float shared_sum[warps][Group][HeadSize];
  __shared__ float shared_largest[warps][Group];
  __shared__ float shared_total[warps][Group];
  if (static_cast<int>(threadIdx.x) % 32 < Shape::lanes) {
#pragma unroll
    for (int g = 0; g < Group; ++g) {
#pragma unroll
      for (int e = 0; e < Shape::elements; ++e) {
        shared_sum[warp][g][row_index<Shape>(lane, e)] = sum[g][e];
      }
      if (lane == 0) {
        shared_largest[warp][g] = largest[g];
        shared_total[warp][g] = total[g];
      }
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < own_heads * HeadSize; i += block_threads) {
    const int g = i / HeadSize;
    const int e = i % HeadSize;
    float most = -INFINITY;
#pragma unroll
    for (int w = 0; w < warps; ++w) {
      most = fmaxf(most, shared_largest[w][g]);
    }
    const float shift = most == -INFINITY ? 0.0f : most;
    float all = 0;
    float weight = 0;
#pragma unroll
    for (int w = 0; w < warps; ++w) {
      const float share = exp2f(shared_largest[w][g] - shift);
      all += share * shared_sum[w][g][e];
      weight += share * shared_total[w][g];
    }
    const auto row = static_cast<std::int64_t>(sequence) * a.heads + first_head + g;
    if (a.splits == 1) {
      static_cast<T*>(a.output)[row * HeadSize + e] = static_cast<T>(all / weight);
    } else {
      float* partial = a.workspace + (row * a.splits + split) * (HeadSize + 2);
      partial[e] = all;
      if (e == 0) {
        partial[HeadSize] = most;
        partial[HeadSize + 1] = weight;
      }
    }
  }
}

/// Sums of the splits of one head: a block of head_size threads.
template <class T> __global__ void combine_splits(const AttentionDecode a) {
  const auto row = static_cast<std::int64_t>(blockIdx.y) * a.heads + blockIdx.x;
  const float* partial = a.workspace + row * a.splits * (a.head_size + 2);
  float most = -INFINITY;
  for (int s = 0; s < a.splits; ++s) {
    most = fmaxf(most, partial[s * (a.head_size + 2) + a.head_size]);
  }
  float all = 0;
  float weight = 0;
  for (int s = 0; s < a.splits; ++s) {
    const float* one = partial + s * (a.head_size + 2);
    const float share = exp2f(one[a.head_size] - most); // zero of a split without tokens
    all += share * one[threadIdx.x];
    weight += share * one[a.head_size + 1];
  }
  static_cast<T*>(a.output)[row * a.head_size + threadIdx.x] = static_cast<T>(all / weight);
}

/// Query heads that a block takes at once: the whole group up to 8.
int heads_at_once(const AttentionDecode& a) {
  const int group = a.heads / a.kv_heads;
  return group > 4 ? 8 : group > 2 ? 4 : group;
}

int blocks_of_a_group(const AttentionDecode& a) {
  const int at_once = heads_at_once(a);
  return (a.heads / a.kv_heads + at_once - 1) / at_once;
}

template <class T, int HeadSize> void launch(const AttentionDecode& a, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(a.splits),
                  static_cast<unsigned>(a.kv_heads * blocks_of_a_group(a)),
                  static_cast<unsigned>(a.sequences));
  switch (heads_at_once(a)) {
  case 1:
    split_attention<T, HeadSize, 1><<<grid, block_threads, 0, stream>>>(a);
    break;
  case 2:
    split_attention<T, HeadSize, 2><<<grid, block_threads, 0, stream>>>(a);
    break;
  case 4:
    split_attention<T, HeadSize, 4><<<grid, block_threads, 0, stream>>>(a);
    break;
  default:
    split_attention<T, HeadSize, 8><<<grid, block_threads, 0, stream>>>(a);
    break;
  }
  check(cudaGetLastError(), "launch decode attention");
  if (a.splits > 1) {
    const dim3 rows(static_cast<unsigned>(a.heads), static_cast<unsigned>(a.sequences));
    combine_splits<T><<<rows, HeadSize, 0, stream>>>(a);
    check(cudaGetLastError(), "launch the combination of attention's splits");
  }
}

template <class T> void launch(const AttentionDecode& a, cudaStream_t stream) {
  switch (a.head_size) {
  case 32:
    return launch<T, 32>(a, stream);
  case 64:
    return launch<T, 64>(a, stream);
  case 128:
    return launch<T, 128>(a, stream);
  case 256:
    return launch<T, 256>(a, stream);
  default:
    throw DeviceError{"decode attention has heads of 32, 64, 128 or 256, not of " +
                      std::to_string(a.head_size)};
  }
}

} // namespace

int attention_decode_splits(const AttentionDecode& attention, int sm_count) {
  const int tokens =
      attention.window > 0 ? std::min(attention.window, attention.context) : attention.context;
  const int blocks = attention.sequences * attention.kv_heads * blocks_of_a_group(attention);
  const int wanted = (blocks_per_processor * sm_count + blocks - 1) / blocks;
  const int possible = std::max(1, tokens / least_tokens_of_a_split);
  return std::clamp(std::min(wanted, possible), 1, most_splits);
}

std::size_t attention_decode_workspace_bytes(const AttentionDecode& attention) {
  return static_cast<std::size_t>(attention.sequences) * static_cast<std::size_t>(attention.heads) *
         static_cast<std::size_t>(attention.splits) *
         static_cast<std::size_t>(attention.head_size + 2) * sizeof(float);
}

void attention_decode(const AttentionDecode& attention, cudaStream_t stream) {
  if (attention.kv_heads < 1 || attention.heads % attention.kv_heads != 0) {
    throw DeviceError{"decode attention needs KV heads that divide the heads"};
  }
  switch (attention.type) {
  case DataType::fp32:
    return launch<float>(attention, stream);
  case DataType::bf16:
    return launch<__nv_bfloat16>(attention, stream);
  case DataType::fp16:
    return launch<__half>(attention, stream);
  default:
    throw DeviceError{"decode attention is not there for " + to_string(attention.type)};
  }
}

} // namespace decodesim
