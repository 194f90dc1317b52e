#include "sim/device/kernel_cost.hpp"
#include "sim/engine/simulate.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;

/// Step times of models whose layer is not Llama's.
namespace {

constexpr int layers = 4;
constexpr int sequences = 2;
constexpr double base = 3 * us;
constexpr double hop = (0.25 + 2 * 0.5) * us;
constexpr double hidden_bytes = sequences * 1024 * 2;
constexpr double logit_bytes = sequences * 8192 * 2;

/// Base 3 us; 0.25 us of software and two links of 0.5 us per hop; 80 GB/s per GPU. GPUs of
/// round_gpu: kernels take bytes over half of 1e12 B/s.
Machine four_gpus() {
  auto sketch = switched_gpus(4, 100, 0.5);
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  return sketch.machine();
}

std::vector<double> step_times(const Plan& plan, int gpus) {
  const auto result = simulate(plan, four_gpus(), first_gpus(gpus), {.collectives = "ring"});
  std::vector<double> times;
  double before = result.first_token_s;
  for (const double end : result.step_end_s) {
    times.push_back(end - before);
    before = end;
  }
  return times;
}

double kernels_of_step(const Plan& plan, int step) {
  const auto machine = four_gpus();
  double sum = 0;
  for (const auto& op : plan.program(0).body) {
    if (const auto* kernel = as_kernel(op)) {
      sum += kernel_time(kernel_work(*kernel, {step}), machine.gpu).value();
    }
  }
  return sum;
}

/// A ring of 4: 6 hops and 2 x 3/4 of the bytes for a sum, half of that for a gather.
constexpr double all_reduce = base + 6 * hop + 1.5 * hidden_bytes / 80e9;
constexpr double all_gather = base + 3 * hop + 0.75 * logit_bytes / 80e9;

Model latent_model() {
  auto model = small_model(layers);
  model.latent = LatentAttention{.query_rank = 256,
                                 .kv_rank = 128,
                                 .nope_head_size = 32,
                                 .rope_head_size = 16,
                                 .value_head_size = 32};
  model.kv_heads = model.heads;
  model.head_size = 48;
  return model;
}

} // namespace

TEST(LatentAttentionStep, IsItsKernelsAndTwoAllReducesALayer) {
  const auto plan = build_plan(latent_model(), tp_layout(4), workload(sequences, 16, 4));
  const auto steps = step_times(plan, 4);
  ASSERT_EQ(steps.size(), 3u);
  for (int step = 0; step < 3; ++step) {
    EXPECT_SAME(steps[static_cast<std::size_t>(step)],
                kernels_of_step(plan, step) + (2 * layers + 1) * all_reduce + all_gather);
  }
}

// A token more of context is one more latent of (128 + 16) x 2 B per sequence and layer, whatever
// the number of heads or ranks, at 0.5e12 B/s.
TEST(LatentAttentionStep, GrowsByOneLatentPerTokenOnEveryRank) {
  for (const int tp : {1, 4}) {
    const auto steps =
        step_times(build_plan(latent_model(), tp_layout(tp), workload(sequences, 16, 4)), tp);
    EXPECT_NEAR(steps[1] - steps[0], layers * sequences * 144 * 2 / 0.5e12, 1e-13) << tp;
    EXPECT_NEAR(steps[2] - steps[1], layers * sequences * 144 * 2 / 0.5e12, 1e-13) << tp;
  }
}

TEST(ParallelBlockStep, HasOneAllReduceALayer) {
  auto model = small_model(layers);
  model.parallel_block = true;
  const auto plan = build_plan(model, tp_layout(4), workload(sequences, 16, 3));
  const auto steps = step_times(plan, 4);
  EXPECT_SAME(steps[0], kernels_of_step(plan, 0) + (layers + 1) * all_reduce + all_gather);
}

// Prompt 16, window 18 in 2 of 4 layers. The steps attend to 17, 18, 19, 20 tokens: windowed layers
// to 17, 18, 18, 18. A token is 2 x 8 KV heads x 64 x 2 B = 2048 B per sequence and layer.
TEST(WindowedLayerStep, StopsGrowingWhenTheWindowIsFull) {
  auto model = small_model(layers);
  model.sliding_window = 18;
  model.windowed_layers = {true, false, true, false};
  const auto steps = step_times(build_plan(model, tp_layout(1), workload(sequences, 16, 5)), 1);
  ASSERT_EQ(steps.size(), 4u);
  const double layer = sequences * 2048 / 0.5e12;
  EXPECT_NEAR(steps[1] - steps[0], 4 * layer, 1e-13);
  EXPECT_NEAR(steps[2] - steps[1], 2 * layer, 1e-13);
  EXPECT_NEAR(steps[3] - steps[2], 2 * layer, 1e-13);
}

// 2 norms a layer more, of 1024 columns read and written in bf16 by 2 rows each.
TEST(PostNormStep, AddsItsNorms) {
  auto model = small_model(layers);
  const auto plain = step_times(build_plan(model, tp_layout(1), workload(sequences, 16, 3)), 1);
  model.post_norms = true;
  const auto steps = step_times(build_plan(model, tp_layout(1), workload(sequences, 16, 3)), 1);
  EXPECT_NEAR(steps[0] - plain[0], layers * 2 * (sequences * 2 * 1024 * 2) / 0.5e12, 1e-13);
}
