#pragma once

#include "sim/error.hpp"
#include "sim/model/data_type.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

/// Elements as kernels see them: loaded to fp32, computed there, rounded when they are stored.
namespace decodesim {

__device__ inline float to_float(float value) { return value; }

__device__ inline float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }

__device__ inline float to_float(__half value) { return __half2float(value); }

template <class T> __device__ inline T from_float(float value) { return T(value); }

/// Calls `work` with an element of the type of activations.
/// @throws InputError when kernels do not compute in it
template <class Work> void with_activation_type(DataType type, Work work) {
  switch (type) {
  case DataType::fp32:
    return work(float{});
  case DataType::bf16:
    return work(__nv_bfloat16{});
  case DataType::fp16:
    return work(__half{});
  default:
    throw InputError::at(
        "execution", "activations are in " + to_string(type), "use one of fp32, bf16, fp16");
  }
}

/// Sum over the 32 lanes of a warp, in all of them.
__device__ inline float warp_sum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xffffffffU, value, offset);
  }
  return value;
}

__device__ inline float warp_largest(float value) {
  for (int offset = 16; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffU, value, offset));
  }
  return value;
}

/// Sum over a block of whole warps, in all threads. `shared` has 33 elements.
__device__ inline float block_sum(float value, float* shared) {
  const int warps = static_cast<int>(blockDim.x) / 32;
  value = warp_sum(value);
  __syncthreads();
  if (threadIdx.x % 32 == 0) {
    shared[threadIdx.x / 32] = value;
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    const float part = static_cast<int>(threadIdx.x) < warps ? shared[threadIdx.x] : 0.0F;
    const float sum = warp_sum(part);
    if (threadIdx.x == 0) {
      shared[32] = sum;
    }
  }
  __syncthreads();
  return shared[32];
}

} // namespace decodesim
