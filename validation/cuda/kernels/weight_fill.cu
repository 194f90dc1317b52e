#include "validation/cuda/kernels/element_type.cuh"
#include "validation/cuda/kernels/plan_kernels.cuh"
#include "validation/executor/weight_value.hpp"

#include <algorithm>

namespace decodesim {

namespace {

template <class T> __global__ void fill_kernel(T* shard, WeightPiece piece) {
  const auto elements = piece.rows * piece.columns;
  for (auto i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements;
       i += static_cast<std::int64_t>(gridDim.x) * blockDim.x) {
    const auto index = (piece.first_row + i / piece.columns) * piece.whole_columns +
                       piece.first_column + i % piece.columns;
    const float value = weight_value(piece.seed, static_cast<std::uint64_t>(index));
    shard[piece.offset + i] = std::is_same_v<T, std::int8_t>
                                  ? static_cast<T>(rintf(127.0F * value))
                                  : static_cast<T>(piece.middle + piece.spread * value);
  }
}

} // namespace

void launch_fill(const Array& array, const WeightPiece& piece, cudaStream_t stream) {
  const auto fill = [&](auto element) {
    using T = decltype(element);
    const auto elements = piece.rows * piece.columns;
    const auto blocks = std::clamp<std::int64_t>((elements + 255) / 256, 1, 8448);
    fill_kernel<<<static_cast<unsigned>(blocks), 256, 0, stream>>>(static_cast<T*>(array.data),
                                                                   piece);
  };
  switch (array.type) {
  case DataType::fp8:
    return fill(__nv_fp8_e4m3{});
  case DataType::int8:
    return fill(std::int8_t{});
  default:
    return with_activation_type(array.type, fill);
  }
}

} // namespace decodesim
