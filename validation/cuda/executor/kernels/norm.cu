#include "validation/cuda/executor/kernels/element_type.cuh"
#include "validation/cuda/executor/kernels/plan_kernels.cuh"

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

/// A block for each row; the row stays in shared memory between its two passes.
template <class T> __global__ void norm_kernel(NormArguments<T> in) {
  extern __shared__ float row[];
  __shared__ float shared[33];
  const auto from = (in.first_row + blockIdx.x * in.row_step) * in.columns;
  const auto to = blockIdx.x * in.columns;
  float part = 0;
  for (std::int64_t c = threadIdx.x; c < in.columns; c += blockDim.x) {
    float value = to_float(in.x[from + c]);
    if (in.added != nullptr) {
      value += to_float(in.added[from + c]);
    }
    if (in.sum != nullptr) {
      in.sum[to + c] = from_float<T>(value);
    }
    row[c] = value;
    part += value;
  }
  const float columns = static_cast<float>(in.columns);
  const float mean = in.centred ? block_sum(part, shared) / columns : 0.0F;
  float square = 0;
  for (std::int64_t c = threadIdx.x; c < in.columns; c += blockDim.x) {
    square += (row[c] - mean) * (row[c] - mean);
  }
  const float scale = rsqrtf(block_sum(square, shared) / columns + epsilon);
  for (std::int64_t c = threadIdx.x; c < in.columns; c += blockDim.x) {
    const float bias = in.biased ? to_float(in.weight[in.columns + c]) : 0.0F;
    in.y[to + c] = from_float<T>((row[c] - mean) * scale * to_float(in.weight[c]) + bias);
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
    if (bytes > 47 * 1024) { // of 48 KB, which the sums of the block share
      cudaFuncSetAttribute(
          norm_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
    }
    const int threads = call.columns >= 4096 ? 1024 : 256;
    norm_kernel<T><<<static_cast<unsigned>(call.rows), threads, bytes, stream>>>(
        {.x = static_cast<const T*>(call.x.data),
         .added = call.added ? static_cast<const T*>(call.added->data) : nullptr,
         .weight = static_cast<const T*>(call.weight.data),
         .y = static_cast<T*>(call.y.data),
         .sum = call.sum ? static_cast<T*>(call.sum->data) : nullptr,
         .columns = call.columns,
         .first_row = call.chosen.first,
         .row_step = call.chosen.step,
         .centred = call.kind != NormKind::rms_norm,
         .biased = call.kind == NormKind::layer_norm});
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
