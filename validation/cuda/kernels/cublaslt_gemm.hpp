#pragma once

#include "sim/model/data_type.hpp"

#include <cstddef>
#include <cstdint>
#include <cublasLt.h>
#include <cuda_runtime.h>
#include <string>
#include <vector>

namespace decodesim {

/// Matrix product y[m, n] = x[m, k] W[n, k]^T, all row-major, by cuBLASLt.
///
/// Inputs and weights have one type: fp32, bf16, fp16 (y alike), fp8 e4m3 (y in bf16, scales of 1,
/// fast accumulation as in serving engines) or int8 (y in 32-bit whole numbers). Sums are in fp32,
/// of int8 in 32-bit whole numbers.
class CublasLtGemm {
public:
  struct Shape {
    std::int64_t m = 0;
    std::int64_t n = 0;
    std::int64_t k = 0;
    DataType type = DataType::bf16;
  };

  /// Workspace that algorithms may take. Source: the size that NVIDIA recommends for Hopper (cuBLAS
  /// documentation, cublasSetWorkspace), and that PyTorch uses.
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

  /// Asks the heuristics for algorithms, the most promising first.
  /// @throws DeviceError when cuBLASLt knows none for the shape and type
  CublasLtGemm(cublasLtHandle_t handle, const Shape& shape);
  ~CublasLtGemm();
  CublasLtGemm(const CublasLtGemm&) = delete;
  CublasLtGemm& operator=(const CublasLtGemm&) = delete;

  [[nodiscard]] std::size_t algorithms() const { return algorithms_.size(); }

  /// Takes another algorithm than the first.
  void choose(std::size_t algorithm) { chosen_ = algorithm; }

  /// Bytes of an element of y.
  [[nodiscard]] std::size_t output_element_bytes() const;

  /// Name of y's type: "bf16", "int32".
  [[nodiscard]] std::string output_type() const;

  /// @param workspace  workspace_bytes on the device; not used by two products at a time
  /// @throws DeviceError
  void run(const void* x, const void* weights, void* y, void* workspace, cudaStream_t stream) const;

private:
  cublasLtHandle_t handle_;
  cudaDataType_t output_ = CUDA_R_16BF;
  bool whole_numbers_ = false;
  cublasLtMatmulDesc_t product_ = nullptr;
  cublasLtMatrixLayout_t weights_ = nullptr;
  cublasLtMatrixLayout_t inputs_ = nullptr;
  cublasLtMatrixLayout_t outputs_ = nullptr;
  std::vector<cublasLtMatmulAlgo_t> algorithms_;
  std::size_t chosen_ = 0;
};

} // namespace decodesim
