#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/matrix_product.hpp"
#include "validation/cuda/tests/any_device.hpp"

#include <cmath>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <random>
#include <vector>

namespace decodesim {
namespace {

/// Whole numbers from -8 to 8 times `unit`: every type has them.
std::vector<float> numbers(std::int64_t count, float unit, unsigned seed) {
  std::mt19937 random{seed};
  std::vector<float> all;
  for (std::int64_t i = 0; i < count; ++i) {
    all.push_back(unit * (static_cast<float>(random() % 17) - 8.0f));
  }
  return all;
}

/// Calls `work` with an element of the type.
template <class Work> auto with_type(DataType type, Work work) {
  switch (type) {
  case DataType::fp32:
    return work(float{});
  case DataType::bf16:
    return work(__nv_bfloat16{});
  case DataType::fp16:
    return work(__half{});
  case DataType::fp8:
    return work(__nv_fp8_e4m3{});
  default:
    return work(std::int8_t{});
  }
}

DeviceBuffer on_device(const std::vector<float>& values, DataType type) {
  return with_type(type, [&](auto element) {
    using T = decltype(element);
    std::vector<T> stored;
    for (const float value : values) {
      stored.push_back(static_cast<T>(value));
    }
    DeviceBuffer buffer{stored.size() * sizeof(T)};
    check(cudaMemcpy(buffer.at(), stored.data(), buffer.bytes(), cudaMemcpyHostToDevice), "copy");
    return buffer;
  });
}

std::vector<float> on_host(const DeviceBuffer& buffer, DataType type) {
  return with_type(type, [&](auto element) {
    using T = decltype(element);
    std::vector<T> stored(buffer.bytes() / sizeof(T));
    check(cudaMemcpy(stored.data(), buffer.at(), buffer.bytes(), cudaMemcpyDeviceToHost), "copy");
    std::vector<float> values;
    for (const auto& one : stored) {
      values.push_back(static_cast<float>(one));
    }
    return values;
  });
}

/// Relative distance from the product in double precision.
/// @param x_unit  of the inputs; what is multiplied is the same for all
double error_of(DataType weights, DataType activations, std::int64_t m, float x_unit = 1.0f) {
  constexpr std::int64_t n = 192;
  constexpr std::int64_t k = 320;
  const auto a = numbers(m * k, x_unit, 1);
  const auto b = numbers(n * k, 1.0f, 2);
  const auto x = on_device(a, activations);
  const auto w = on_device(b, weights);
  const DeviceBuffer y{bytes_of(m * n, activations)};
  check(cudaMemset(y.at(), 0xff, y.bytes()), "poison the output");
  const ProductCall call{.m = m,
                         .n = n,
                         .k = k,
                         .x = {.data = x.at(), .type = activations, .elements = m * k},
                         .w = {.data = w.at(), .type = weights, .elements = n * k},
                         .y = {.data = y.at(), .type = activations, .elements = m * n},
                         .largest_weight = 127.0f};
  MatrixProducts products;
  products.prepare(call);
  products.run(call, nullptr);
  check(cudaDeviceSynchronize(), "multiply");
  const auto out = on_host(y, activations);
  double difference = 0;
  double norm = 0;
  for (std::int64_t row = 0; row < m; ++row) {
    for (std::int64_t column = 0; column < n; ++column) {
      double expected = 0;
      for (std::int64_t i = 0; i < k; ++i) {
        expected += static_cast<double>(a[static_cast<std::size_t>(row * k + i)]) *
                    b[static_cast<std::size_t>(column * k + i)];
      }
      const double error = out[static_cast<std::size_t>(row * n + column)] - expected;
      difference += error * error;
      norm += expected * expected;
    }
  }
  return std::sqrt(difference / norm);
}

class Gemm : public OnDevice {};

// Rounding of the output: 2^-9 in bf16, 2^-11 in fp16; fp8's fast accumulation keeps about 13 bits.
TEST_F(Gemm, EqualsTheProductInDoublePrecision) {
  for (const std::int64_t m : {1, 3, 32}) {
    EXPECT_LT(error_of(DataType::fp32, DataType::fp32, m), 1e-5) << m;
    EXPECT_LT(error_of(DataType::bf16, DataType::bf16, m), 4e-3) << m;
    EXPECT_LT(error_of(DataType::fp16, DataType::fp16, m), 1e-3) << m;
    EXPECT_LT(error_of(DataType::fp8, DataType::bf16, m), 1e-2) << m;
  }
}

// Inputs are quantised so that 8 is 127; whole multiples of 8/127, rounded to bf16, find theirs
// again. What is left is the rounding of inputs in the expected product and of the output: 2^-9
// each.
TEST_F(Gemm, OfInt8ScalesWholeSums) {
  for (const std::int64_t m : {1, 3, 32}) {
    EXPECT_LT(error_of(DataType::int8, DataType::bf16, m, 8.0f / 127.0f), 4e-3) << m;
  }
}

} // namespace
} // namespace decodesim
