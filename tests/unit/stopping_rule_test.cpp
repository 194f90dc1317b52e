#include "validation/measure/stopping_rule.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

/// Takes samples from a sequence that repeats; each takes `seconds_each`.
Samples take(const StoppingRule& rule, const std::vector<double>& sequence, double seconds_each) {
  std::size_t taken = 0;
  return take_samples(
      rule,
      [&] { return sequence[taken++ % sequence.size()]; },
      [&] { return static_cast<double>(taken) * seconds_each; });
}

constexpr StoppingRule rule{.relative_deviation = 0.01,
                            .least_seconds = 0.01,
                            .least_samples = 5,
                            .most_samples = 1000,
                            .most_seconds = 10.0};

// Equal samples do not deviate: 5 of 1 ms take 5 ms, and 10 are needed for 10 ms.
TEST(StoppingRule, WaitsForTheLeastTime) {
  const auto samples = take(rule, {7.0}, 1e-3);
  EXPECT_EQ(samples.values.size(), 10u);
  EXPECT_TRUE(samples.converged);
}

TEST(StoppingRule, WaitsForTheLeastNumber) {
  const auto samples = take(rule, {7.0}, 1.0);
  EXPECT_EQ(samples.values.size(), 5u);
  EXPECT_TRUE(samples.converged);
}

// 9, 11, 9, 11, ...: of an even number n the mean is 10 and the deviation sqrt(n / (n - 1)), so the
// standard error over the mean is 0.1 / sqrt(n - 1): 0.01005 for 100, 0.00995 for 102. Of 101 the
// mean is 1009 / 101 = 9.9901 and the deviation sqrt((101 - 1 / 101) / 100) = 1.00494: 0.010009.
TEST(StoppingRule, WaitsUntilTheMeanIsKnown) {
  const auto samples = take(rule, {9.0, 11.0}, 1e-3);
  EXPECT_EQ(samples.values.size(), 102u);
  EXPECT_TRUE(samples.converged);
  EXPECT_EQ(samples.values[0], 9.0);
  EXPECT_EQ(samples.values[1], 11.0);
}

TEST(StoppingRule, GivesUpAtTheMostSamples) {
  auto capped = rule;
  capped.most_samples = 20;
  const auto samples = take(capped, {1.0, 9.0}, 1e-3);
  EXPECT_EQ(samples.values.size(), 20u);
  EXPECT_FALSE(samples.converged);
}

// Samples of 3 s: the third ends at 9 s, the fourth at 12 s, after the most of 10 s.
TEST(StoppingRule, GivesUpAtTheMostTime) {
  const auto samples = take(rule, {1.0, 9.0}, 3.0);
  EXPECT_EQ(samples.values.size(), 4u);
  EXPECT_FALSE(samples.converged);
}

// A mean of zero has no relative deviation.
TEST(StoppingRule, NeverConvergesOnZeros) {
  auto capped = rule;
  capped.most_samples = 30;
  const auto samples = take(capped, {0.0}, 1e-3);
  EXPECT_EQ(samples.values.size(), 30u);
  EXPECT_FALSE(samples.converged);
}

} // namespace
} // namespace decodesim
