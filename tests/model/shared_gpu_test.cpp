#include "sim/engine/simulate.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/hand_plan.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

/// Two ranks of one GPU of 1e12 B/s, whose kernels reach all of that after `fixed_us`.
Machine one_gpu_of_two(double fixed_us = 0) {
  auto sketch = two_gpus(100, 0);
  sketch.gpu = round_gpu(1.0);
  for (auto& [kernel_class, cost] : sketch.gpu.kernels) {
    cost.fixed.value = Seconds{fixed_us * us};
  }
  auto machine = sketch.machine();
  machine.shared_gpu = true;
  return machine;
}

std::vector<double> kernel_ends(const SimulationResult& result, int rank) {
  std::vector<double> ends;
  for (const auto& span : result.timeline.spans) {
    if (span.rank == rank && span.kind == SpanKind::compute) {
      ends.push_back(span.end_s);
    }
  }
  return ends;
}

} // namespace

// 10 MB at 1e12 B/s take 10 us; two such kernels at once 20 us each.
TEST(SharedGpu, HalvesTheSpeedOfKernelsAtOnce) {
  const auto one = program({sampling(kernel_op("k", 10e6))});
  EXPECT_SAME(simulate(hand_plan({one, one}), one_gpu_of_two(), first_gpus(2)).end_s, 20 * us);
  EXPECT_SAME(simulate(hand_plan({one}), one_gpu_of_two(), first_gpus(1)).end_s, 10 * us);
}

// Of 30 us alone, 20 are fixed: the kernel needs a third of the GPU, and two at once have room.
TEST(SharedGpu, LeavesRoomBesideFixedCosts) {
  const auto one = program({sampling(kernel_op("k", 10e6))});
  EXPECT_SAME(simulate(hand_plan({one, one}), one_gpu_of_two(20), first_gpus(2)).end_s, 30 * us);
}

// 20 us fixed and 60 us busy: each wants 3/4 of the GPU and gets half, 60 / 0.5 = 120 us.
TEST(SharedGpu, SharesWhatIsLeft) {
  const auto one = program({sampling(kernel_op("k", 60e6))});
  EXPECT_SAME(simulate(hand_plan({one, one}), one_gpu_of_two(20), first_gpus(2)).end_s, 120 * us);
}

// The short one, 10 us of work at half speed, ends at 20 us; the long one has 20 of its 30 us left.
TEST(SharedGpu, IsWholeAgainForTheOneThatIsLeft) {
  const auto result = simulate(hand_plan({program({sampling(kernel_op("long", 30e6))}),
                                          program({sampling(kernel_op("short", 10e6))})}),
                               one_gpu_of_two(),
                               first_gpus(2),
                               {.record_timeline = true});
  EXPECT_SAME(kernel_ends(result, 0).back(), 40 * us);
  EXPECT_SAME(kernel_ends(result, 1).back(), 20 * us);
}

// Stages work in turn: each has the GPU to itself. 10 us, 1 MB at 100 GB/s, 10 us.
TEST(SharedGpu, DoesNotSlowRanksThatTakeTurns) {
  const auto first = program({kernel_op("a", 10e6), sampling(message_op("s", {send_to(1, 1e6)}))});
  const auto second =
      program({message_op("r", {receive_from(0, 1e6)}), sampling(kernel_op("b", 10e6))});
  EXPECT_SAME(simulate(hand_plan({first, second}), one_gpu_of_two(), first_gpus(2)).end_s, 30 * us);
}

// Kernels of both at once (20 us), then an all-gather of 2 x 1 MB over 100 GB/s, then both again.
TEST(SharedGpu, IsIdleDuringCollectives) {
  const auto one = program({kernel_op("a", 10e6),
                            collective_op("g", CollectiveKind::all_gather, 2e6),
                            sampling(kernel_op("b", 10e6))});
  EXPECT_SAME(simulate(hand_plan({one, one}), one_gpu_of_two(), first_gpus(2)).end_s, 50 * us);
}

// 141 GB less the reserve, over 4 ranks.
TEST(SharedGpu, GivesEachRankItsPartOfTheMemory) {
  const auto whole = find_machine("dgx-h200", 1, "test").gpu;
  const auto machine = find_machine("shared-h200", 4, "test");
  EXPECT_TRUE(machine.shared_gpu);
  EXPECT_EQ(machine.gpu_count(), 4);
  EXPECT_DOUBLE_EQ(machine.gpu.usable_memory().value(), whole.usable_memory().value() / 4);
}
