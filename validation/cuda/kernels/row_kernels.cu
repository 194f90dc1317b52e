#include "validation/cuda/kernels/element_type.cuh"
#include "validation/cuda/kernels/pack.cuh"
#include "validation/cuda/kernels/plan_kernels.cuh"

#include <algorithm>

namespace decodesim {

namespace {

constexpr int threads = 256;

/// Blocks for a loop in steps of the grid over `elements`.
unsigned blocks_for(std::int64_t elements) {
  constexpr std::int64_t most = 132 * 16; // several waves of an H100's SMs
  return static_cast<unsigned>(
      std::clamp<std::int64_t>((elements + threads - 1) / threads, 1, most));
}

__device__ inline std::int64_t first_element() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ inline std::int64_t element_step() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

// Below, counts of packs of N elements where elements are not named.

template <class T, int N>
__global__ void gated_kernel(const T* in, T* out, std::int64_t rows, std::int64_t columns) {
  const auto packs = columns / N;
  for (auto i = first_element(); i < rows * packs; i += element_step()) {
    const auto row = i / packs;
    const auto column = i % packs * N;
    const auto gate = load<N>(in + row * 2 * columns + column);
    const auto up = load<N>(in + (row * 2 + 1) * columns + column);
    Pack<T, N> product;
#pragma unroll
    for (int e = 0; e < N; ++e) {
      const float g = to_float(gate.element[e]);
      product.element[e] = from_float<T>(g / (1.0F + expf(-g)) * to_float(up.element[e]));
    }
    store(out + i * N, product);
  }
}

template <class T, int N> __global__ void gelu_kernel(const T* in, T* out, std::int64_t packs) {
  for (auto i = first_element(); i < packs; i += element_step()) {
    auto pack = load<N>(in + i * N);
#pragma unroll
    for (int e = 0; e < N; ++e) {
      const float x = to_float(pack.element[e]);
      pack.element[e] = from_float<T>(0.5F * x * (1.0F + erff(x * 0.70710678F)));
    }
    store(out + i * N, pack);
  }
}

template <class T, int N>
__global__ void sum_kernel(
    const T* left, const T* right, const T* gate, T* out, std::int64_t rows, std::int64_t columns) {
  const auto packs = columns / N;
  for (auto i = first_element(); i < rows * packs; i += element_step()) {
    const float scale = gate == nullptr ? 1.0F : 1.0F / (1.0F + expf(-to_float(gate[i / packs])));
    auto sum = load<N>(left + i * N);
    const auto other = load<N>(right + i * N);
#pragma unroll
    for (int e = 0; e < N; ++e) {
      sum.element[e] = from_float<T>(to_float(sum.element[e]) * scale + to_float(other.element[e]));
    }
    store(out + i * N, sum);
  }
}

template <class T> __global__ void copy_kernel(T* array, std::int64_t elements) {
  volatile T* through = array; // a copy onto itself is still read and written
  for (auto i = first_element(); i < elements; i += element_step()) {
    through[i] = through[i];
  }
}

template <class T> struct EmbeddingArguments {
  const std::int32_t* tokens;
  const T* table;
  const T* positions; ///< may be null
  T* out;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t first_token;
  std::int64_t table_rows;
  std::int64_t query_tokens;
  std::int64_t first_position;
};

template <class T, int N> __global__ void embedding_kernel(EmbeddingArguments<T> in) {
  const auto packs = in.columns / N;
  for (auto i = first_element(); i < in.rows * packs; i += element_step()) {
    const auto row = i / packs;
    const auto column = i % packs * N;
    const auto from = in.tokens[row] - in.first_token;
    Pack<T, N> value;
#pragma unroll
    for (int e = 0; e < N; ++e) {
      value.element[e] = from_float<T>(0.0F);
    }
    if (from >= 0 && from < in.table_rows) {
      value = load<N>(in.table + from * in.columns + column);
    }
    if (in.positions != nullptr) {
      const auto position = in.first_position + row % in.query_tokens;
      const auto added = load<N>(in.positions + position * in.columns + column);
#pragma unroll
      for (int e = 0; e < N; ++e) {
        value.element[e] = from_float<T>(to_float(value.element[e]) + to_float(added.element[e]));
      }
    }
    store(in.out + i * N, value);
  }
}

template <class T> struct SamplingArguments {
  const T* logits;
  std::int32_t* sampled;
  std::int32_t* next_tokens; ///< may be null
  std::int64_t rows;
  std::int64_t vocabulary;
  std::int64_t part_columns;
};

/// A block for each row; of equal logits the first wins.
template <class T, int N> __global__ void sampling_kernel(SamplingArguments<T> in) {
  __shared__ float logit_of[1024];
  __shared__ std::int64_t token_of[1024];
  const auto row = static_cast<std::int64_t>(blockIdx.x);
  float largest = -INFINITY;
  std::int64_t best = in.vocabulary;
  for (std::int64_t token = threadIdx.x * N; token < in.vocabulary; token += blockDim.x * N) {
    const auto part = token / in.part_columns;
    const auto logits =
        load<N>(in.logits + (part * in.rows + row) * in.part_columns + token % in.part_columns);
#pragma unroll
    for (int e = 0; e < N; ++e) {
      const float logit = to_float(logits.element[e]);
      if (logit > largest && token + e < in.vocabulary) { // the last part may be padded
        largest = logit;
        best = token + e;
      }
    }
  }
  logit_of[threadIdx.x] = largest;
  token_of[threadIdx.x] = best;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      const auto other = threadIdx.x + half;
      const bool wins =
          logit_of[other] > logit_of[threadIdx.x] ||
          (logit_of[other] == logit_of[threadIdx.x] && token_of[other] < token_of[threadIdx.x]);
      if (wins) {
        logit_of[threadIdx.x] = logit_of[other];
        token_of[threadIdx.x] = token_of[other];
      }
    }
  }
  if (threadIdx.x == 0) {
    // Logits that are all NaN have no largest.
    const auto token = static_cast<std::int32_t>(token_of[0] < in.vocabulary ? token_of[0] : 0);
    in.sampled[row] = token;
    if (in.next_tokens != nullptr) {
      in.next_tokens[row] = token;
    }
  }
}

} // namespace

void launch(const ActivationCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.in.type, [&](auto element) {
    using T = decltype(element);
    const auto* in = static_cast<const T*>(call.in.data);
    auto* out = static_cast<T*>(call.out.data);
    with_pack<T>(call.columns, {in, out}, [&](auto pack) {
      constexpr int n = decltype(pack)::value;
      const auto packs = call.rows * call.columns / n;
      if (call.gated) {
        gated_kernel<T, n>
            <<<blocks_for(packs), threads, 0, stream>>>(in, out, call.rows, call.columns);
      } else {
        gelu_kernel<T, n><<<blocks_for(packs), threads, 0, stream>>>(in, out, packs);
      }
    });
  });
}

void launch(const SumCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.out.type, [&](auto element) {
    using T = decltype(element);
    const auto* left = static_cast<const T*>(call.in[0].data);
    const auto* right = static_cast<const T*>(call.in[1].data);
    const auto* gate = call.gate ? static_cast<const T*>(call.gate->data) : nullptr;
    auto* out = static_cast<T*>(call.out.data);
    with_pack<T>(call.columns, {left, right, out}, [&](auto pack) {
      constexpr int n = decltype(pack)::value;
      sum_kernel<T, n><<<blocks_for(call.rows * call.columns / n), threads, 0, stream>>>(
          left, right, gate, out, call.rows, call.columns);
    });
  });
}

void launch(const CopyCall& call, cudaStream_t stream) {
  const auto bytes = static_cast<std::int64_t>(static_cast<double>(call.array.elements) *
                                               element_bytes(call.array.type).value());
  const auto words = bytes / static_cast<std::int64_t>(sizeof(std::uint32_t));
  if (words > 0) {
    copy_kernel<<<blocks_for(words), threads, 0, stream>>>(
        static_cast<std::uint32_t*>(call.array.data), words);
  }
}

void launch(const EmbeddingCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.out.type, [&](auto element) {
    using T = decltype(element);
    const EmbeddingArguments<T> arguments{
        .tokens = static_cast<const std::int32_t*>(call.tokens.data),
        .table = static_cast<const T*>(call.table.data),
        .positions = call.positions ? static_cast<const T*>(call.positions->data) : nullptr,
        .out = static_cast<T*>(call.out.data),
        .rows = call.rows,
        .columns = call.columns,
        .first_token = call.first_token,
        .table_rows = call.table_rows,
        .query_tokens = call.query_tokens,
        .first_position = call.first_position};
    with_pack<T>(
        call.columns, {arguments.table, arguments.positions, arguments.out}, [&](auto pack) {
          constexpr int n = decltype(pack)::value;
          embedding_kernel<T, n>
              <<<blocks_for(call.rows * call.columns / n), threads, 0, stream>>>(arguments);
        });
  });
}

void launch(const SamplingCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.logits.type, [&](auto element) {
    using T = decltype(element);
    const SamplingArguments<T> arguments{
        .logits = static_cast<const T*>(call.logits.data),
        .sampled = static_cast<std::int32_t*>(call.sampled.data),
        .next_tokens =
            call.next_tokens ? static_cast<std::int32_t*>(call.next_tokens->data) : nullptr,
        .rows = call.rows,
        .vocabulary = call.vocabulary,
        .part_columns = call.part_columns};
    with_pack<T>(call.part_columns, {arguments.logits}, [&](auto pack) {
      sampling_kernel<T, decltype(pack)::value>
          <<<static_cast<unsigned>(call.rows), 1024, 0, stream>>>(arguments);
    });
  });
}

} // namespace decodesim
