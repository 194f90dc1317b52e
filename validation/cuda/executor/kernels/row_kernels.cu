#include "validation/cuda/executor/kernels/element_type.cuh"
#include "validation/cuda/executor/kernels/plan_kernels.cuh"

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

template <class T>
__global__ void gated_kernel(const T* in, T* out, std::int64_t rows, std::int64_t columns) {
  for (auto i = first_element(); i < rows * columns; i += element_step()) {
    const auto row = i / columns;
    const auto column = i % columns;
    const float gate = to_float(in[row * 2 * columns + column]);
    const float up = to_float(in[(row * 2 + 1) * columns + column]);
    out[i] = from_float<T>(gate / (1.0F + expf(-gate)) * up);
  }
}

template <class T> __global__ void gelu_kernel(const T* in, T* out, std::int64_t elements) {
  for (auto i = first_element(); i < elements; i += element_step()) {
    const float x = to_float(in[i]);
    out[i] = from_float<T>(0.5F * x * (1.0F + erff(x * 0.70710678F)));
  }
}

template <class T>
__global__ void sum_kernel(
    const T* left, const T* right, const T* gate, T* out, std::int64_t rows, std::int64_t columns) {
  for (auto i = first_element(); i < rows * columns; i += element_step()) {
    const float scale = gate == nullptr ? 1.0F : 1.0F / (1.0F + expf(-to_float(gate[i / columns])));
    out[i] = from_float<T>(to_float(left[i]) * scale + to_float(right[i]));
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

template <class T> __global__ void embedding_kernel(EmbeddingArguments<T> in) {
  for (auto i = first_element(); i < in.rows * in.columns; i += element_step()) {
    const auto row = i / in.columns;
    const auto column = i % in.columns;
    const auto from = in.tokens[row] - in.first_token;
    float value =
        from >= 0 && from < in.table_rows ? to_float(in.table[from * in.columns + column]) : 0.0F;
    if (in.positions != nullptr) {
      const auto position = in.first_position + row % in.query_tokens;
      value += to_float(in.positions[position * in.columns + column]);
    }
    in.out[i] = from_float<T>(value);
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
template <class T> __global__ void sampling_kernel(SamplingArguments<T> in) {
  __shared__ float logit_of[1024];
  __shared__ std::int64_t token_of[1024];
  const auto row = static_cast<std::int64_t>(blockIdx.x);
  float largest = -INFINITY;
  std::int64_t best = in.vocabulary;
  for (std::int64_t token = threadIdx.x; token < in.vocabulary; token += blockDim.x) {
    const auto part = token / in.part_columns;
    const float logit =
        to_float(in.logits[(part * in.rows + row) * in.part_columns + token % in.part_columns]);
    if (logit > largest) {
      largest = logit;
      best = token;
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
    const auto blocks = blocks_for(call.rows * call.columns);
    if (call.gated) {
      gated_kernel<<<blocks, threads, 0, stream>>>(in, out, call.rows, call.columns);
    } else {
      gelu_kernel<<<blocks, threads, 0, stream>>>(in, out, call.rows * call.columns);
    }
  });
}

void launch(const SumCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.out.type, [&](auto element) {
    using T = decltype(element);
    sum_kernel<<<blocks_for(call.rows * call.columns), threads, 0, stream>>>(
        static_cast<const T*>(call.in[0].data),
        static_cast<const T*>(call.in[1].data),
        call.gate ? static_cast<const T*>(call.gate->data) : nullptr,
        static_cast<T*>(call.out.data),
        call.rows,
        call.columns);
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
    embedding_kernel<T><<<blocks_for(call.rows * call.columns), threads, 0, stream>>>(
        {.tokens = static_cast<const std::int32_t*>(call.tokens.data),
         .table = static_cast<const T*>(call.table.data),
         .positions = call.positions ? static_cast<const T*>(call.positions->data) : nullptr,
         .out = static_cast<T*>(call.out.data),
         .rows = call.rows,
         .columns = call.columns,
         .first_token = call.first_token,
         .table_rows = call.table_rows,
         .query_tokens = call.query_tokens,
         .first_position = call.first_position});
  });
}

void launch(const SamplingCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.logits.type, [&](auto element) {
    using T = decltype(element);
    sampling_kernel<T><<<static_cast<unsigned>(call.rows), 1024, 0, stream>>>(
        {.logits = static_cast<const T*>(call.logits.data),
         .sampled = static_cast<std::int32_t*>(call.sampled.data),
         .next_tokens =
             call.next_tokens ? static_cast<std::int32_t*>(call.next_tokens->data) : nullptr,
         .rows = call.rows,
         .vocabulary = call.vocabulary,
         .part_columns = call.part_columns});
  });
}

} // namespace decodesim
