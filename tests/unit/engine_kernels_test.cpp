#include "sim/network/custom/engine_kernels.hpp"
#include "sim/network/custom/exchange_kernels.hpp"
#include "tests/support/switched_group.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using decodesim::testing::SwitchedGroup;

namespace {

constexpr double kib = 1024;

double time_of(const char* algorithm, const SwitchedGroup::Shape& shape, double bytes) {
  const SwitchedGroup group{shape};
  return group
      .idle_time(
          collective_algorithm_named(algorithm, "test")
              .transfer({.kind = CollectiveKind::all_reduce, .total_bytes = Bytes{bytes}}, group))
      .value();
}

custom::EngineKernels vllm(int compute_capability) {
  return custom::engine_kernels("custom-vllm", Transport::nvlink, compute_capability).value();
}

/// base + (n-1) per_peer + bytes / bandwidth
double formula(const custom::KernelCost& cost, double members, double moved) {
  return (cost.base + (members - 1) * cost.per_peer + Bytes{moved} / cost.bandwidth).value();
}

} // namespace

// 8 H100, 64 KiB: below 256 KiB every GPU reads 7 arrays at once.
TEST(EngineKernels, ReadAllArraysOfSmallMessages) {
  EXPECT_NEAR(
      time_of("custom-vllm", {}, 64 * kib), formula(vllm(90).one_shot, 8, 7 * 64 * kib), 1e-10);
}

// 1 MiB: two rounds, 2 x 7/8 of the array.
TEST(EngineKernels, ReadLargerMessagesInTwoRounds) {
  EXPECT_NEAR(time_of("custom-vllm", {}, 1024 * kib),
              formula(vllm(90).two_shot.value(), 8, 2 * 7.0 / 8 * 1024 * kib),
              1e-10);
}

// The same through the switch: 9/8 of the array at each port.
TEST(EngineKernels, ReduceLargerMessagesInTheSwitch) {
  EXPECT_NEAR(time_of("custom", {}, 1024 * kib),
              formula(vllm(90).multimem.value(), 8, 9.0 / 8 * 1024 * kib),
              1e-10);
  EXPECT_EQ(time_of("custom", {.reduces = false}, 1024 * kib),
            time_of("custom-vllm", {.reduces = false}, 1024 * kib));
}

TEST(EngineKernels, LeaveOtherSizesAndGroupsToNccl) {
  EXPECT_EQ(time_of("custom-vllm", {}, 16 * 1024 * kib), time_of("nccl", {}, 16 * 1024 * kib));
  EXPECT_EQ(time_of("custom", {}, 128 * 1024 * kib), time_of("nccl", {}, 128 * 1024 * kib));
  const SwitchedGroup::Shape nodes{.nodes = 2, .per_node = 4};
  EXPECT_EQ(time_of("custom", nodes, kib), time_of("nccl", nodes, kib));
  // Four cards on PCIe are none of its business.
  const SwitchedGroup::Shape cards{.per_node = 4,
                                   .compute_capability = 120,
                                   .link_gbytes_per_s = 63,
                                   .moved_gbytes_per_s = 45,
                                   .reduces = false,
                                   .transport = Transport::pcie};
  EXPECT_EQ(time_of("custom", cards, kib), time_of("nccl", cards, kib));
}

TEST(EngineKernels, ScaleWithTheLinksOfAMachine) {
  const SwitchedGroup::Shape half{.moved_gbytes_per_s = 357.0 / 2};
  auto cost = vllm(90).one_shot;
  cost.bandwidth = cost.bandwidth / 2.0;
  EXPECT_NEAR(time_of("custom-vllm", half, 64 * kib), formula(cost, 8, 7 * 64 * kib), 1e-10);
}

TEST(ExchangeKernels, AreKnownByName) {
  EXPECT_EQ(custom::exchange_kernels_named("deepep-ll", "--moe-kernels"), "deepep-ll");
  EXPECT_THROW((void)custom::exchange_kernels_named("deepep", "--moe-kernels"), InputError);
  EXPECT_TRUE(custom::copies_for_each_expert("deepep-ll"));
  EXPECT_FALSE(custom::copies_for_each_expert("nccl"));
}

// 1 + 4/128 bytes for two.
TEST(ExchangeKernels, DispatchInEightBitsByDeepEp) {
  EXPECT_NEAR(custom::bytes_ratio("deepep-ll", false), (1 + 4.0 / 128) / 2, 1e-4);
  EXPECT_EQ(custom::bytes_ratio("deepep-ll", true), 1.0);
  EXPECT_EQ(custom::bytes_ratio("nccl", false), 1.0);
}

TEST(ExchangeKernels, AreUnknownOverLinksThatWereNotMeasured) {
  EXPECT_FALSE(
      custom::exchange_cost("deepep-ll", false, Transport::network, 90, BytesPerSecond{48e9}));
}
