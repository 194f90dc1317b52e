#include "sim/host/launch_jitter.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace decodesim {
namespace {

// The longest of n exponential delays lasts on average H(n) = 1 + 1/2 + ... + 1/n means, with a
// variance of 1 + 1/4 + ... + 1/n^2 < 1.65: over 40,000 draws the mean is within 4 x 1.29 / 200 =
// 0.026 of that.
TEST(LaunchJitter, LongestOfSeveralRanksFollowsTheHarmonicNumber) {
  const LaunchJitter jitter{7};
  double harmonic = 0;
  for (int ranks = 1; ranks <= 16; ++ranks) {
    harmonic += 1.0 / ranks;
    double sum = 0;
    for (int operation = 0; operation < 40000; ++operation) {
      double longest = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        longest =
            std::max(longest, jitter.delay({.rank = rank, .step = 3, .operation = operation}));
      }
      sum += longest;
    }
    EXPECT_NEAR(sum / 40000, harmonic, 0.026) << ranks;
  }
}

TEST(LaunchJitter, DependsOnSeedAndPlaceAlone) {
  const LaunchJitter one{1};
  const LaunchJitter same{1};
  const LaunchJitter other{2};
  const LaunchJitter::Place place{.rank = 1, .step = 2, .operation = 3};
  EXPECT_EQ(one.delay(place), same.delay(place));
  EXPECT_NE(one.delay(place), other.delay(place));
  EXPECT_NE(one.delay(place), one.delay({.rank = 2, .step = 1, .operation = 3}));
  EXPECT_NE(one.delay(place), one.delay({.rank = 1, .step = 3, .operation = 2}));
  EXPECT_GT(one.delay(place), 0.0);
}

} // namespace
} // namespace decodesim
