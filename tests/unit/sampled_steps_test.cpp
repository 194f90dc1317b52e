#include "sim/engine/sampled_steps.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace decodesim;

namespace {

/// Ends of steps that last `seconds(step)` each, after a jump as if it had not been one.
template <class Seconds>
std::vector<double> ends(const std::vector<int>& played, const Seconds& seconds) {
  std::vector<double> ends;
  double now = 5;
  for (const int step : played) {
    now += seconds(step);
    ends.push_back(now);
  }
  return ends;
}

std::vector<int> all(int steps) { return SampledSteps{steps}.played(); }

} // namespace

TEST(SampledSteps, AreAllOfAShortRun) {
  EXPECT_TRUE(SampledSteps(1).all());
  EXPECT_TRUE(SampledSteps(96, 5, 4, 4).all()); // 48 of 96 would be played
  EXPECT_FALSE(SampledSteps(97, 5, 4, 4).all());
  EXPECT_EQ(SampledSteps(3).at_all({1, 2, 3}), (std::vector<double>{1, 2, 3}));
}

// 5 windows of 2 + 2 steps, the first twice as long: 24.
TEST(SampledSteps, BeginWithTheFirstStepAndEndWithTheLast) {
  const SampledSteps sampled{1999, 5, 2, 2};
  EXPECT_EQ(sampled.played().size(), 24u);
  EXPECT_EQ(sampled.played().front(), 0);
  EXPECT_EQ(sampled.played().back(), 1998);
  EXPECT_TRUE(std::is_sorted(sampled.played().begin(), sampled.played().end()));
}

TEST(SampledSteps, ContinueStepsThatGrowLinearlyExactly) {
  for (const int steps : {97, 128, 1000, 1999}) {
    const SampledSteps sampled{steps, 5, 4, 4};
    const auto seconds = [](int step) { return 2.0 + 0.25 * step; };
    const auto found = sampled.at_all(ends(sampled.played(), seconds));
    const auto expected = ends(all(steps), seconds);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t step = 0; step < found.size(); ++step) {
      EXPECT_NEAR(found[step], expected[step], 1e-12 * expected[step]) << step << " of " << steps;
    }
    EXPECT_NEAR(sampled.worst_prediction(ends(sampled.played(), seconds)), 0, 1e-12);
  }
}

// A kink at a third: from 1 s a step to 1 s and 1 ms more each step.
TEST(SampledSteps, SeeAKinkBetweenWindows) {
  const auto seconds = [](int step) { return 1.0 + 1e-3 * std::max(0, step - 333); };
  const SampledSteps few{1000, 5, 2, 2};
  EXPECT_GT(few.worst_prediction(ends(few.played(), seconds)), 1e-2);
  // Twice as many windows bring the end four times nearer.
  const auto error = [&](const SampledSteps& sampled) {
    const double exact = ends(all(1000), seconds).back();
    return std::abs(sampled.at_all(ends(sampled.played(), seconds)).back() - exact) / exact;
  };
  EXPECT_LT(error(SampledSteps(1000, 33, 2, 2)), 1e-3);
  EXPECT_LT(error(SampledSteps(1000, 33, 2, 2)), error(few));
}

// The first two steps of each window last a second longer, as after a jump: they do not count.
TEST(SampledSteps, LeaveOutStepsThatSettle) {
  const SampledSteps sampled{1000, 5, 2, 2};
  std::vector<double> found;
  double now = 0;
  int before = 0;
  int since_jump = 100;
  for (const int step : sampled.played()) {
    since_jump = step > before + 1 ? 0 : since_jump + 1;
    before = step;
    now += since_jump < 2 ? 2.0 : 1.0;
    found.push_back(now);
  }
  EXPECT_NEAR(sampled.at_all(found).back(), 1000, 1e-9);
}
