#include "validation/cuda/kernels/element_type.cuh"
#include "validation/cuda/kernels/plan_kernels.cuh"

#include <algorithm>

namespace decodesim {

namespace {

constexpr int threads = 256;
constexpr float largest_input = 8.0F; ///< that an int8 stands for

unsigned blocks_for(std::int64_t elements) {
  return static_cast<unsigned>(
      std::clamp<std::int64_t>((elements + threads - 1) / threads, 1, 2112));
}

template <class T>
__global__ void to_fp8_kernel(const T* from, __nv_fp8_e4m3* to, std::int64_t elements) {
  for (auto i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements;
       i += static_cast<std::int64_t>(gridDim.x) * blockDim.x) {
    to[i] = __nv_fp8_e4m3(to_float(from[i]));
  }
}

template <class T>
__global__ void to_int8_kernel(const T* from, std::int8_t* to, std::int64_t elements) {
  for (auto i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements;
       i += static_cast<std::int64_t>(gridDim.x) * blockDim.x) {
    const float scaled = to_float(from[i]) * (127.0F / largest_input);
    to[i] = static_cast<std::int8_t>(rintf(fminf(fmaxf(scaled, -127.0F), 127.0F)));
  }
}

template <class T>
__global__ void dequantise_kernel(const std::int32_t* from,
                                  const T* bias,
                                  T* to,
                                  std::int64_t elements,
                                  std::int64_t columns,
                                  float scale) {
  for (auto i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements;
       i += static_cast<std::int64_t>(gridDim.x) * blockDim.x) {
    const float added = bias == nullptr ? 0.0F : to_float(bias[i % columns]);
    to[i] = from_float<T>(static_cast<float>(from[i]) * scale + added);
  }
}

} // namespace

void launch_quantise(const Array& from,
                     const Array& to,
                     std::int64_t elements,
                     cudaStream_t stream) {
  with_activation_type(from.type, [&](auto element) {
    using T = decltype(element);
    const auto* in = static_cast<const T*>(from.data);
    if (to.type == DataType::fp8) {
      to_fp8_kernel<<<blocks_for(elements), threads, 0, stream>>>(
          in, static_cast<__nv_fp8_e4m3*>(to.data), elements);
    } else {
      to_int8_kernel<<<blocks_for(elements), threads, 0, stream>>>(
          in, static_cast<std::int8_t*>(to.data), elements);
    }
  });
}

void launch_dequantise(const std::int32_t* from,
                       const Array& to,
                       std::int64_t rows,
                       std::int64_t columns,
                       float scale,
                       const std::optional<Array>& bias,
                       cudaStream_t stream) {
  with_activation_type(to.type, [&](auto element) {
    using T = decltype(element);
    dequantise_kernel<T><<<blocks_for(rows * columns), threads, 0, stream>>>(
        from,
        bias ? static_cast<const T*>(bias->data) : nullptr,
        static_cast<T*>(to.data),
        rows * columns,
        columns,
        scale * largest_input / 127.0F);
  });
}

} // namespace decodesim
