#include "validation/case_run.hpp"
#include "validation/framework_fit.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

Case case_with_batch(int batch) {
  return {.id = "batch " + std::to_string(batch),
          .where = "cases.csv:2",
          .split = "calibration",
          .model = "Llama-3-8B",
          .gpu = "A100-80GB SXM",
          .batch = std::to_string(batch),
          .prompt_tokens = "128",
          .output_tokens = "16",
          .dtype = "bf16",
          .framework = "",
          .metric = "tpot",
          .value = 1,
          .unit = "ms"};
}

Framework costs_nothing() {
  Framework framework;
  framework.name = "sketch";
  return framework;
}

// Cases "measured" on a framework of 700 us a step and 20 us a sequence: the fit finds both, since
// steps of 1, 8 and 64 sequences tell them apart.
TEST(FrameworkFit, FindsTheDurationsThatMadeItsCases) {
  auto true_one = costs_nothing();
  true_one.per_step = Sourced<Seconds>{Seconds{700e-6}, SourceKind::fitted, "a test"};
  true_one.per_sequence = Sourced<Seconds>{Seconds{20e-6}, SourceKind::fitted, "a test"};
  std::vector<Case> cases;
  for (const int batch : {1, 8, 64}) {
    cases.push_back(case_with_batch(batch));
    cases.back().value = simulate_case(cases.back(), true_one).simulated.value();
  }
  const auto fit =
      fit_framework(costs_nothing(),
                    {{"per_step", 100e-6, 5000e-6, 50e-6}, {"per_sequence", 5e-6, 500e-6, 5e-6}},
                    cases);
  EXPECT_NEAR(fit.values[0], 700e-6, 5e-6);
  EXPECT_NEAR(fit.values[1], 20e-6, 0.5e-6);
  ASSERT_EQ(fit.rows.size(), 3U);
  for (const auto& row : fit.rows) {
    EXPECT_NEAR(row.simulated.value() / row.measured, 1, 1e-3) << row.id;
  }
}

TEST(FrameworkFit, FindsHowMuchBetterProductsAre) {
  auto true_one = costs_nothing();
  true_one.kernels[KernelClass::gemm].byte_efficiency_ratio =
      Sourced<double>{0.9, SourceKind::fitted, "a test"};
  auto one = case_with_batch(1);
  one.value = simulate_case(one, true_one).simulated.value();
  const auto fit = fit_framework(
      costs_nothing(), {{"kernels/gemm/byte_efficiency_ratio", 1.0, 1.3, 0.02, 0.7}}, {one});
  EXPECT_NEAR(fit.values[0], 0.9, 1e-3);
}

// A batch of 64 with 4 query heads for each KV head spends its time on the cache.
TEST(FrameworkFit, FindsHowFastHeadsReadTheCache) {
  auto true_one = costs_nothing();
  true_one.kernels[KernelClass::attention_decode].per_sm_cache_reads =
      Sourced<BytesPerSecond>{BytesPerSecond{20e9}, SourceKind::fitted, "a test"};
  auto one = case_with_batch(64);
  one.value = simulate_case(one, true_one).simulated.value();
  const auto fit =
      fit_framework(costs_nothing(),
                    {{"kernels/attention_decode/per_sm_cache_reads", 25e9, 100e9, 1e9, 5e9}},
                    {one});
  EXPECT_NEAR(fit.values[0], 20e9, 0.05e9);
}

// What cannot be simulated does not stop the fit of the others.
TEST(FrameworkFit, LeavesOutWhatCannotRun) {
  auto unknown = case_with_batch(1);
  unknown.model = "GPT-9";
  const auto fit =
      fit_framework(costs_nothing(), {{"per_step", 100e-6, 5000e-6, 50e-6}}, {unknown});
  EXPECT_TRUE(fit.rows.empty());
  EXPECT_NEAR(fit.values.at(0), 100e-6, 1e-12);
}

} // namespace
} // namespace decodesim
