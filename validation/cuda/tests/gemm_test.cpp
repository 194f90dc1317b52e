#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/cublaslt_gemm.hpp"
#include "validation/cuda/kernels/random_fill.cuh"
#include "validation/cuda/tests/any_device.hpp"

#include <cmath>
#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <vector>

namespace decodesim {
namespace {

template <class T> std::vector<double> on_host(const DeviceBuffer& buffer, std::size_t count) {
  std::vector<T> raw(count);
  check(cudaMemcpy(raw.data(), buffer.at(), count * sizeof(T), cudaMemcpyDeviceToHost), "copy");
  std::vector<double> values;
  for (const auto& one : raw) {
    values.push_back(static_cast<double>(static_cast<float>(one)));
  }
  return values;
}

/// Relative distance from the product in double precision.
template <class In, class Out> double error_of(const CublasLtGemm::Shape& shape) {
  const auto m = static_cast<std::size_t>(shape.m);
  const auto n = static_cast<std::size_t>(shape.n);
  const auto k = static_cast<std::size_t>(shape.k);
  const DeviceBuffer x{m * k * sizeof(In)};
  const DeviceBuffer weights{n * k * sizeof(In)};
  const DeviceBuffer y{m * n * sizeof(Out)};
  const DeviceBuffer workspace{CublasLtGemm::workspace_bytes};
  const float scale = shape.type == DataType::int8 ? 100.0f : 1.0f;
  fill_random(x.at(), shape.m * shape.k, shape.type, scale, 1, nullptr);
  fill_random(weights.at(), shape.n * shape.k, shape.type, scale, 2, nullptr);
  check(cudaMemset(y.at(), 0xff, y.bytes()), "poison the output");
  cublasLtHandle_t handle = nullptr;
  check(cublasLtCreate(&handle), "start cuBLASLt");
  {
    const CublasLtGemm gemm{handle, shape};
    EXPECT_EQ(gemm.output_element_bytes(), sizeof(Out));
    gemm.run(x.at(), weights.at(), y.at(), workspace.at(), nullptr);
    check(cudaDeviceSynchronize(), "multiply");
  }
  cublasLtDestroy(handle);
  const auto a = on_host<In>(x, m * k);
  const auto b = on_host<In>(weights, n * k);
  const auto out = on_host<Out>(y, m * n);
  double difference = 0;
  double norm = 0;
  for (std::size_t row = 0; row < m; ++row) {
    for (std::size_t column = 0; column < n; ++column) {
      double expected = 0;
      for (std::size_t i = 0; i < k; ++i) {
        expected += a[row * k + i] * b[column * k + i];
      }
      difference += (out[row * n + column] - expected) * (out[row * n + column] - expected);
      norm += expected * expected;
    }
  }
  return std::sqrt(difference / norm);
}

class Gemm : public OnDevice {};

// Rounding of the output: 2^-9 in bf16, 2^-11 in fp16; fp8's fast accumulation keeps about 13 bits.
TEST_F(Gemm, EqualsTheProductInDoublePrecision) {
  for (const std::int64_t m : {1, 3, 32}) {
    const auto shape = [m](DataType type) { return CublasLtGemm::Shape{m, 192, 320, type}; };
    EXPECT_LT((error_of<float, float>(shape(DataType::fp32))), 1e-5) << m;
    EXPECT_LT((error_of<__nv_bfloat16, __nv_bfloat16>(shape(DataType::bf16))), 4e-3) << m;
    EXPECT_LT((error_of<__half, __half>(shape(DataType::fp16))), 1e-3) << m;
    EXPECT_LT((error_of<__nv_fp8_e4m3, __nv_bfloat16>(shape(DataType::fp8))), 1e-2) << m;
  }
}

// Whole numbers are exact.
TEST_F(Gemm, OfWholeNumbersIsExact) {
  EXPECT_LT((error_of<std::int8_t, std::int32_t>({32, 192, 320, DataType::int8})), 1e-6);
}

} // namespace
} // namespace decodesim
