#include "sim/engine/communication.hpp"
#include "sim/engine/simulate.hpp"
#include "sim/error.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/registry.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/one_kernel_strategy.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

#include <set>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

/// Layouts that use every registered strategy and schedule on `gpus` GPUs.
std::vector<Layout> all_layouts(int gpus) {
  std::vector<Layout> all;
  for (const auto& strategy : layer_strategies()) {
    for (const bool prefetch : {false, true}) {
      Layout layout;
      layout.strategy = strategy.name;
      (strategy.splits_batch ? layout.dp : layout.tp) = gpus;
      layout.prefetch = prefetch;
      if (!prefetch || strategy.splits_batch) {
        all.push_back(layout);
      }
    }
    for (const auto& schedule : pipeline_schedules()) {
      Layout layout;
      layout.strategy = strategy.name;
      layout.schedule = schedule.name;
      layout.pp = gpus;
      all.push_back(layout);
      if (gpus == 4) {
        (strategy.splits_batch ? layout.dp : layout.tp) = 2;
        layout.pp = 2;
        all.push_back(layout);
      }
    }
  }
  return all;
}

/// Kernels at half of 1e12 B/s, links of 50 GB/s: nothing contends.
MachineSketch ample(int gpus) {
  auto sketch = switched_gpus(gpus, 50, 0.5);
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 40};
  return sketch;
}

Plan plan_of(const Layout& layout) {
  one_kernel_bytes = 1e7;
  return build_plan(small_model(8), layout, workload(8, 16, 4));
}

} // namespace

TEST(SimulatedTime, IsAtLeastTheCriticalPath) {
  auto starved = ample(4);
  starved.gpu = round_gpu(1.0);
  starved.gpu.memory_bandwidth.value = BytesPerSecond{0.1e12};
  for (const auto& machine : {ample(4).machine(),
                              starved.machine(),
                              find_machine("pcie-2s-a100-40g", 1, "test"),
                              find_machine("dgx-h100", 1, "test")}) {
    for (const auto& layout : all_layouts(4)) {
      const auto plan = plan_of(layout);
      const std::vector<int> gpus{0, 2, 1, 3};
      const auto bound = critical_path(plan, machine, gpus);
      const auto result = simulate(plan, machine, gpus);
      const auto what = layout.tag() + " on " + machine.name;
      EXPECT_GE(result.first_token_s, bound.first_token.value() * (1 - 1e-9)) << what;
      EXPECT_GE(result.end_s, bound.end.value() * (1 - 1e-9)) << what;
      for (std::size_t step = 0; step < bound.step_end.size(); ++step) {
        EXPECT_GE(result.step_end_s[step], bound.step_end[step].value() * (1 - 1e-9)) << what;
      }
    }
  }
}

// Two GPUs: no two transfers use one direction of a link at once, and memory has room for all.
TEST(SimulatedTime, EqualsTheCriticalPathWhenNothingContends) {
  for (const int gpus : {1, 2}) {
    const auto machine = ample(2).machine();
    for (const auto& layout : all_layouts(gpus)) {
      const auto plan = plan_of(layout);
      const auto bound = critical_path(plan, machine, first_gpus(gpus));
      const auto result = simulate(plan, machine, first_gpus(gpus));
      EXPECT_SAME(result.first_token_s, bound.first_token.value()) << layout.tag();
      EXPECT_SAME(result.end_s, bound.end.value()) << layout.tag();
      for (std::size_t step = 0; step < bound.step_end.size(); ++step) {
        EXPECT_SAME(result.step_end_s[step], bound.step_end[step].value()) << layout.tag();
      }
    }
  }
}

TEST(SimulatedTime, NeverGrowsWhenTheLinkOfTwoGpusDoubles) {
  for (const auto& layout : all_layouts(2)) {
    const auto plan = plan_of(layout);
    std::vector<double> before(3, 1e9);
    for (const double bandwidth : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512}) {
      auto sketch = two_gpus(bandwidth, 1);
      sketch.gpu = round_gpu(1.0); // kernels and transfers share memory
      const auto ends = simulate(plan, sketch.machine(), first_gpus(2)).step_end_s;
      for (std::size_t step = 0; step < ends.size(); ++step) {
        EXPECT_LE(ends[step], before[step] * (1 + 1e-9)) << layout.tag() << ", " << bandwidth;
      }
      before = ends;
    }
  }
}

TEST(SimulatedTime, NeverGoesBack) {
  for (const auto& layout : all_layouts(4)) {
    const auto plan = plan_of(layout);
    const auto result = simulate(plan, ample(4).machine(), first_gpus(4));
    double before = result.first_token_s;
    EXPECT_GT(before, 0.0);
    for (const double end : result.step_end_s) {
      EXPECT_GT(end, before) << layout.tag();
      before = end;
    }
    EXPECT_EQ(result.end_s, before);
  }
}

TEST(Simulate, CommunicatesNothingOnOneGpu) {
  for (const auto& layout : all_layouts(1)) {
    EXPECT_TRUE(simulate(plan_of(layout), ample(2).machine(), {1}).links.empty()) << layout.tag();
  }
}

TEST(Simulate, ReportsTheStepsItReaches) {
  std::set<int> seen;
  const auto plan = build_plan(small_model(), tp_layout(2), workload(1, 16, 6));
  (void)simulate(plan, ample(2).machine(), first_gpus(2), {.on_progress = [&](int step, int steps) {
                   EXPECT_EQ(steps, 5);
                   seen.insert(step);
                 }});
  EXPECT_EQ(*seen.rbegin(), 5);
}

TEST(Simulate, RefusesMappingsThatDoNotFit) {
  const auto plan = build_plan(small_model(), tp_layout(2), workload(1, 16, 3));
  const auto machine = ample(2).machine();
  EXPECT_THROW((void)simulate(plan, machine, {0}), InputError);
  EXPECT_THROW((void)simulate(plan, machine, {0, 2}), InputError);
  EXPECT_THROW((void)simulate(plan, machine, {0, -1}), InputError);
  EXPECT_THROW((void)simulate(plan, machine, {1, 1}), InputError);
}

TEST(Simulate, PlaysPrefillAlone) {
  for (const auto& layout : all_layouts(2)) {
    one_kernel_bytes = 1e7;
    const auto plan = build_plan(small_model(8), layout, workload(8, 16, 1));
    const auto result = simulate(plan, ample(2).machine(), first_gpus(2));
    EXPECT_GT(result.first_token_s, 0.0) << layout.tag();
    EXPECT_EQ(result.end_s, result.first_token_s) << layout.tag();
    EXPECT_TRUE(result.step_end_s.empty());
  }
}
