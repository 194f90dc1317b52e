#include "sim/engine/simulate.hpp"
#include "sim/model/hf_config.hpp"
#include "strategies/build_plan.hpp"

#include <gtest/gtest.h>

namespace decodesim {

namespace {

// SimGrid's clock goes on from one simulation to the next, so a later one loses a few of its 52
// bits: 1e-9 is what is promised between them, equal bits only between processes.
TEST(Simulate, GivesTheSameTimesASecondTimeInOneProcess) {
  const auto machine = find_machine("dgx-a100-80g", 1, "machine");
  const auto model = find_model("llama-3-8b", "model");
  const auto plan = build_plan(model, Layout{.tp = 2}, Workload{.output_tokens = 3});
  const auto first = simulate(plan, machine, {0, 1});
  const auto second = simulate(plan, machine, {0, 1});
  EXPECT_GT(first.end_s, first.first_token_s);
  EXPECT_NEAR(second.first_token_s, first.first_token_s, 1e-9 * first.first_token_s);
  EXPECT_NEAR(second.end_s, first.end_s, 1e-9 * first.end_s);
}

} // namespace

} // namespace decodesim
