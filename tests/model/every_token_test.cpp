#include "sim/engine/simulate.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/registry.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

/// Every strategy, alone, with prefetch and under every schedule, on 4 GPUs.
std::vector<Layout> all_layouts() {
  std::vector<Layout> all;
  for (const auto& strategy : layer_strategies()) {
    if (strategy.name == "one_kernel") {
      continue; // of another test
    }
    for (const bool prefetch : {false, true}) {
      Layout layout;
      layout.strategy = strategy.name;
      (strategy.splits_batch ? layout.dp : layout.tp) = 4;
      layout.prefetch = prefetch;
      if (!prefetch || strategy.splits_batch) {
        all.push_back(layout);
      }
    }
    for (const auto& schedule : pipeline_schedules()) {
      Layout layout;
      layout.strategy = strategy.name;
      layout.schedule = schedule.name;
      (strategy.splits_batch ? layout.dp : layout.tp) = 2;
      layout.pp = 2;
      all.push_back(layout);
      auto deep = pp_layout(4, schedule.name.c_str());
      deep.strategy = strategy.name;
      all.push_back(deep);
      deep.micro_batches = 2;
      all.push_back(deep);
    }
  }
  return all;
}

void expect_alike(const SimulationResult& sampled, const SimulationResult& all) {
  EXPECT_SAME(sampled.first_token_s, all.first_token_s);
  ASSERT_EQ(sampled.step_end_s.size(), all.step_end_s.size());
  const auto near = [](double one, double other) { EXPECT_NEAR(one, other, 1e-3 * other); };
  for (std::size_t step = 0; step < all.step_end_s.size(); ++step) {
    near(sampled.step_end_s[step], all.step_end_s[step]);
  }
  near(sampled.end_s - sampled.first_token_s, all.end_s - all.first_token_s);
  for (std::size_t rank = 0; rank < all.decode_time_of_rank.size(); ++rank) {
    const auto& one = sampled.decode_time_of_rank[rank];
    const auto& other = all.decode_time_of_rank[rank];
    near(one.total_s(), other.total_s());
    const double window = other.total_s();
    EXPECT_NEAR(one.compute_s, other.compute_s, 1e-3 * window);
    EXPECT_NEAR(one.communication_s, other.communication_s, 1e-3 * window);
    EXPECT_NEAR(one.waiting_s, other.waiting_s, 1e-3 * window);
    EXPECT_NEAR(one.bubble_s, other.bubble_s, 1e-3 * window);
    EXPECT_NEAR(one.other_s, other.other_s, 1e-3 * window);
  }
  ASSERT_EQ(sampled.links.size(), all.links.size());
  for (const auto& link : all.links) {
    const auto found = std::find_if(sampled.links.begin(),
                                    sampled.links.end(),
                                    [&](const auto& other) { return other.name == link.name; });
    ASSERT_NE(found, sampled.links.end());
    EXPECT_SAME(found->bytes, link.bytes);
    near(found->utilisation_ratio, link.utilisation_ratio);
  }
}

} // namespace

// The context grows from 17 to 315 tokens: attention from a small part of a step to a large one.
TEST(SampledSteps, ComeWithinAThousandthOfAllSteps) {
  auto sketch = switched_gpus(4, 100, 0.5);
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  sketch.gpu.graph_launch.value = Seconds{5 * us};
  sketch.gpu.eager_launch.value = Seconds{2 * us};
  const auto machine = sketch.machine();
  auto starved = machine; // kernels and transfers share memory
  starved.gpu.memory_bandwidth.value = BytesPerSecond{0.2e12};
  int runs = 0;
  int sampled_runs = 0; // the others found windows that did not predict one another, and played all
  for (const auto& layout : all_layouts()) {
    const auto plan = build_plan(small_model(2 * layout.pp), layout, workload(7, 16, 300));
    for (const Machine* one : std::initializer_list<const Machine*>{&machine, &starved}) {
      for (const auto launch : {LaunchMode::graph, LaunchMode::eager}) {
        if (one == &starved && launch == LaunchMode::eager) {
          continue;
        }
        SCOPED_TRACE(layout.tag() + (one == &starved ? ", starved" : "") +
                     (launch == LaunchMode::eager ? ", eager" : ""));
        SimulationOptions options{.launch = launch};
        const auto sampled = simulate(plan, *one, first_gpus(4), options);
        options.every_token = true;
        const auto all = simulate(plan, *one, first_gpus(4), options);
        ++runs;
        sampled_runs += sampled.simulated_steps < 299 ? 1 : 0;
        EXPECT_EQ(all.simulated_steps, 299);
        expect_alike(sampled, all);
      }
    }
  }
  EXPECT_GE(sampled_runs, 0.9 * runs) << runs;
}

TEST(SampledSteps, AreAllOfShortAndOfRecordedRuns) {
  const auto machine = switched_gpus(4, 100, 0.5).machine();
  const auto steps = [&](int output_tokens, const SimulationOptions& options) {
    return simulate(build_plan(small_model(8), tp_layout(4), workload(1, 16, output_tokens)),
                    machine,
                    first_gpus(4),
                    options)
        .simulated_steps;
  };
  EXPECT_EQ(steps(65, {}), 64);
  EXPECT_LT(steps(66, {}), 65);
  EXPECT_EQ(steps(66, {.record_timeline = true}), 65);
}
