#include "validation/cuda/kernels/cublaslt_gemm.hpp"

#include "validation/cuda/device_error.hpp"

#include <array>

namespace decodesim {

namespace {

constexpr int most_algorithms = 8;

struct Types {
  cudaDataType_t input = CUDA_R_16BF;
  cudaDataType_t output = CUDA_R_16BF;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cudaDataType_t scale = CUDA_R_32F;
};

Types types_of(DataType type) {
  switch (type) {
  case DataType::fp32:
    return {CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, CUDA_R_32F};
  case DataType::bf16:
    return {CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F, CUDA_R_32F};
  case DataType::fp16:
    return {CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, CUDA_R_32F};
  case DataType::fp8:
    return {CUDA_R_8F_E4M3, CUDA_R_16BF, CUBLAS_COMPUTE_32F, CUDA_R_32F};
  case DataType::int8:
    return {CUDA_R_8I, CUDA_R_32I, CUBLAS_COMPUTE_32I, CUDA_R_32I};
  default:
    throw DeviceError{"matrix products of " + to_string(type) + " are not there"};
  }
}

template <class Value>
void set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute, Value value) {
  check(cublasLtMatmulDescSetAttribute(product, attribute, &value, sizeof value),
        "describe a matrix product");
}

} // namespace

CublasLtGemm::CublasLtGemm(cublasLtHandle_t handle, const Shape& shape) : handle_{handle} {
  const auto types = types_of(shape.type);
  output_ = types.output;
  whole_numbers_ = shape.type == DataType::int8;
  const auto m = static_cast<std::uint64_t>(shape.m);
  const auto n = static_cast<std::uint64_t>(shape.n);
  const auto k = static_cast<std::uint64_t>(shape.k);
  check(cublasLtMatmulDescCreate(&product_, types.compute, types.scale),
        "describe a matrix product");
  // cuBLASLt's matrices are column-major: row-major y is y^T = W x^T, and W is stored as k x n.
  set(product_, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  set(product_, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
  if (shape.type == DataType::fp8) {
    set(product_, CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
  }
  check(cublasLtMatrixLayoutCreate(&weights_, types.input, k, n, shape.k), "describe weights");
  check(cublasLtMatrixLayoutCreate(&inputs_, types.input, k, m, shape.k), "describe inputs");
  check(cublasLtMatrixLayoutCreate(&outputs_, types.output, n, m, shape.n), "describe outputs");

  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtMatmulPreferenceCreate(&preference), "describe a matrix product");
  const auto limit = workspace_bytes;
  check(cublasLtMatmulPreferenceSetAttribute(
            preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &limit, sizeof limit),
        "limit the workspace");
  std::array<cublasLtMatmulHeuristicResult_t, most_algorithms> found{};
  int count = 0;
  const auto result = cublasLtMatmulAlgoGetHeuristic(handle_,
                                                     product_,
                                                     weights_,
                                                     inputs_,
                                                     outputs_,
                                                     outputs_,
                                                     preference,
                                                     most_algorithms,
                                                     found.data(),
                                                     &count);
  cublasLtMatmulPreferenceDestroy(preference);
  check(result, "find an algorithm for the matrix product");
  for (int i = 0; i < count; ++i) {
    const auto& one = found.at(static_cast<std::size_t>(i));
    if (one.state == CUBLAS_STATUS_SUCCESS) {
      algorithms_.push_back(one.algo);
    }
  }
  if (algorithms_.empty()) {
    throw DeviceError{"cuBLASLt has no algorithm for this matrix product"};
  }
}

CublasLtGemm::~CublasLtGemm() {
  cublasLtMatrixLayoutDestroy(outputs_);
  cublasLtMatrixLayoutDestroy(inputs_);
  cublasLtMatrixLayoutDestroy(weights_);
  cublasLtMatmulDescDestroy(product_);
}

std::size_t CublasLtGemm::output_element_bytes() const {
  return output_ == CUDA_R_32F || output_ == CUDA_R_32I ? 4 : 2;
}

std::string CublasLtGemm::output_type() const {
  switch (output_) {
  case CUDA_R_32F:
    return "fp32";
  case CUDA_R_32I:
    return "int32";
  case CUDA_R_16F:
    return "fp16";
  default:
    return "bf16";
  }
}

void CublasLtGemm::run(
    const void* x, const void* weights, void* y, void* workspace, cudaStream_t stream) const {
  constexpr float one = 1.0f;
  constexpr float zero = 0.0f;
  constexpr std::int32_t whole_one = 1;
  constexpr std::int32_t whole_zero = 0;
  check(cublasLtMatmul(handle_,
                       product_,
                       whole_numbers_ ? static_cast<const void*>(&whole_one) : &one,
                       weights,
                       weights_,
                       x,
                       inputs_,
                       whole_numbers_ ? static_cast<const void*>(&whole_zero) : &zero,
                       y,
                       outputs_,
                       y,
                       outputs_,
                       &algorithms_.at(chosen_),
                       workspace,
                       workspace_bytes,
                       stream),
        "multiply matrices");
}

} // namespace decodesim
