#include "sim/error.hpp"
#include "sim/plan/expert_placement.hpp"

#include <gtest/gtest.h>

using namespace decodesim;

namespace {

std::vector<int> homes(const ExpertPlacement& placement, int experts) {
  std::vector<int> all;
  for (int expert = 0; expert < experts; ++expert) {
    all.push_back(placement.holders(expert).front());
  }
  return all;
}

} // namespace

TEST(ExpertPlacement, IsContiguousOrRoundRobin) {
  EXPECT_EQ(homes(ExpertPlacement{PlacementKind::contiguous, 6, 3}, 6),
            (std::vector{0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(homes(ExpertPlacement{PlacementKind::round_robin, 6, 3}, 6),
            (std::vector{0, 1, 2, 0, 1, 2}));
}

// Loads of the three ep indices: 10 + 8, 3 + 1, 2 + 2 = 18, 4, 4. Expert 0 is the hottest: half of
// it to index 1 (the first of the least loaded), 13, 9, 4. Then expert 1, half to index 2: 9, 9, 8.
TEST(ExpertPlacement, CopiesTheHottestToTheLeastLoaded) {
  ExpertPlacement placement{PlacementKind::contiguous, 6, 3};
  placement.replicate({10, 8, 3, 1, 2, 2}, 2);
  EXPECT_EQ(placement.holders(0), (std::vector{0, 1}));
  EXPECT_EQ(placement.holders(1), (std::vector{0, 2}));
  EXPECT_EQ(placement.holders(2), (std::vector{1}));
}

// 2 copies over 2 indices: one slot each. Expert 0's copy takes that of index 1, so that expert 1,
// whose home is index 0 too, finds none.
TEST(ExpertPlacement, CopiesNoMoreThanThereAreSlots) {
  ExpertPlacement placement{PlacementKind::contiguous, 4, 2};
  placement.replicate({9, 8, 1, 1}, 2);
  EXPECT_EQ(placement.holders(0), (std::vector{0, 1}));
  EXPECT_EQ(placement.holders(1), (std::vector{0}));
}

TEST(ExpertPlacement, CopiesNothingWithinOneIndex) {
  ExpertPlacement placement{PlacementKind::contiguous, 4, 1};
  placement.replicate({9, 8, 1, 1}, 2);
  EXPECT_EQ(placement.holders(0), (std::vector{0}));
}

// 8 experts over 4: 2 each; 5 copies over 4: 2 more each.
TEST(ExpertSlots, AreTheShareAndTheShareOfCopiesRoundedUp) {
  EXPECT_EQ(expert_slots(8, 4, 0), 2);
  EXPECT_EQ(expert_slots(8, 4, 5), 4);
  EXPECT_EQ(expert_slots(8, 1, 5), 8);
}

TEST(PlacementName, IsKnownOrRefusedWithTheNearest) {
  EXPECT_EQ(placement_named("round-robin", "x"), PlacementKind::round_robin);
  EXPECT_EQ(to_string(PlacementKind::contiguous), "contiguous");
  EXPECT_THROW((void)placement_named("roundrobin", "x"), InputError);
}
