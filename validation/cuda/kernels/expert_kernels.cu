#include "validation/cuda/kernels/element_type.cuh"
#include "validation/cuda/kernels/plan_kernels.cuh"

namespace decodesim {

namespace {

constexpr int threads = 256;

/// Router: softmax over the logits, which is what the kernel of an engine computes too; the experts
/// are the table's, and equal weights take the place of the softmax's. A warp for each token.
template <class T>
__global__ void top_k_kernel(
    const T* logits, const std::int32_t* chosen, T* out, std::int64_t rows, int experts, int k) {
  const auto row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) {
    return;
  }
  float largest = -INFINITY;
  for (int expert = static_cast<int>(threadIdx.x); expert < experts; expert += 32) {
    largest = fmaxf(largest, to_float(logits[row * experts + expert]));
  }
  largest = warp_largest(largest);
  float sum = 0.0F;
  for (int expert = static_cast<int>(threadIdx.x); expert < experts; expert += 32) {
    sum += expf(to_float(logits[row * experts + expert]) - largest);
  }
  // The sum is at least 1: what follows reads it, so that the passes above are not left out.
  const float weight = warp_sum(sum) > 0.0F ? 1.0F / static_cast<float>(k) : 0.0F;
  for (int i = static_cast<int>(threadIdx.x); i < k; i += 32) {
    out[row * 2 * k + i] = from_float<T>(static_cast<float>(chosen[row * k + i]));
    out[(row * 2 + 1) * k + i] = from_float<T>(weight);
  }
}

/// Row `blockIdx.x` of the output is row rows[blockIdx.x] of `own`, or of `received` beyond those.
template <class T>
__global__ void gather_kernel(const T* own,
                              const T* received,
                              const std::int32_t* rows,
                              std::int64_t own_rows,
                              T* out,
                              std::int64_t columns) {
  const std::int64_t row = rows[blockIdx.x];
  const T* from = row < own_rows ? own + row * columns : received + (row - own_rows) * columns;
  for (std::int64_t c = threadIdx.x; c < columns; c += blockDim.x) {
    out[blockIdx.x * columns + c] = from[c];
  }
}

/// Sums of the rows of each token: those listed from begin[token] to begin[token + 1].
template <class T>
__global__ void sum_rows_kernel(const T* rows,
                                const std::int32_t* begin,
                                const std::int32_t* listed,
                                T* own,
                                T* received,
                                std::int64_t own_rows,
                                std::int64_t columns,
                                float weight,
                                bool adds) {
  const auto token = static_cast<std::int64_t>(blockIdx.x);
  T* out = token < own_rows ? own + token * columns : received + (token - own_rows) * columns;
  for (std::int64_t c = threadIdx.x; c < columns; c += blockDim.x) {
    float sum = adds ? to_float(out[c]) : 0.0F;
    for (int i = begin[token]; i < begin[token + 1]; ++i) {
      sum += weight * to_float(rows[listed[i] * columns + c]);
    }
    out[c] = from_float<T>(sum);
  }
}

} // namespace

void launch(const TopKCall& call, cudaStream_t stream) {
  if (call.rows == 0) {
    return;
  }
  with_activation_type(call.logits.type, [&](auto element) {
    using T = decltype(element);
    top_k_kernel<T><<<static_cast<unsigned>((call.rows + 3) / 4), dim3{32, 4}, 0, stream>>>(
        static_cast<const T*>(call.logits.data),
        call.tables->chosen,
        static_cast<T*>(call.out.data),
        call.rows,
        call.experts,
        call.k);
  });
}

void launch_gather_pairs(const GroupedProductCall& call, const Array& out, cudaStream_t stream) {
  const auto& rows = call.tables->rows;
  if (rows.sources.empty()) {
    return;
  }
  with_activation_type(out.type, [&](auto element) {
    using T = decltype(element);
    gather_kernel<T><<<static_cast<unsigned>(rows.sources.size()), threads, 0, stream>>>(
        call.own ? static_cast<const T*>(call.own->data) : nullptr,
        call.received ? static_cast<const T*>(call.received->data) : nullptr,
        call.tables->sources,
        rows.tokens,
        static_cast<T*>(out.data),
        call.k);
  });
}

void launch(const PackRowsCall& call, cudaStream_t stream) {
  const auto count = call.tables->rows.sent_tokens.size();
  if (count == 0) {
    return;
  }
  with_activation_type(call.x.type, [&](auto element) {
    using T = decltype(element);
    gather_kernel<T>
        <<<static_cast<unsigned>(count), threads, 0, stream>>>(static_cast<const T*>(call.x.data),
                                                               nullptr,
                                                               call.tables->sent_tokens,
                                                               call.tables->rows.tokens,
                                                               static_cast<T*>(call.out.data),
                                                               call.columns);
  });
}

void launch(const ExpertSumCall& call, cudaStream_t stream) {
  const auto& rows = call.tables->rows;
  if (rows.tokens + rows.received == 0) {
    return;
  }
  with_activation_type(call.rows.type, [&](auto element) {
    using T = decltype(element);
    sum_rows_kernel<T><<<static_cast<unsigned>(rows.tokens + rows.received), threads, 0, stream>>>(
        static_cast<const T*>(call.rows.data),
        call.tables->sum_begin,
        call.tables->sum_pairs,
        call.own ? static_cast<T*>(call.own->data) : nullptr,
        call.received ? static_cast<T*>(call.received->data) : nullptr,
        rows.tokens,
        call.columns,
        1.0F / static_cast<float>(call.k),
        false);
  });
}

void launch(const CombineSumCall& call, cudaStream_t stream) {
  const auto& rows = call.tables->rows;
  if (rows.tokens == 0) {
    return;
  }
  with_activation_type(call.sums.type, [&](auto element) {
    using T = decltype(element);
    sum_rows_kernel<T><<<static_cast<unsigned>(rows.tokens), threads, 0, stream>>>(
        static_cast<const T*>(call.returned.data),
        call.tables->returned_begin,
        call.tables->returned_rows,
        static_cast<T*>(call.sums.data),
        nullptr,
        rows.tokens,
        call.columns,
        1.0F,
        true);
  });
}

} // namespace decodesim
