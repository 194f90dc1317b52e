#include "sim/device/kernel_cost.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

using namespace literals;

/// 1000 GB/s, 100 TFLOP/s, 10 processors, 1 MB of L2; products without fixed cost.
Gpu simple_gpu(KernelClassCost cost = {}) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.sm_count.value = 10;
  gpu.l2_cache.value = Bytes{1e6};
  cost.flop_efficiency_ratio.value = 1.0;
  cost.byte_efficiency_ratio.value = 1.0;
  gpu.kernels[KernelClass::gemm] = cost;
  return gpu;
}

/// 3 us of memory and 4 us of arithmetic.
constexpr KernelWork three_and_four{
    .kernel_class = KernelClass::gemm, .flop = Flop{4e8}, .bytes = Bytes{3e6}};

TEST(KernelTime, IsTheLargerOfMemoryAndArithmetic) {
  EXPECT_NEAR(kernel_time(three_and_four, simple_gpu()).value(), 4e-6, 1e-15);
}

// The 2-norm of 3 and 4 is 5, the 1-norm 7.
TEST(KernelTime, RoundsTheRidge) {
  EXPECT_NEAR(
      kernel_time(three_and_four, simple_gpu({.overlap_exponent = {{.value = 2.0}}})).value(),
      5e-6,
      1e-15);
  EXPECT_NEAR(
      kernel_time(three_and_four, simple_gpu({.overlap_exponent = {{.value = 1.0}}})).value(),
      7e-6,
      1e-15);
}

// 4 MB with a ramp of 1 MB: 4 + sqrt(4 x 1) = 6 us; 100 MB: 100 + sqrt(100) = 110 us.
TEST(KernelTime, ReachesItsBandwidthWithLongStreams) {
  const auto gpu = simple_gpu({.ramp = {{.value = Bytes{1e6}}}});
  EXPECT_NEAR(kernel_time({.bytes = Bytes{4e6}}, gpu).value(), 6e-6, 1e-15);
  EXPECT_NEAR(kernel_time({.bytes = Bytes{100e6}}, gpu).value(), 110e-6, 1e-15);
}

// Of 3 MB 1 MB is in L2, which is 4 times as fast: 2 + 1/4 us. 0.4 MB: 0.1 us.
TEST(KernelTime, ReadsFromTheCacheWhatFits) {
  const auto gpu = simple_gpu({.cache_speedup = {{.value = 4.0}}});
  EXPECT_NEAR(kernel_time({.bytes = Bytes{3e6}}, gpu).value(), 2.25e-6, 1e-15);
  EXPECT_NEAR(kernel_time({.bytes = Bytes{0.4e6}}, gpu).value(), 0.1e-6, 1e-15);
}

// 2 us, 500 steps of 2 ns, 30 rows of 1 us on 10 processors: 2 + 1 + 3 us.
TEST(KernelTime, CountsStepsAndRows) {
  const auto gpu = simple_gpu({.fixed = {.value = 2.0_us},
                               .per_depth = {{.value = Seconds{2e-9}}},
                               .per_row = {{.value = 1.0_us}}});
  EXPECT_NEAR(kernel_time({.depth = 500, .rows = 30}, gpu).value(), 6e-6, 1e-15);
}

// One processor reads a token in 20 ns: 1000 tokens take 20 us, however little memory moves; with a
// split cache 3 us.
TEST(KernelTime, IsBoundByOneProcessorWhereTheCacheIsNotSplit) {
  const auto gpu = simple_gpu({.per_unsplit_token = {{.value = Seconds{20e-9}}}});
  KernelWork work{.bytes = Bytes{3e6}, .depth = 1000, .unsplit = true};
  EXPECT_NEAR(kernel_time(work, gpu).value(), 20e-6, 1e-15);
  work.unsplit = false;
  EXPECT_NEAR(kernel_time(work, gpu).value(), 3e-6, 1e-15);
}

TEST(KernelTime, HasParametersOfItsOwnInFp8) {
  auto gpu = simple_gpu({.fixed = {.value = 1.0_us}});
  gpu.kernels[KernelClass::gemm_fp8] = gpu.kernels[KernelClass::gemm];
  gpu.kernels[KernelClass::gemm_fp8].fixed.value = 7.0_us;
  const KernelWork work{.compute = DataType::fp8};
  // Without a peak in fp8 it is computed in bf16, by that kernel.
  EXPECT_EQ(kernel_time(work, gpu), 1.0_us);
  gpu.peak[DataType::fp8].value = 200.0_TFLOPs;
  EXPECT_EQ(kernel_time(work, gpu), 7.0_us);
  EXPECT_EQ(kernel_time({.compute = DataType::bf16}, gpu), 1.0_us);
}

TEST(KernelLibrary, ReplacesFixedCostsAndScalesEfficiencies) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.kernels[KernelClass::gemm] = {{10.0_us, {}, ""}, {1.0, {}, ""}, {0.5, {}, ""}};
  const KernelWork work{.kernel_class = KernelClass::gemm, .bytes = Bytes{1e6}};
  // 1 MB at half of 1000 GB/s is 2 us.
  EXPECT_NEAR(kernel_time(work, gpu).value(), 12e-6, 1e-15);
  // Starts in 4 us, and reaches 0.5 x 1.6 = 0.8: 1.25 us.
  KernelLibrary library{.fixed = {{KernelClass::gemm, 4.0_us}},
                        .byte_efficiency = {{KernelClass::gemm, 1.6}}};
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 5.25e-6, 1e-15);
  // 0.5 x 4 is held at 1: 1 us.
  library.byte_efficiency[KernelClass::gemm] = 4.0;
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 5e-6, 1e-15);
}

// 20 processors of 10 GB/s each move 1 MB in 5 us, however wide the memory; in 1 us at 1000 GB/s,
// where 200 of them do.
TEST(KernelLibrary, LimitsWhatOneProcessorMoves) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.sm_count.value = 20;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.kernels[KernelClass::gemm] = {{{}, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  const KernelWork work{.kernel_class = KernelClass::gemm, .bytes = Bytes{1e6}};
  const KernelLibrary library{
      .fixed = {}, .byte_efficiency = {}, .per_sm_bandwidth = {{KernelClass::gemm, 10.0_GBps}}};
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 5e-6, 1e-15);
  gpu.sm_count.value = 200;
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 1e-6, 1e-15);
}

// Split, 3 MB at 1000 GB/s take 3 us; one block reads 1000 tokens at 20 ns each, whatever the KV
// heads.
TEST(KernelLibrary, HoldsUnsplitAttentionToOneBlock) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.kernels[KernelClass::attention_decode] = {{{}, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  const KernelWork work{
      .kernel_class = KernelClass::attention_decode, .bytes = Bytes{3e6}, .depth = 1000};
  EXPECT_NEAR(kernel_time(work, gpu).value(), 3e-6, 1e-15);
  const KernelLibrary library{
      .fixed = {},
      .byte_efficiency = {},
      .per_unsplit_token = {{KernelClass::attention_decode, Seconds{20e-9}}}};
  EXPECT_NEAR(kernel_time(work, gpu, library).value(), 20e-6, 1e-15);
}

// 3 MB of cache, which 4 query heads of each KV head read each: 12 MB at 10 x 400 GB/s are as fast
// as memory, 3 us; at 10 x 200 GB/s they take 6 us.
TEST(KernelLibrary, ReadsTheCacheOnceForEachQueryHead) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.sm_count.value = 10;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.kernels[KernelClass::attention_decode] = {{{}, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  const KernelWork work{.kernel_class = KernelClass::attention_decode,
                        .bytes = Bytes{3e6},
                        .cache_by_head = Bytes{12e6}};
  for (const auto& [each, us] : {std::pair{400.0_GBps, 3.0}, std::pair{200.0_GBps, 6.0}}) {
    const KernelLibrary library{.fixed = {},
                                .byte_efficiency = {},
                                .per_sm_cache_reads = {{KernelClass::attention_decode, each}}};
    EXPECT_NEAR(kernel_time(work, gpu, library).value(), us * 1e-6, 1e-15);
  }
}

// Class gemm_fp8 starts in 7 us since it quantises first; where that is fused, products in fp8 cost
// as class gemm.
TEST(KernelLibrary, SparesFusedQuantisation) {
  Gpu gpu;
  gpu.memory_bandwidth.value = 1000.0_GBps;
  gpu.peak[DataType::bf16].value = 100.0_TFLOPs;
  gpu.peak[DataType::fp8].value = 200.0_TFLOPs;
  gpu.kernels[KernelClass::gemm] = {{3.0_us, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  gpu.kernels[KernelClass::gemm_fp8] = {{7.0_us, {}, ""}, {1.0, {}, ""}, {1.0, {}, ""}};
  const KernelWork work{
      .kernel_class = KernelClass::gemm, .compute = DataType::fp8, .bytes = Bytes{1e6}};
  EXPECT_NEAR(kernel_time(work, gpu).value(), 8e-6, 1e-15);
  EXPECT_NEAR(
      kernel_time(work, gpu, {.fixed = {}, .byte_efficiency = {}, .fused_quantisation = true})
          .value(),
      4e-6,
      1e-15);
}

} // namespace
} // namespace decodesim
