#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <nccl.h>
#include <stdexcept>
#include <string>
#include <string_view>

namespace decodesim {

/// A call of CUDA, cuBLASLt or NCCL failed, or the device cannot do what it was asked to.
class DeviceError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// @param what  "allocate 4096 bytes": what could not be done
/// @throws DeviceError "cannot WHAT: REASON" unless the result is success
inline void check(cudaError_t result, std::string_view what) {
  if (result != cudaSuccess) {
    (void)cudaGetLastError(); // told here: the next launch is not to find it
    throw DeviceError{"cannot " + std::string{what} + ": " + cudaGetErrorString(result)};
  }
}

inline void check(cublasStatus_t result, std::string_view what) {
  if (result != CUBLAS_STATUS_SUCCESS) {
    throw DeviceError{"cannot " + std::string{what} + ": " + cublasLtGetStatusString(result)};
  }
}

inline void check(ncclResult_t result, std::string_view what) {
  if (result != ncclSuccess) {
    throw DeviceError{"cannot " + std::string{what} + ": " + ncclGetErrorString(result) + " (" +
                      ncclGetLastError(nullptr) + ")"};
  }
}

} // namespace decodesim
