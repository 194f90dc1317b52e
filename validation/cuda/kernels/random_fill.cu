#include "validation/cuda/device_error.hpp"
#include "validation/cuda/kernels/random_fill.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

namespace decodesim {

namespace {

/// Uniform in [-1, 1). Source: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
__device__ float random_at(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return static_cast<float>(z >> 40) * (2.0f / 16777216.0f) - 1.0f;
}

template <class T> __device__ T converted(float value) { return static_cast<T>(value); }

template <> __device__ std::int8_t converted<std::int8_t>(float value) {
  return static_cast<std::int8_t>(rintf(fminf(fmaxf(value, -127.0f), 127.0f)));
}

template <class T>
__global__ void fill(T* data, std::int64_t elements, float scale, std::uint64_t seed) {
  const auto stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (auto i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements;
       i += stride) {
    data[i] = converted<T>(scale * random_at(seed, static_cast<std::uint64_t>(i)));
  }
}

template <class T>
void launch(
    void* data, std::int64_t elements, float scale, std::uint64_t seed, cudaStream_t stream) {
  fill<<<1024, 256, 0, stream>>>(static_cast<T*>(data), elements, scale, seed);
  check(cudaGetLastError(), "fill memory with random numbers");
}

} // namespace

void fill_random(void* data,
                 std::int64_t elements,
                 DataType type,
                 float scale,
                 std::uint64_t seed,
                 cudaStream_t stream) {
  switch (type) {
  case DataType::fp32:
    return launch<float>(data, elements, scale, seed, stream);
  case DataType::bf16:
    return launch<__nv_bfloat16>(data, elements, scale, seed, stream);
  case DataType::fp16:
    return launch<__half>(data, elements, scale, seed, stream);
  case DataType::fp8:
    return launch<__nv_fp8_e4m3>(data, elements, scale, seed, stream);
  case DataType::int8:
    return launch<std::int8_t>(data, elements, scale, seed, stream);
  default:
    throw DeviceError{"no random numbers of type " + to_string(type)};
  }
}

} // namespace decodesim
