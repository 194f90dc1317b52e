#include "sim/error.hpp"
#include "sim/scenario/mapping.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace decodesim {
namespace {

constexpr int gpus = 8;

std::vector<int> map(const std::string& mapping, const Layout& layout) {
  return gpu_of_rank(mapping, layout, gpus, "--mapping");
}

std::string message_of(const std::string& mapping, const Layout& layout = {.tp = 4}) {
  try {
    (void)map(mapping, layout);
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "no InputError";
}

// Rank = (dp index x pp + stage) x tp + tp index throughout.

TEST(Mapping, PutsRanksInOrderWhenTpIsInnermostAndDpOutermost) {
  EXPECT_EQ(map("tp,pp,dp", {.tp = 2, .pp = 2, .dp = 2}),
            (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Mapping, SpreadsTpWhenPpIsInnermost) {
  // pp innermost: stage has stride 1, tp index stride 2.
  // Ranks (stage, tp): (0,0) (0,1) (0,2) (0,3) (1,0) ... on GPUs stage + 2 tp.
  EXPECT_EQ(map("pp,tp,dp", {.tp = 4, .pp = 2}), (std::vector<int>{0, 2, 4, 6, 1, 3, 5, 7}));
}

TEST(Mapping, SpreadsReplicasWhenDpIsInnermost) {
  // dp stride 1, tp stride 2, pp stride 4: GPU = dp + 2 tp + 4 stage.
  EXPECT_EQ(map("dp,tp,pp", {.tp = 2, .pp = 2, .dp = 2}),
            (std::vector<int>{0, 2, 4, 6, 1, 3, 5, 7}));
}

TEST(Mapping, IsAPermutationInEveryOrder) {
  const Layout layout{.tp = 2, .pp = 2, .dp = 2};
  for (const auto* order :
       {"tp,pp,dp", "tp,dp,pp", "pp,tp,dp", "pp,dp,tp", "dp,tp,pp", "dp,pp,tp"}) {
    auto mapped = map(order, layout);
    std::sort(mapped.begin(), mapped.end());
    EXPECT_EQ(mapped, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7})) << order;
  }
}

TEST(Mapping, TakesOneGpuIndexPerRank) {
  EXPECT_EQ(map("0,4,1,5", {.tp = 4}), (std::vector<int>{0, 4, 1, 5}));
  EXPECT_EQ(map("7", {}), (std::vector<int>{7}));
}

TEST(MappingErrors, NameWhatIsWrong) {
  EXPECT_EQ(message_of("0,1,2,8"), "--mapping: names GPU 8; the machine's GPUs are 0 to 7");
  EXPECT_EQ(message_of("0,-1,2,3"), "--mapping: names GPU -1; the machine's GPUs are 0 to 7");
  EXPECT_EQ(message_of("0,1,2,99999999999"),
            "--mapping: names GPU 99999999999; the machine's GPUs are 0 to 7");
  EXPECT_EQ(message_of("0,1,2,1"),
            "--mapping: puts ranks 1 and 3 on GPU 1; each GPU takes one rank");
  for (const auto* broken : {"", "tp,pp", "tp,pp,tp", "tp,pp,dp,ep", "0,1,,2", "0;1", "0,1,2,3x"}) {
    EXPECT_TRUE(message_of(broken).starts_with("--mapping: is \"" + std::string{broken} +
                                               "\"; use tp, pp and dp in some order"))
        << message_of(broken);
  }
}

TEST(MappingErrors, BlameTheLayoutWhenOnlyThatDoesNotSuit) {
  EXPECT_THROW((void)map("0,1,2", {.tp = 4}), LayoutError);
  EXPECT_EQ(message_of("0,1,2"), "--mapping: lists 3 GPUs; the layout has 4 ranks");
  EXPECT_THROW((void)map("tp,pp,dp", {.tp = 8, .pp = 2}), LayoutError);
  EXPECT_EQ(message_of("tp,pp,dp", {.tp = 8, .pp = 2}),
            "needs 16 GPUs (tp 8 x pp 2 x dp 1); the machine has 8");
}

} // namespace
} // namespace decodesim
