#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <nccl.h>
#include <stdexcept>
#include <string>

namespace decodesim {

/// @param what  what could not be done: "enqueue a kernel"
/// @throws std::runtime_error "cannot WHAT: REASON" unless the call succeeded
inline void require(cudaError_t result, const char* what) {
  if (result != cudaSuccess) {
    throw std::runtime_error{std::string{"cannot "} + what + ": " + cudaGetErrorString(result)};
  }
}

inline void require(cublasStatus_t result, const char* what) {
  if (result != CUBLAS_STATUS_SUCCESS) {
    throw std::runtime_error{std::string{"cannot "} + what + ": " +
                             cublasLtGetStatusString(result)};
  }
}

inline void require(ncclResult_t result, const char* what) {
  if (result != ncclSuccess) {
    throw std::runtime_error{std::string{"cannot "} + what + ": " + ncclGetErrorString(result) +
                             " (" + ncclGetLastError(nullptr) + ")"};
  }
}

} // namespace decodesim
