#pragma once

#include "validation/cuda/device_buffer.hpp"
#include "validation/executor/kernel_calls.hpp"

#include <compare>
#include <cstdint>
#include <cublasLt.h>
#include <cuda_runtime.h>
#include <map>

namespace decodesim {

/// Products of a plan by cuBLASLt, each with the first algorithm of its heuristics. Weights of
/// fp32, bf16 and fp16 are multiplied with activations of the same type. Those of fp8 (e4m3) and
/// int8 need inputs of their own type: they are made in a kernel before the product, as engines
/// without a fused one do, and count to its time; int8 sums are turned to activations behind it.
class MatrixProducts {
public:
  MatrixProducts();
  ~MatrixProducts();
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;

  /// Finds algorithms and memory; nothing is allocated in `run`.
  /// @throws std::runtime_error when cuBLASLt has no algorithm for the shape
  void prepare(const ProductCall& call);
  void prepare(const GroupedProductCall& call);
  void run(const ProductCall& call, cudaStream_t stream);
  void run(const GroupedProductCall& call, cudaStream_t stream);

private:
  /// What decides about an algorithm.
  struct Shape {
    std::int64_t m = 0;
    std::int64_t n = 0;
    std::int64_t k = 0;
    std::int64_t row_step = 0; ///< elements from one row of x to the next
    DataType weights = DataType::bf16;
    DataType outputs = DataType::bf16;
    bool bias = false;
    std::uint32_t alignment = 0; ///< of all three matrices, bytes

    auto operator<=>(const Shape&) const = default;
  };

  struct Product {
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t weights = nullptr;
    cublasLtMatrixLayout_t inputs = nullptr;
    cublasLtMatrixLayout_t outputs = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
    std::int64_t rows = 0; ///< that are multiplied
  };

  cublasLtHandle_t handle_ = nullptr;
  std::map<Shape, Product> products_;
  GrowingBuffer workspace_;
  GrowingBuffer inputs_;   ///< quantised
  GrowingBuffer sums_;     ///< of int8 products
  GrowingBuffer gathered_; ///< rows of grouped products

  [[nodiscard]] Product& product(const ProductCall& call);
  static void destroy(const Product& one);
  [[nodiscard]] bool find_algorithm(Product& one, const Shape& shape, std::int64_t rows);
};

} // namespace decodesim
