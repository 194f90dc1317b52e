#include "validation/measure/sample_statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace decodesim {
namespace {

// 2, 4, 4, 4, 5, 5, 7, 9: sum 40, mean 5; squares of the differences 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16
// = 32, over 7: variance 4.5714. Standard error: sqrt(4.5714 / 8) = 0.75593, over 5: 0.15119.
TEST(SampleStatistics, KnowsTheMomentsOfASequence) {
  const auto all = statistics_of({9, 4, 5, 4, 7, 4, 5, 2});
  EXPECT_EQ(all.count, 8u);
  EXPECT_DOUBLE_EQ(all.mean, 5.0);
  EXPECT_DOUBLE_EQ(all.median, 4.5);
  EXPECT_DOUBLE_EQ(all.standard_deviation, std::sqrt(32.0 / 7.0));
  EXPECT_DOUBLE_EQ(all.minimum, 2.0);
  EXPECT_NEAR(all.relative_deviation_of_mean(), 0.15119, 1e-5);
}

// 1 ... n: mean (n + 1) / 2, variance n (n + 1) / 12.
TEST(SampleStatistics, KnowsTheMomentsOfALadder) {
  std::vector<double> ladder;
  for (int i = 1; i <= 101; ++i) {
    ladder.push_back(i);
  }
  const auto all = statistics_of(ladder);
  EXPECT_DOUBLE_EQ(all.mean, 51.0);
  EXPECT_DOUBLE_EQ(all.median, 51.0);
  EXPECT_NEAR(all.standard_deviation, std::sqrt(101.0 * 102.0 / 12.0), 1e-12);
}

TEST(SampleStatistics, OneSampleSaysNothingOfItsDeviation) {
  const auto one = statistics_of({3.0});
  EXPECT_EQ(one.mean, 3.0);
  EXPECT_EQ(one.median, 3.0);
  EXPECT_EQ(one.standard_deviation, 0.0);
  EXPECT_EQ(one.relative_deviation_of_mean(), std::numeric_limits<double>::infinity());
}

TEST(SampleStatistics, NoSamplesAreZero) {
  const auto none = statistics_of({});
  EXPECT_EQ(none.count, 0u);
  EXPECT_EQ(none.mean, 0.0);
}

// A large offset does not spoil the deviation: differences are taken before they are squared.
TEST(SampleStatistics, KeepsADeviationThatIsSmallBesideTheMean) {
  const auto all = statistics_of({1e9 + 1, 1e9 + 2, 1e9 + 3});
  EXPECT_DOUBLE_EQ(all.standard_deviation, 1.0);
}

} // namespace
} // namespace decodesim
