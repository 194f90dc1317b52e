#pragma once

// Included before every rewritten CUDA source: CUDA's language as functions of C++.

#include "tests/cuda_on_cpu/thread_block.hpp"

#include <bit>
#include <cmath>
#include <cuda_runtime.h>

namespace cuda_on_cpu {

struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0; ///< dynamic
  cudaStream_t stream = nullptr;
};

/// @param kernel  its address, of which attributes are known; null for one without
void launch_threads(const char* name,
                    const void* kernel,
                    const LaunchShape& shape,
                    std::function<void()> thread);

/// kernel<<<shape>>>(arguments...): arguments are copied when it is launched.
template <class Kernel, class... Arguments>
void launch(const char* name,
            const void* address,
            const LaunchShape& shape,
            Kernel kernel,
            Arguments... arguments) {
  launch_threads(name, address, shape, [=] { kernel(arguments...); });
}

template <class Value> Value value_of_lane(unsigned mask, Value value, int lane, int line) {
  exchange_with_lane(&value, sizeof value, mask, lane, line);
  return value;
}

} // namespace cuda_on_cpu

#undef __launch_bounds__
#define __launch_bounds__(...)
#define threadIdx cuda_on_cpu::thread_index
#define blockIdx cuda_on_cpu::block_index
#define blockDim cuda_on_cpu::block_size
#define gridDim cuda_on_cpu::grid_size
#define __syncthreads() cuda_on_cpu::wait_for_block(__LINE__)
#define __shfl_sync(mask, value, lane)                                                             \
  cuda_on_cpu::value_of_lane(mask, value, (lane) % 32, __LINE__)
#define __shfl_xor_sync(mask, value, bits)                                                         \
  cuda_on_cpu::value_of_lane(mask, value, cuda_on_cpu::own_lane() ^ (bits), __LINE__)
#define __ldcs(address) (*(address))

template <class... Arguments>
cudaError_t
cudaFuncSetAttribute(void (*kernel)(Arguments...), cudaFuncAttribute attribute, int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}

inline float __expf(float x) { return std::exp(x); }

inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }

inline float rsqrtf(float x) { return 1.0F / std::sqrt(x); }

template <class T> T min(T a, T b) { return b < a ? b : a; }

template <class T> T max(T a, T b) { return a < b ? b : a; }
