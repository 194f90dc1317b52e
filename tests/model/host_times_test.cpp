#include "sim/device/kernel_cost.hpp"
#include "sim/engine/simulate.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

constexpr int layers = 4;

Sourced<Seconds> lasting(double microseconds) {
  return {.value = Seconds{microseconds * us}, .source = "test"};
}

Machine machine_of(int gpus) { return switched_gpus(gpus, 100, 0.5).machine(); }

double step_of(const SimulationResult& result, std::size_t step) {
  return result.step_end_s[step] - result.step_end_s[step - 1];
}

double kernel_seconds(const Operation& op, int step, const Gpu& gpu) {
  const auto* kernel = as_kernel(op);
  return kernel == nullptr ? 0.0 : kernel_time(kernel_work(*kernel, {step}), gpu).value();
}

SimulationResult simulate_with(const Framework& framework,
                               const Plan& plan,
                               LaunchMode launch,
                               Folding fold = Folding::automatic) {
  return simulate(plan,
                  machine_of(plan.ranks()),
                  first_gpus(plan.ranks()),
                  {.framework = framework, .launch = launch, .fold = fold});
}

} // namespace

// Launches of 50 us and 300 us for each layer are longer than any kernel here, so that the host
// bounds the step: scheduling, all operations and layers, and the sampling, whose end it awaits.
TEST(HostCosts, BoundAnEagerStepByLaunchesAndLayers) {
  Framework framework;
  framework.eager_launch = lasting(50);
  framework.per_layer = lasting(300);
  framework.per_step = lasting(1000);
  framework.per_sequence = lasting(10);
  const auto plan = build_plan(small_model(layers), tp_layout(1), workload(3, 16, 5));
  const auto& body = plan.program(0).body;
  const auto result = simulate_with(framework, plan, LaunchMode::eager);
  const double sampling_s = kernel_seconds(body.back(), 2, machine_of(1).gpu);
  EXPECT_SAME(step_of(result, 2),
              (1000 + 3 * 10 + layers * 300 + static_cast<double>(body.size()) * 50) * us +
                  sampling_s);
}

// In a graph the step costs its kernels, its one launch and what the host does before it.
TEST(HostCosts, PrecedeAGraphStep) {
  Framework framework;
  framework.graph_launch = lasting(12);
  framework.per_layer = lasting(300); // in the prefill alone
  framework.per_step = lasting(1000);
  framework.per_sequence = lasting(10);
  framework.kernel_gap = lasting(2);
  const auto plan = build_plan(small_model(layers), tp_layout(1), workload(3, 16, 5));
  const auto& body = plan.program(0).body;
  const auto result = simulate_with(framework, plan, LaunchMode::graph);
  double kernels = 0;
  for (const auto& op : body) {
    kernels += 2 * us + kernel_seconds(op, 2, machine_of(1).gpu);
  }
  EXPECT_SAME(step_of(result, 2), (12 + 1000 + 3 * 10) * us + kernels);
}

// Hidden states cross 3 borders of 4 stages; tokens come back without.
TEST(HostCosts, HandHiddenStatesToTheNextStage) {
  const auto plan = build_plan(small_model(layers), pp_layout(4, "naive"), workload(1, 16, 6));
  Framework framework;
  const auto without = simulate_with(framework, plan, LaunchMode::graph);
  framework.per_stage = lasting(500);
  const auto with = simulate_with(framework, plan, LaunchMode::graph);
  EXPECT_SAME(step_of(with, 3), step_of(without, 3) + 3 * 500 * us);
}

// The host of the first stage schedules when the tokens are back, not while the others work.
TEST(HostCosts, ScheduleWhenThePipelinesTokensAreBack) {
  const auto plan = build_plan(small_model(layers), pp_layout(2, "naive"), workload(1, 16, 6));
  Framework framework;
  const auto without = simulate_with(framework, plan, LaunchMode::graph);
  framework.per_step = lasting(700);
  const auto with = simulate_with(framework, plan, LaunchMode::graph);
  EXPECT_SAME(step_of(with, 3), step_of(without, 3) + 700 * us);
}

// Each of the 2 x 4 + 1 all-reduces and the gather of the logits waits on average H(8) = 2.717857
// means of 20 us for the last of 8 ranks. Over 63 steps of 10 collectives the mean has a standard
// error of 20 us x 1.24 / sqrt(630) = 1 us, so the step is within 4 x 10 us of that.
TEST(LaunchDelays, HoldACollectiveUntilItsLastRank) {
  const auto plan = build_plan(small_model(layers), tp_layout(8), workload(1, 16, 64));
  Framework framework;
  const auto without = simulate_with(framework, plan, LaunchMode::graph);
  framework.jitter_graph = lasting(20);
  const auto with = simulate_with(framework, plan, LaunchMode::graph);
  EXPECT_NEAR((with.end_s - with.first_token_s - (without.end_s - without.first_token_s)) / 63,
              (2 * layers + 2) * 2.717857 * 20 * us,
              40 * us);
  // Nobody computes or communicates longer; all of it is waiting.
  const auto& one = with.decode_time_of_rank.front();
  const auto& other = without.decode_time_of_rank.front();
  EXPECT_SAME(one.compute_s, other.compute_s);
  EXPECT_SAME(one.communication_s, other.communication_s);
  EXPECT_GT(one.waiting_s, 0.0);
}

// One rank stands for all, and waits for the longest of their delays: as if all were played.
TEST(LaunchDelays, AreThoseOfAllRanksWhenOneIsPlayedForThem) {
  Framework framework;
  framework.jitter_eager = lasting(20);
  for (const auto& layout : {tp_layout(4), zero3_layout(4, false)}) {
    const auto plan = build_plan(small_model(layers), layout, workload(4, 16, 20));
    const auto folded = simulate_with(framework, plan, LaunchMode::eager);
    const auto all = simulate_with(framework, plan, LaunchMode::eager, Folding::none);
    EXPECT_EQ(folded.simulated_ranks, 1);
    EXPECT_EQ(all.simulated_ranks, 4);
    EXPECT_SAME(folded.end_s, all.end_s);
  }
}

// Replicas draw delays of their own; the one that is played for both has the first one's. Over 39
// steps of 10 collectives of 2 ranks (variance 1.25 means of 50 us squared) either is within
// 4 x 50 us x 1.12 x sqrt(390) = 4.4 ms of its expectation.
TEST(LaunchDelays, DifferBetweenReplicas) {
  Framework framework;
  framework.jitter_graph = lasting(50);
  auto layout = tp_layout(2);
  layout.dp = 2;
  const auto plan = build_plan(small_model(layers), layout, workload(2, 16, 40));
  const auto folded = simulate_with(framework, plan, LaunchMode::graph);
  const auto all = simulate_with(framework, plan, LaunchMode::graph, Folding::none);
  EXPECT_NE(folded.end_s, all.end_s);
  EXPECT_NEAR(folded.end_s, all.end_s, 9e-3);
}

TEST(LaunchDelays, AreTheSameForTheSameSeed) {
  const auto plan = build_plan(small_model(layers), tp_layout(4), workload(1, 16, 20));
  SimulationOptions options;
  options.framework.jitter_graph = lasting(20);
  const auto machine = machine_of(4);
  const auto once = simulate(plan, machine, first_gpus(4), options).end_s;
  EXPECT_SAME(simulate(plan, machine, first_gpus(4), options).end_s, once);
  options.seed = 1;
  EXPECT_NE(simulate(plan, machine, first_gpus(4), options).end_s, once);
}

// Windows of steps stand for all: 0.5 % is what is asked for.
TEST(LaunchDelays, OfSampledStepsComeWithinHalfAPercentOfAll) {
  for (const auto& layout : {tp_layout(8), tp_layout(2)}) {
    for (const auto launch : {LaunchMode::graph, LaunchMode::eager}) {
      const auto plan = build_plan(small_model(2 * layers), layout, workload(2, 16, 1500));
      SimulationOptions options{.launch = launch};
      options.framework.jitter_graph = lasting(0.5);
      options.framework.jitter_eager = lasting(1);
      const auto machine = machine_of(layout.tp);
      const auto sampled = simulate(plan, machine, first_gpus(layout.tp), options);
      options.every_token = true;
      const auto all = simulate(plan, machine, first_gpus(layout.tp), options);
      EXPECT_LT(sampled.simulated_steps, 1000);
      EXPECT_NEAR(sampled.end_s, all.end_s, 5e-3 * all.end_s);
    }
  }
}
