#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <nccl.h>
#include <stdexcept>
#include <string>

namespace decodesim {

/// A call of CUDA, cuBLASLt or NCCL failed, or the device cannot do what it was asked to.
class DeviceError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// @param what  "allocate 4096 bytes": what could not be done
/// @throws DeviceError "cannot WHAT: REASON" unless the result is success
inline void check(cudaError_t result, const std::string& what) {
  if (result != cudaSuccess) {
    (void)cudaGetLastError(); // told here: the next launch is not to find it
    throw DeviceError{"cannot " + what + ": " + cudaGetErrorString(result)};
  }
}

inline void check(cublasStatus_t result, const std::string& what) {
  if (result != CUBLAS_STATUS_SUCCESS) {
    throw DeviceError{"cannot " + what + ": " + cublasLtGetStatusString(result)};
  }
}

inline void check(ncclResult_t result, const std::string& what) {
  if (result != ncclSuccess) {
    throw DeviceError{"cannot " + what + ": " + ncclGetErrorString(result) + " (" +
                      ncclGetLastError(nullptr) + ")"};
  }
}

} // namespace decodesim
