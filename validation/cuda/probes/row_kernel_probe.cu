#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/random_fill.cuh"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"

#include <cuda_bf16.h>
#include <string>

namespace decodesim {

namespace {

constexpr int threads = 256;
constexpr int per_vector = 8; ///< bf16 elements in 16 bytes

union Vector {
  uint4 raw;
  __nv_bfloat16 element[per_vector];
};

struct Rows {
  const uint4* first = nullptr;  ///< [rows][columns]
  const uint4* second = nullptr; ///< [rows][columns], where a kernel reads two
  uint4* out = nullptr;
  uint4* second_out = nullptr;
  int vectors = 0; ///< of a row of `out`
};

__device__ float sum_of_block(float own) {
  __shared__ float of_warp[threads / 32];
  for (int offset = 16; offset > 0; offset /= 2) {
    own += __shfl_xor_sync(0xffffffffu, own, offset);
  }
  if (threadIdx.x % 32 == 0) {
    of_warp[threadIdx.x / 32] = own;
  }
  __syncthreads();
  float all = 0;
  for (const float one : of_warp) {
    all += one;
  }
  return all;
}

/// Residual addition and RMS norm in one pass: reads x and the residual stream, writes both. A
/// block a row; what it adds up it keeps in shared memory.
__global__ void __launch_bounds__(threads) norm(const Rows rows) {
  extern __shared__ uint4 kept[];
  const auto row = static_cast<std::int64_t>(blockIdx.x) * rows.vectors;
  float squares = 0;
  for (int i = static_cast<int>(threadIdx.x); i < rows.vectors; i += threads) {
    Vector x{rows.first[row + i]};
    const Vector residual{rows.second[row + i]};
#pragma unroll
    for (int e = 0; e < per_vector; ++e) {
      const float sum = __bfloat162float(x.element[e]) + __bfloat162float(residual.element[e]);
      squares += sum * sum;
      x.element[e] = __float2bfloat16(sum);
    }
    kept[i] = x.raw;
    rows.second_out[row + i] = x.raw;
  }
  const float scale =
      rsqrtf(sum_of_block(squares) / static_cast<float>(rows.vectors * per_vector) + 1e-5f);
  for (int i = static_cast<int>(threadIdx.x); i < rows.vectors; i += threads) {
    Vector x{kept[i]};
#pragma unroll
    for (int e = 0; e < per_vector; ++e) {
      x.element[e] = __float2bfloat16(__bfloat162float(x.element[e]) * scale);
    }
    rows.out[row + i] = x.raw;
  }
}

/// Calls combine(a, b) for the elements of two rows, vector by vector; the grid covers all.
template <class Combine>
__device__ void combine_rows(const Rows& rows,
                             std::int64_t vectors,
                             std::int64_t first_stride,
                             std::int64_t second_stride,
                             const Combine& combine) {
  const auto i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= vectors) {
    return;
  }
  const auto row = i / rows.vectors;
  const auto at = i % rows.vectors;
  Vector a{rows.first[row * first_stride + at]};
  const Vector b{rows.second[row * second_stride + at]};
#pragma unroll
  for (int e = 0; e < per_vector; ++e) {
    a.element[e] =
        __float2bfloat16(combine(__bfloat162float(a.element[e]), __bfloat162float(b.element[e])));
  }
  rows.out[i] = a.raw;
}

__global__ void __launch_bounds__(threads) residual_add(const Rows rows, std::int64_t vectors) {
  combine_rows(rows, vectors, rows.vectors, rows.vectors, [](float a, float b) { return a + b; });
}

/// SiLU(gate) x up; gate and up are the halves of one row.
__global__ void __launch_bounds__(threads) gated_activation(const Rows rows, std::int64_t vectors) {
  const Rows halves{.first = rows.first,
                    .second = rows.first + rows.vectors,
                    .out = rows.out,
                    .vectors = rows.vectors};
  combine_rows(halves, vectors, 2 * rows.vectors, 2 * rows.vectors, [](float gate, float up) {
    return gate / (1.0f + __expf(-gate)) * up;
  });
}

/// Rotates neighbouring pairs by an angle that depends on row and column, as rotary embedding does.
__global__ void __launch_bounds__(threads) rotary(const Rows rows, std::int64_t vectors) {
  const auto i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= vectors) {
    return;
  }
  const auto row = static_cast<float>(i / rows.vectors);
  Vector x{rows.first[i]};
#pragma unroll
  for (int e = 0; e < per_vector; e += 2) {
    // Heads of 128: pair p of 64 turns by 10000^(-p / 64) a position.
    const auto pair = static_cast<float>((i * per_vector + e) % 128 / 2);
    float sine = 0;
    float cosine = 0;
    __sincosf(row * exp2f(pair * (-13.287712f / 64.0f)), &sine, &cosine);
    const float a = __bfloat162float(x.element[e]);
    const float b = __bfloat162float(x.element[e + 1]);
    x.element[e] = __float2bfloat16(a * cosine - b * sine);
    x.element[e + 1] = __float2bfloat16(a * sine + b * cosine);
  }
  rows.out[i] = x.raw;
}

/// Looks up a row per token; tokens are spread over the table.
__global__ void __launch_bounds__(threads) embedding(const Rows rows, int vocabulary) {
  const auto token = static_cast<std::int64_t>(blockIdx.x * 7919ull % vocabulary);
  for (int i = static_cast<int>(threadIdx.x); i < rows.vectors; i += threads) {
    rows.out[static_cast<std::int64_t>(blockIdx.x) * rows.vectors + i] =
        rows.first[token * rows.vectors + i];
  }
}

/// Largest logit of a row and its index, in one block of 1024 threads.
__global__ void __launch_bounds__(1024) sampling(const Rows rows, int vectors, int* tokens) {
  __shared__ float of_warp[32];
  __shared__ int index_of_warp[32];
  float best = -INFINITY;
  int at = 0;
  const auto row = static_cast<std::int64_t>(blockIdx.x) * vectors;
  for (int i = static_cast<int>(threadIdx.x); i < vectors; i += 1024) {
    const Vector x{rows.first[row + i]};
#pragma unroll
    for (int e = 0; e < per_vector; ++e) {
      const float logit = __bfloat162float(x.element[e]);
      if (logit > best) {
        best = logit;
        at = i * per_vector + e;
      }
    }
  }
  const auto reduce = [&] {
    for (int offset = 16; offset > 0; offset /= 2) {
      const float other = __shfl_xor_sync(0xffffffffu, best, offset);
      const int other_at = __shfl_xor_sync(0xffffffffu, at, offset);
      if (other > best || (other == best && other_at < at)) {
        best = other;
        at = other_at;
      }
    }
  };
  reduce();
  if (threadIdx.x % 32 == 0) {
    of_warp[threadIdx.x / 32] = best;
    index_of_warp[threadIdx.x / 32] = at;
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    best = of_warp[threadIdx.x];
    at = index_of_warp[threadIdx.x];
    reduce();
    if (threadIdx.x == 0) {
      tokens[blockIdx.x] = at;
    }
  }
}

/// A kernel at one shape: columns that it reads and writes of each row.
struct RowShape {
  std::string function;
  int rows = 0;
  int read_columns = 0;
  int write_columns = 0;
};

constexpr int vocabulary = 128256; // Llama 3

void launch(const RowShape& shape, const Rows& rows, int* tokens, cudaStream_t stream) {
  const auto vectors = static_cast<std::int64_t>(shape.rows) * rows.vectors;
  const auto row_blocks = static_cast<unsigned>(shape.rows);
  const auto blocks = static_cast<unsigned>((vectors + threads - 1) / threads);
  if (shape.function == "norm") {
    const auto kept = static_cast<std::size_t>(rows.vectors) * sizeof(uint4);
    norm<<<row_blocks, threads, kept, stream>>>(rows);
  } else if (shape.function == "residual_add") {
    residual_add<<<blocks, threads, 0, stream>>>(rows, vectors);
  } else if (shape.function == "gated_activation") {
    gated_activation<<<blocks, threads, 0, stream>>>(rows, vectors);
  } else if (shape.function == "rotary") {
    rotary<<<blocks, threads, 0, stream>>>(rows, vectors);
  } else if (shape.function == "embedding") {
    embedding<<<row_blocks, threads, 0, stream>>>(rows, vocabulary);
  } else {
    sampling<<<row_blocks, 1024, 0, stream>>>(rows, shape.read_columns / per_vector, tokens);
  }
  check(cudaGetLastError(), "launch the row-wise kernel");
}

/// One set of operands, used again and again: in a model too, a row-wise kernel finds in the L2
/// cache what the kernel before it has written.
void measure(const RowShape& shape, DeviceTimer& timer, ProbeResult& point) {
  const auto row_bytes = [&](int columns) {
    return static_cast<std::size_t>(shape.rows) * static_cast<std::size_t>(columns) *
           sizeof(__nv_bfloat16);
  };
  const auto input_bytes = shape.function == "embedding"
                               ? static_cast<std::size_t>(vocabulary) *
                                     static_cast<std::size_t>(shape.read_columns) *
                                     sizeof(__nv_bfloat16)
                               : row_bytes(shape.read_columns);
  const DeviceBuffer input{input_bytes};
  const DeviceBuffer output{row_bytes(shape.write_columns) + 16};
  const DeviceBuffer tokens{static_cast<std::size_t>(shape.rows) * sizeof(int)};
  fill_random(input.at(),
              static_cast<std::int64_t>(input_bytes / sizeof(__nv_bfloat16)),
              DataType::bf16,
              1.0f,
              1,
              timer.stream());
  const bool two = shape.function == "norm";
  const int columns = two ? shape.write_columns / 2 : shape.write_columns;
  const Rows rows{.first = input.at<uint4>(),
                  .second = input.at<uint4>(input_bytes / 2),
                  .out = output.at<uint4>(),
                  .second_out = output.at<uint4>(two ? row_bytes(columns) : 0),
                  .vectors = columns / per_vector};
  timer.time(point, 1, [&](int) { launch(shape, rows, tokens.at<int>(), timer.stream()); });
}

} // namespace

void probe_row_kernels(ProbeSession& session) {
  DeviceTimer timer{session.limits().rule};
  const auto point = [&](const RowShape& shape) {
    const auto bytes = static_cast<std::int64_t>(shape.rows) *
                       (shape.read_columns + shape.write_columns) *
                       static_cast<std::int64_t>(sizeof(__nv_bfloat16));
    session.point({.parameters = {{"function", shape.function},
                                  {"rows", shape.rows},
                                  {"read_columns", shape.read_columns},
                                  {"write_columns", shape.write_columns},
                                  {"dtype", "bf16"}},
                   .bytes = bytes},
                  [&](ProbeResult& result) { measure(shape, timer, result); });
  };
  for (const int rows : {1, 4, 16, 64, 256, 1024, 8192}) {
    for (const int hidden : {4096, 8192}) {
      point({"norm", rows, 2 * hidden, 2 * hidden});
      point({"residual_add", rows, 2 * hidden, hidden});
      point({"rotary", rows, hidden + hidden / 8, hidden + hidden / 8});
      point({"embedding", rows, hidden, hidden});
    }
    for (const int ffn : {3584, 14336, 28672}) {
      point({"gated_activation", rows, 2 * ffn, ffn});
    }
    for (const int columns : {vocabulary / 8, vocabulary}) {
      point({"sampling", rows, columns, 1});
    }
  }
}

} // namespace decodesim
