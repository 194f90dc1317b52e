#include "sim/data_files.hpp"
#include "sim/device/kernel_cost.hpp"
#include "sim/plan/operation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace decodesim {
namespace {

/// Shapes drawn from a fixed seed, sizes evenly on a logarithmic scale.
class Shapes {
public:
  int from_to(int least, int most) {
    std::uniform_real_distribution<double> exponent{std::log(least), std::log(most + 0.999)};
    return static_cast<int>(std::exp(exponent(random_)));
  }

  bool coin() { return from_to(1, 2) == 1; }

  DataType weights() {
    constexpr DataType types[] = {DataType::bf16, DataType::fp8, DataType::int4, DataType::q8_0};
    return types[std::uniform_int_distribution<int>{0, 3}(random_)];
  }

  Gemm gemm() {
    return {.m = from_to(1, 8192),
            .n = from_to(64, 65536),
            .k = from_to(64, 65536),
            .weights = weights()};
  }

  Attention attention() {
    const int kv_heads = from_to(1, 16);
    return {.sequences = from_to(1, 512),
            .context_tokens = from_to(1, 131072),
            .heads = kv_heads * (coin() ? 1 : from_to(1, 16)),
            .kv_heads = kv_heads,
            .head_size = 128};
  }

private:
  std::mt19937_64 random_{20240607};
};

class EveryGpu : public testing::TestWithParam<std::string> {
protected:
  [[nodiscard]] Seconds time(const Kernel& kernel) const {
    return kernel_time(kernel_work(kernel), gpu_);
  }

  Gpu gpu_ = find_gpu(GetParam(), "");
};

/// What is not slower up to rounding.
::testing::AssertionResult at_most(Seconds less, Seconds more) {
  if (less.value() <= more.value() * (1.0 + 1e-12)) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << less.value() << " s is more than " << more.value();
}

TEST_P(EveryGpu, TakesNoLessForALargerProduct) {
  Shapes shapes;
  for (int i = 0; i < 300; ++i) {
    const auto shape = shapes.gemm();
    auto more = shape;
    more.m += shapes.from_to(1, 100);
    EXPECT_TRUE(at_most(time(shape), time(more)));
    more = shape;
    more.n += shapes.from_to(1, 10000);
    EXPECT_TRUE(at_most(time(shape), time(more)));
    more = shape;
    more.k += shapes.from_to(1, 10000);
    EXPECT_TRUE(at_most(time(shape), time(more)));
  }
}

TEST_P(EveryGpu, TakesNoLessForMoreAttention) {
  Shapes shapes;
  for (int i = 0; i < 300; ++i) {
    const auto shape = shapes.attention();
    auto more = shape;
    more.sequences += shapes.from_to(1, 100);
    EXPECT_TRUE(at_most(time(shape), time(more)));
    more = shape;
    more.context_tokens += shapes.from_to(1, 10000);
    EXPECT_TRUE(at_most(time(shape), time(more)));
    more = shape;
    more.heads *= 2;
    more.kv_heads *= 2;
    EXPECT_TRUE(at_most(time(shape), time(more)));
  }
}

TEST_P(EveryGpu, TakesNoMoreWithMoreBandwidthOrPeak) {
  Shapes shapes;
  auto faster = gpu_;
  faster.memory_bandwidth.value = 1.5 * faster.memory_bandwidth.value;
  auto stronger = gpu_;
  for (auto& [type, peak] : stronger.peak) {
    peak.value = 1.5 * peak.value;
  }
  for (int i = 0; i < 300; ++i) {
    for (const Kernel& kernel : {Kernel{shapes.gemm()}, Kernel{shapes.attention()}}) {
      const auto work = kernel_work(kernel);
      EXPECT_TRUE(at_most(kernel_time(work, faster), kernel_time(work, gpu_)));
      EXPECT_TRUE(at_most(kernel_time(work, stronger), kernel_time(work, gpu_)));
    }
  }
}

/// No kernel is faster than its bytes at the datasheet's bandwidth, or its flop at the peak.
TEST_P(EveryGpu, StaysBelowItsDatasheet) {
  Shapes shapes;
  for (int i = 0; i < 300; ++i) {
    for (const Kernel& kernel : {Kernel{shapes.gemm()}, Kernel{shapes.attention()}}) {
      const auto work = kernel_work(kernel);
      EXPECT_TRUE(at_most(work.bytes / gpu_.memory_bandwidth.value, kernel_time(work, gpu_)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         EveryGpu,
                         testing::ValuesIn(data_file_names(DataKind::kernels)),
                         [](const auto& preset_info) {
                           auto name = preset_info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
} // namespace decodesim
