#include "validation/cuda/kernels/element_type.cuh"
#include "validation/cuda/kernels/pack.cuh"
#include "validation/cuda/kernels/plan_kernels.cuh"

namespace decodesim {

namespace {

constexpr float epsilon = 1e-5F; ///< as the CPU's

template <class T> struct NormArguments {
  const T* x;
  const T* added; ///< may be null
  const T* weight;
  T* y;
  T* sum; ///< may be null
  std::int64_t columns;
  std::int64_t first_row;
  std::int64_t row_step;
  bool centred;
  bool biased;
};

/// A block for each row; the row stays in shared memory between its passes, where each thread reads
/// what it wrote itself.
template <class T, int N> __global__ void norm_kernel(NormArguments<T> in) {
  extern __shared__ __align__(16) float row[];
  __shared__ float shared[33];
  const auto from = (in.first_row + blockIdx.x * in.row_step) * in.columns;
  const auto to = blockIdx.x * in.columns;
  const auto first = static_cast<std::int64_t>(threadIdx.x) * N;
  const auto step = static_cast<std::int64_t>(blockDim.x) * N;
  float part = 0;
  for (auto c = first; c < in.columns; c += step) {
    const auto x = load<N>(in.x + from + c);
    Pack<float, N> sum;
#pragma unroll
    for (int e = 0; e < N; ++e) {
      sum.element[e] = to_float(x.element[e]);
    }
    if (in.added != nullptr) {
      const auto added = load<N>(in.added + from + c);
#pragma unroll
      for (int e = 0; e < N; ++e) {
        sum.element[e] += to_float(added.element[e]);
      }
    }
    if (in.sum != nullptr) {
      Pack<T, N> rounded;
#pragma unroll
      for (int e = 0; e < N; ++e) {
        rounded.element[e] = from_float<T>(sum.element[e]);
      }
      store(in.sum + to + c, rounded);
    }
#pragma unroll
    for (int e = 0; e < N; ++e) {
      part += sum.element[e];
    }
    store(row + c, sum);
  }
  const float columns = static_cast<float>(in.columns);
  const float mean = in.centred ? block_sum(part, shared) / columns : 0.0F;
  float square = 0;
  for (auto c = first; c < in.columns; c += step) {
    const auto sum = load<N>(row + c);
#pragma unroll
    for (int e = 0; e < N; ++e) {
      square += (sum.element[e] - mean) * (sum.element[e] - mean);
    }
  }
  const float scale = rsqrtf(block_sum(square, shared) / columns + epsilon);
  for (auto c = first; c < in.columns; c += step) {
    const auto sum = load<N>(row + c);
    const auto weight = load<N>(in.weight + c);
    Pack<T, N> bias{};
    if (in.biased) {
      bias = load<N>(in.weight + in.columns + c);
    }
    Pack<T, N> y;
#pragma unroll
    for (int e = 0; e < N; ++e) {
      y.element[e] = from_float<T>((sum.element[e] - mean) * scale * to_float(weight.element[e]) +
                                   (in.biased ? to_float(bias.element[e]) : 0.0F));
    }
    store(in.y + to + c, y);
  }
}

/// A warp for each head of each row.
template <class T>
__global__ void head_norm_kernel(T* qkv,
                                 const T* weight,
                                 int heads,
                                 int query_heads,
                                 int head_size,
                                 std::int64_t row_columns,
                                 bool per_head) {
  const int head = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
  if (head >= heads) {
    return;
  }
  T* values = qkv + blockIdx.x * row_columns + std::int64_t{head} * head_size;
  float square = 0;
  for (int i = static_cast<int>(threadIdx.x); i < head_size; i += 32) {
    square += to_float(values[i]) * to_float(values[i]);
  }
  const float scale = rsqrtf(warp_sum(square) / static_cast<float>(head_size) + epsilon);
  const int row = per_head ? head : head < query_heads ? 0 : 1;
  for (int i = static_cast<int>(threadIdx.x); i < head_size; i += 32) {
    values[i] = from_float<T>(to_float(values[i]) * scale * to_float(weight[row * head_size + i]));
  }
}

} // namespace

void launch(const NormCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.x.type, [&](auto element) {
    using T = decltype(element);
    const auto bytes = static_cast<std::size_t>(call.columns) * sizeof(float);
    const NormArguments<T> arguments{.x = static_cast<const T*>(call.x.data),
                                     .added = call.added ? static_cast<const T*>(call.added->data)
                                                         : nullptr,
                                     .weight = static_cast<const T*>(call.weight.data),
                                     .y = static_cast<T*>(call.y.data),
                                     .sum = call.sum ? static_cast<T*>(call.sum->data) : nullptr,
                                     .columns = call.columns,
                                     .first_row = call.chosen.first,
                                     .row_step = call.chosen.step,
                                     .centred = call.kind != NormKind::rms_norm,
                                     .biased = call.kind == NormKind::layer_norm};
    with_pack<T>(call.columns,
                 {arguments.x, arguments.added, arguments.weight, arguments.y, arguments.sum},
                 [&](auto pack) {
                   constexpr int n = decltype(pack)::value;
                   if (bytes > 47 * 1024) { // of 48 KB, which the sums of the block share
                     cudaFuncSetAttribute(norm_kernel<T, n>,
                                          cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(bytes));
                   }
                   const int threads = call.columns >= 1024 * n ? 1024 : 256;
                   norm_kernel<T, n>
                       <<<static_cast<unsigned>(call.rows), threads, bytes, stream>>>(arguments);
                 });
  });
}

void launch(const HeadNormCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.qkv.type, [&](auto element) {
    using T = decltype(element);
    const dim3 blocks{static_cast<unsigned>(call.rows),
                      static_cast<unsigned>((call.heads + 3) / 4)};
    head_norm_kernel<T><<<blocks, dim3{32, 4}, 0, stream>>>(static_cast<T*>(call.qkv.data),
                                                            static_cast<const T*>(call.weight.data),
                                                            call.heads,
                                                            call.query_heads,
                                                            call.head_size,
                                                            call.row_columns,
                                                            call.per_head);
  });
}

} // namespace decodesim
