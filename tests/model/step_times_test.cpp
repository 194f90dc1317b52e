#include "sim/device/kernel_cost.hpp"
#include "sim/engine/simulate.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/hand_plan.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

double kernel_seconds(const Operation& op, int step, const Gpu& gpu) {
  const auto* kernel = as_kernel(op);
  return kernel == nullptr ? 0.0 : kernel_time(kernel_work(*kernel, {step}), gpu).value();
}

double kernels_of_step(const Plan& plan, int step, const Gpu& gpu) {
  double sum = 0;
  for (const auto& op : plan.program(0).body) {
    sum += kernel_seconds(op, step, gpu);
  }
  return sum;
}

std::vector<double> step_times(const SimulationResult& result) {
  std::vector<double> times;
  double before = result.first_token_s;
  for (const double end : result.step_end_s) {
    times.push_back(end - before);
    before = end;
  }
  return times;
}

/// Base 3 us; 0.25 us of software and two links of 0.5 us per hop; 100 GB/s links of which one GPU
/// moves 80 GB/s.
Machine communicating(int gpus) {
  auto sketch = switched_gpus(gpus, 100, 0.5);
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  sketch.gpu.graph_launch.value = Seconds{10 * us};
  return sketch.machine();
}

constexpr double base = 3 * us;
constexpr double hop = (0.25 + 2 * 0.5) * us;
constexpr int layers = 4;
constexpr double hidden_bytes = 2 * 1024 * 2; // 2 sequences, bf16
constexpr double logit_bytes = 2 * 8192 * 2;

struct CollectiveTimes {
  double all_reduce;
  double all_gather;
};

void expect_tensor_parallel_step(int ranks,
                                 const std::string& algorithm,
                                 const CollectiveTimes& times) {
  const auto machine = communicating(ranks);
  const auto plan = build_plan(small_model(layers), tp_layout(ranks), workload(2, 16, 5));
  const auto result = simulate(plan, machine, first_gpus(ranks), {.collectives = algorithm});
  const auto steps = step_times(result);
  ASSERT_EQ(steps.size(), 4u);
  for (int step = 0; step < 4; ++step) {
    EXPECT_SAME(steps[static_cast<std::size_t>(step)],
                10 * us + kernels_of_step(plan, step, machine.gpu) +
                    (2 * layers + 1) * times.all_reduce + times.all_gather);
  }
}

} // namespace

TEST(TensorParallelStep, OfOneRankIsItsKernels) { expect_tensor_parallel_step(1, "ring", {0, 0}); }

// Ring: all-reduce base + 2 (n-1) hops + 2 (n-1)/n S / B, all-gather half of the hops and bytes.
TEST(TensorParallelStep, OfTwoRanksAddsRingsOfTwo) {
  expect_tensor_parallel_step(
      2, "ring", {base + 2 * hop + hidden_bytes / 80e9, base + hop + 0.5 * logit_bytes / 80e9});
}

TEST(TensorParallelStep, OfEightRanksAddsRingsOfEight) {
  expect_tensor_parallel_step(
      8,
      "ring",
      {base + 14 * hop + 1.75 * hidden_bytes / 80e9, base + 7 * hop + 0.875 * logit_bytes / 80e9});
}

// Each GPU sends to 7 peers at once, 80/7 GB/s each: the whole array for a sum, its own eighth for
// a gather; one hop.
TEST(TensorParallelStep, WithOneShotCollectivesTakesOneHop) {
  expect_tensor_parallel_step(
      8,
      "one-shot",
      {base + hop + 7 * hidden_bytes / 80e9, base + hop + 7.0 / 8.0 * logit_bytes / 80e9});
}

// An eighth to each peer to be summed, and an eighth back; two hops.
TEST(TensorParallelStep, WithTwoShotCollectivesTakesTwoHops) {
  expect_tensor_parallel_step(8,
                              "two-shot",
                              {base + 2 * hop + 2.0 * 7.0 / 8.0 * hidden_bytes / 80e9,
                               base + hop + 7.0 / 8.0 * logit_bytes / 80e9});
}

// The ring's bytes over the links, nothing else.
TEST(TensorParallelStep, WithIdealCollectivesIsBytesOverBandwidth) {
  expect_tensor_parallel_step(
      8, "ideal", {1.75 * hidden_bytes / 100e9, 0.875 * logit_bytes / 100e9});
}

// reduce-scatter as all-gather; broadcast along the chain of n - 1 hops, all bytes over each.
TEST(CollectiveTimes, OfReduceScatterAndBroadcast) {
  const auto machine = communicating(4);
  const auto time = [&](CollectiveKind kind, const std::string& algorithm) {
    const auto one = program(
        {sampling(kernel_op("k", 0)), collective_op("c", kind, 4e6), sampling(kernel_op("k", 0))});
    auto free = machine;
    free.gpu.graph_launch.value = Seconds{0.0};
    return simulate(
               hand_plan({one, one, one, one}), free, first_gpus(4), {.collectives = algorithm})
        .end_s;
  };
  EXPECT_SAME(time(CollectiveKind::reduce_scatter, "ring"), base + 3 * hop + 0.75 * 4e6 / 80e9);
  EXPECT_SAME(time(CollectiveKind::broadcast, "ring"), base + 3 * hop + 4e6 / 80e9);
  EXPECT_SAME(time(CollectiveKind::broadcast, "one-shot"), base + hop + 3 * 4e6 / 80e9);
  EXPECT_SAME(time(CollectiveKind::reduce_scatter, "two-shot"), base + hop + 3 * 1e6 / 80e9);
}

// ---------------------------------------------------------------------------------------- ZeRO-3

namespace {

/// 1e12 B/s of memory: kernels take half of it, a gather at 80 GB/s crosses it twice.
struct Zero3Case {
  Machine machine;
  Plan plan;
  double launch = 0;

  Zero3Case(bool prefetch, double launch_us) : launch{launch_us * us} {
    auto sketch = switched_gpus(4, 100, 0.5);
    sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
    sketch.gpu.graph_launch.value = Seconds{launch};
    machine = sketch.machine();
    plan = build_plan(small_model(layers), zero3_layout(4, prefetch), workload(8, 16, 5));
  }

  struct Unit {
    double gather = 0;
    double compute = 0;
  };

  /// Embedding, layers, head: base + 3 hops + 3/4 S / 80 GB/s, then its kernels.
  [[nodiscard]] std::vector<Unit> units(Part part, int step) const {
    std::vector<Unit> all;
    for (const auto& op : plan.program(0).part(part)) {
      if (const auto* gather = as_collective(op)) {
        all.push_back(
            {.gather = base + 3 * hop + 0.75 * gather->total_bytes.value() / 80e9, .compute = 0});
      } else {
        all.back().compute += kernel_seconds(op, step, machine.gpu);
      }
    }
    return all;
  }
};

} // namespace

TEST(Zero3Step, WithoutPrefetchIsGathersAndKernelsInTurn) {
  const Zero3Case one{false, 0};
  const auto result = simulate(one.plan, one.machine, first_gpus(4));
  double expected = 0;
  const auto add = [&](Part part, int step) {
    for (const auto& unit : one.units(part, step)) {
      expected += unit.gather + unit.compute;
    }
  };
  add(Part::prologue, 0);
  EXPECT_SAME(result.first_token_s, expected);
  for (int step = 0; step < 4; ++step) {
    add(Part::body, step);
    EXPECT_SAME(result.step_end_s.at(static_cast<std::size_t>(step)), expected);
  }
}

// The launch of a step comes before its first kernel; gathers do not wait for it, and the first one
// takes longer than 10 us.
TEST(Zero3Step, HidesItsLaunchBehindTheFirstGather) {
  const auto free = Zero3Case{false, 0};
  const auto with = Zero3Case{false, 10};
  const auto a = simulate(free.plan, free.machine, first_gpus(4));
  const auto b = simulate(with.plan, with.machine, first_gpus(4));
  EXPECT_SAME(step_times(b)[2], step_times(a)[2]);
}

// Two buffers. Gather u starts when gather u-1 is through and computation u-2 done, computation u
// when gather u is through and computation u-1 done; over all passes, numbered on. Each pass has an
// even number of units (6), so that buffers alternate across passes too.
TEST(Zero3Step, WithPrefetchOverlapsTheNextGather) {
  const Zero3Case one{true, 0};
  const auto result = simulate(one.plan, one.machine, first_gpus(4));
  double gathered = 0;        // end of the last gather
  double computed = 0;        // end of the last computation
  double computed_before = 0; // end of the one before
  const auto play = [&](Part part, int step) {
    for (const auto& unit : one.units(part, step)) {
      gathered = std::max(gathered, computed_before) + unit.gather;
      computed_before = computed;
      computed = std::max(gathered, computed) + unit.compute;
    }
  };
  play(Part::prologue, 0);
  EXPECT_SAME(result.first_token_s, computed);
  for (int step = 0; step < 4; ++step) {
    play(Part::body, step);
    EXPECT_SAME(result.step_end_s.at(static_cast<std::size_t>(step)), computed);
  }
}

TEST(Zero3Step, WithPrefetchIsShorter) {
  const Zero3Case without{false, 0};
  const Zero3Case with{true, 0};
  EXPECT_LT(simulate(with.plan, with.machine, first_gpus(4)).end_s,
            simulate(without.plan, without.machine, first_gpus(4)).end_s);
}

// A rank without a sequence gathers with the others: the step is as long as with one each.
TEST(Zero3Step, TakesAsLongWhenARankHasNoSequence) {
  const Zero3Case one{false, 0};
  const auto three = build_plan(small_model(layers), zero3_layout(4, false), workload(3, 16, 5));
  const auto four = build_plan(small_model(layers), zero3_layout(4, false), workload(4, 16, 5));
  EXPECT_SAME(simulate(three, one.machine, first_gpus(4)).end_s,
              simulate(four, one.machine, first_gpus(4)).end_s);
}

// ------------------------------------------------------------------------------------- launches

namespace {

Machine slow_launches(int gpus) {
  auto sketch = switched_gpus(gpus, 100, 0.5);
  sketch.gpu.eager_launch.value = Seconds{200 * us};
  return sketch.machine();
}

} // namespace

// Kernels and collectives of a few us, launched every 200 us: a step is its operations x 200 us and
// the last of them, the sampling, whose end the host awaits before it goes on; so is the prefill.
TEST(EagerLaunch, BoundsAStepByTheHost) {
  for (const int ranks : {1, 2}) {
    const auto machine = slow_launches(2);
    const auto plan = build_plan(small_model(layers), tp_layout(ranks), workload(2, 16, 5));
    const auto& one = plan.program(0);
    const auto result = simulate(plan, machine, first_gpus(ranks), {.launch = LaunchMode::eager});
    const double sampling_s = kernel_seconds(one.prologue.back(), 0, machine.gpu);
    EXPECT_SAME(result.first_token_s,
                static_cast<double>(one.prologue.size()) * 200 * us + sampling_s);
    for (const double step : step_times(result)) {
      EXPECT_SAME(step, static_cast<double>(one.body.size()) * 200 * us + sampling_s);
    }
  }
}

// The host of a rank that gathers launches the gathers too, and awaits the sampling.
TEST(EagerLaunch, CountsGathersOfOtherStreams) {
  const auto machine = slow_launches(2);
  const auto plan = build_plan(small_model(layers), zero3_layout(2, false), workload(2, 16, 5));
  auto ideal = SimulationOptions{.collectives = "ideal", .launch = LaunchMode::eager};
  auto fast = machine;
  for (auto& link : fast.links) {
    link.bandwidth.value = BytesPerSecond{1e15};
  }
  fast.gpu.memory_bandwidth.value = BytesPerSecond{1e15};
  const auto steps = step_times(simulate(plan, fast, first_gpus(2), ideal));
  const auto& body = plan.program(0).body;
  EXPECT_SAME(steps[2],
              static_cast<double>(body.size()) * 200 * us +
                  kernel_seconds(body.back(), 2, fast.gpu));
}

TEST(GraphLaunch, LaunchesThePrefillEagerly) {
  const auto machine = slow_launches(1);
  const auto plan = build_plan(small_model(layers), tp_layout(1), workload(2, 16, 5));
  const auto result = simulate(plan, machine, {0});
  EXPECT_GT(result.first_token_s, static_cast<double>(plan.program(0).prologue.size()) * 200 * us);
  EXPECT_SAME(step_times(result)[1], kernels_of_step(plan, 1, machine.gpu));
}

// Attention reads one more token of 2 x 8 heads x 64 x 2 B for each of 2 sequences in each of 4
// layers, at half of 1e12 B/s.
TEST(DecodeSteps, GrowWithTheCache) {
  const auto machine = communicating(1);
  const auto plan = build_plan(small_model(layers), tp_layout(1), workload(2, 16, 8));
  const auto steps = step_times(simulate(plan, machine, {0}));
  for (std::size_t step = 1; step < steps.size(); ++step) {
    EXPECT_NEAR(steps[step] - steps[step - 1], layers * 2 * 2.0 * 8 * 64 * 2 / 0.5e12, 1e-14);
  }
}
