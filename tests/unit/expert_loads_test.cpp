#include "sim/error.hpp"
#include "sim/plan/expert_loads.hpp"
#include "tests/support/tiny_model.hpp"
#include "tests/unit/input_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace decodesim;
using decodesim::testing::tiny_model;
using decodesim::testing::with_experts;

namespace {

Model one_layer(int experts, int experts_per_token) {
  auto model = with_experts(tiny_model(), experts, experts_per_token, 16);
  model.layers = 1;
  return model;
}

/// One sequence per dp index unless said otherwise.
ExpertGrid grid(int tp, int dp, int ep, int sequences_each = 1) {
  return {.tp = tp,
          .pp = 1,
          .dp = dp,
          .ep = ep,
          .sequences = std::vector(static_cast<std::size_t>(dp), std::vector{sequences_each})};
}

Workload routed(int batch_size, int input_tokens, int output_tokens, const std::string& routing) {
  auto load = decodesim::testing::workload(batch_size, input_tokens, output_tokens);
  load.experts.routing = routing;
  return load;
}

std::vector<std::int64_t> each(const ExpertLoad& load, std::int64_t RoutedWork::*number) {
  std::vector<std::int64_t> all;
  for (const auto& work : load.work) {
    all.push_back(work.*number);
  }
  return all;
}

std::vector<int> experts_hit(const ExpertLoad& load) {
  std::vector<int> all;
  for (const auto& work : load.work) {
    all.push_back(work.experts_hit);
  }
  return all;
}

const std::string head = "iteration,layer,sequence,position,experts\n";

/// Four sequences of one prompt token and one decode step over 8 experts, top 2. In the step:
///   sequence 0 -> 0, 1    sequence 1 -> 1, 0    sequence 2 -> 2, 7    sequence 3 -> 6, 5
const std::string four_sequences = head + "0,0,0,0,0;1\n0,0,1,0,0;1\n0,0,2,0,0;1\n0,0,3,0,0;1\n"
                                          "1,0,0,1,0;1\n1,0,1,1,1;0\n1,0,2,1,2;7\n1,0,3,1,6;5\n";

} // namespace

// Contiguous: experts 0, 1 on member 0; 2, 3 on 1; 4, 5 on 2; 6, 7 on 3. Sequence 0 stays; sequence
// 1 goes to member 0, once for two experts; sequence 2 to members 1 and 3; of sequence 3 expert 6
// is at home, 5 on member 2.
TEST(ExpertLoads, SendsATokenOnceToEveryRankThatHasOneOfItsExperts) {
  const InputFile trace{four_sequences, "trace.csv"};
  const ExpertLoads loads{
      one_layer(8, 2), grid(1, 4, 4), routed(4, 1, 2, "trace:" + trace.path().string())};
  const auto& load = loads.at(Part::body, 0, 0, 0, 0);
  EXPECT_EQ(each(load, &RoutedWork::pairs), (std::vector<std::int64_t>{4, 1, 1, 2}));
  EXPECT_EQ(each(load, &RoutedWork::tokens), (std::vector<std::int64_t>{2, 1, 1, 2}));
  EXPECT_EQ(experts_hit(load), (std::vector{2, 1, 1, 2}));
  EXPECT_EQ(load.experts_hit, 6);
  EXPECT_EQ(load.sent, (std::vector<SentRows>{{1, 0, 1}, {2, 1, 1}, {2, 3, 1}, {3, 2, 1}}));
  EXPECT_EQ(each(load, &RoutedWork::received), (std::vector<std::int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(each(load, &RoutedWork::returned), (std::vector<std::int64_t>{0, 1, 2, 1}));
  EXPECT_DOUBLE_EQ(load.imbalance(), 4 / 2.0);
  EXPECT_DOUBLE_EQ(loads.mean_rows_sent(0, 0, 0), 4.0);
  EXPECT_DOUBLE_EQ(loads.mean_experts_hit(), 6.0);
}

// Round-robin: experts 0, 4 on member 0; 1, 5 on 1; 2, 6 on 2; 3, 7 on 3. Sequence 0 (0, 1): 0 ->
// 1; sequence 1 (1, 0): 1 -> 0; sequence 2 (2, 7): 2 -> 3; sequence 3 (6, 5): 3 -> 2 and 3 -> 1.
TEST(ExpertLoads, FollowThePlacement) {
  const InputFile trace{four_sequences, "trace.csv"};
  auto load = routed(4, 1, 2, "trace:" + trace.path().string());
  load.experts.placement = PlacementKind::round_robin;
  const ExpertLoads loads{one_layer(8, 2), grid(1, 4, 4), load};
  EXPECT_EQ(loads.at(Part::body, 0, 0, 0, 0).sent,
            (std::vector<SentRows>{{0, 1, 1}, {1, 0, 1}, {2, 3, 1}, {3, 1, 1}, {3, 2, 1}}));
}

// tp 2, dp 2: positions 0, 1 have sequences 0, 1; positions 2, 3 have 2, 3. Ep 4: as above, two
// experts each. Within a tp group nothing is sent. Sequence 2 (first slice, position 2) goes to
// member 1; its expert 7 is on member 3, of its own group. Sequence 3: experts 6 and 5 are both at
// home.
TEST(ExpertLoads, SendNothingWithinATensorParallelGroup) {
  const InputFile trace{four_sequences, "trace.csv"};
  const ExpertLoads loads{
      one_layer(8, 2), grid(2, 2, 4, 2), routed(4, 1, 2, "trace:" + trace.path().string())};
  const auto& load = loads.at(Part::body, 0, 0, 0, 0);
  EXPECT_EQ(load.sent, (std::vector<SentRows>{{2, 1, 1}}));
  EXPECT_EQ(each(load, &RoutedWork::pairs), (std::vector<std::int64_t>{4, 1, 1, 2}));
  EXPECT_EQ(loads.group_of(3), 0);
  EXPECT_EQ(loads.member_of(3), 3);
}

// tp 1, dp 4, ep 2: members 0 and 1 have slices of experts 0 to 3, members 2 and 3 of 4 to 7. All
// who have a slice need the token: sequence 0 also goes to member 1, sequence 1 to member 0;
// sequence 2 (2, 7) to members 0, 1 and 3; sequence 3 (6, 5) to member 2.
TEST(ExpertLoads, SendATokenToEverySliceOfItsExperts) {
  const InputFile trace{four_sequences, "trace.csv"};
  const ExpertLoads loads{
      one_layer(8, 2), grid(1, 4, 2), routed(4, 1, 2, "trace:" + trace.path().string())};
  const auto& load = loads.at(Part::body, 0, 0, 0, 0);
  EXPECT_EQ(
      load.sent,
      (std::vector<SentRows>{{0, 1, 1}, {1, 0, 1}, {2, 0, 1}, {2, 1, 1}, {2, 3, 1}, {3, 2, 1}}));
  EXPECT_EQ(each(load, &RoutedWork::pairs), (std::vector<std::int64_t>{5, 5, 3, 3}));
}

// Replicas that do not share experts: two groups of two ranks, each with all experts in slices.
TEST(ExpertLoads, OfReplicasAreTheirOwnTokens) {
  const InputFile trace{four_sequences, "trace.csv"};
  const ExpertLoads loads{
      one_layer(8, 2), grid(2, 2, 0, 2), routed(4, 1, 2, "trace:" + trace.path().string())};
  EXPECT_EQ(loads.group_of(3), 1);
  EXPECT_EQ(loads.member_of(3), 1);
  const auto& first = loads.at(Part::body, 0, 0, 0, 0);
  const auto& second = loads.at(Part::body, 0, 0, 0, 1);
  EXPECT_EQ(experts_hit(first), (std::vector{2, 2}));
  EXPECT_EQ(experts_hit(second), (std::vector{4, 4}));
  EXPECT_EQ(each(second, &RoutedWork::pairs), (std::vector<std::int64_t>{4, 4}));
  EXPECT_TRUE(first.sent.empty());
}

// A rank of a pipeline: rank = (dp index x 3 stages + stage) x 2 + tp index.
TEST(ExpertLoads, FindTheMemberOfARankInAPipeline) {
  auto shape = grid(2, 2, 4);
  shape.pp = 3;
  const ExpertLoads loads{one_layer(8, 2), shape, routed(2, 1, 2, "even")};
  EXPECT_EQ(loads.member_of(5), 1);     // dp 0, stage 2, tp 1
  EXPECT_EQ(loads.member_of(6 + 4), 2); // dp 1, stage 2, tp 0
}

// 5 tokens over tp 2: slices of 3 and 2. All go to expert 0 of dp index 0, so those of dp index 1
// are sent by positions 2 (3 tokens) and 3 (2 tokens).
TEST(ExpertLoads, CutTokensIntoSlicesOfNeighbours) {
  const ExpertLoads loads{one_layer(4, 1), grid(2, 2, 4), routed(2, 5, 1, "fixed:0")};
  EXPECT_EQ(loads.at(Part::prologue, 0, 0, 0, 0).sent,
            (std::vector<SentRows>{{2, 0, 3}, {3, 0, 2}}));
  EXPECT_EQ(loads.most(Part::prologue).pairs, 10);
  EXPECT_EQ(loads.most(Part::prologue).received, 5);
  EXPECT_EQ(loads.most(Part::prologue).returned, 3);
  EXPECT_EQ(loads.most(Part::body).pairs, 0);
}

// The second micro-batch of each dp index has one sequence or none; the rank without one computes
// for the others.
TEST(ExpertLoads, CoverMicroBatchesWithoutSequences) {
  auto shape = grid(1, 2, 2);
  shape.sequences = {{1, 1}, {1, 0}};
  const ExpertLoads loads{one_layer(2, 1), shape, routed(3, 1, 2, "fixed:1")};
  const auto& second = loads.at(Part::body, 0, 0, 1, 0);
  EXPECT_EQ(each(second, &RoutedWork::pairs), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(second.sent, (std::vector<SentRows>{{0, 1, 1}}));
}

// Whatever the layout, a layer has (tokens x k) pairs, divided over members and counted once per
// slice; and the experts hit are the same.
TEST(ExpertLoads, CountTheSameTableForEveryLayout) {
  const auto model = with_experts(tiny_model(), 16, 3, 16);
  const auto load = routed(8, 4, 6, "zipf:0.8");
  std::vector<int> hit;
  for (const auto& shape : {grid(8, 1, 0, 8),
                            grid(8, 1, 8, 8),
                            grid(1, 8, 8),
                            grid(4, 2, 8, 4),
                            grid(2, 4, 4, 2),
                            grid(1, 8, 1)}) {
    const ExpertLoads loads{model, shape, load};
    std::vector<int> found;
    for (int step = 0; step < 5; ++step) {
      for (int layer = 0; layer < 2; ++layer) {
        const auto& counted = loads.at(Part::body, step, layer, 0, 0);
        std::int64_t pairs = 0;
        for (const auto& work : counted.work) {
          pairs += work.pairs;
        }
        EXPECT_EQ(pairs, 8 * 3 * shape.shards());
        found.push_back(counted.experts_hit);
      }
    }
    hit = hit.empty() ? found : hit;
    EXPECT_EQ(found, hit);
  }
}

// Earlier steps can be asked for again.
TEST(ExpertLoads, KeepNoStepButTheLatest) {
  const ExpertLoads loads{one_layer(64, 2), grid(1, 4, 4), routed(4, 2, 20, "uniform")};
  const auto first = loads.at(Part::body, 3, 0, 0, 0);
  const auto other = loads.at(Part::body, 4, 0, 0, 0);
  const auto again = loads.at(Part::body, 3, 0, 0, 0);
  EXPECT_EQ(first.work, again.work);
  EXPECT_EQ(first.sent, again.sent);
  EXPECT_NE(first.work, other.work);
}

// Top-2 of 8 experts, 256 tokens on each of 4 GPUs, uniform, hidden size 4,096 in bf16 (8,192 B a
// row). Counting each (token, expert) pair 2 x 3/4 rows would leave a GPU per token, 3.15 MB. Once
// per GPU: another GPU has at least one of the two with probability 1 - C(6,2)/C(8,2) = 13/28, so
// 39/28 rows: 2.92 MB. Standard deviation of the rows of a token sqrt(3 x 13/28 x 15/28 - ...) is
// below 0.87, of the 256 of a GPU below 14 rows; a mean over 4 GPUs, 7 rows = 0.06 MB.
TEST(ExpertLoads, MatchTheExpectedBytesOfMixtral) {
  const ExpertLoads loads{one_layer(8, 2), grid(1, 4, 4, 256), routed(1024, 1, 2, "uniform")};
  const auto& load = loads.at(Part::body, 0, 0, 0, 0);
  EXPECT_NEAR(static_cast<double>(load.rows_sent()) / 4 * 8192 / 1e6, 2.92, 5 * 0.06);
  double pairs_away = 0;
  for (const auto& work : load.work) {
    pairs_away += static_cast<double>(work.pairs) * 3 / 4;
  }
  EXPECT_NEAR(pairs_away / 4 * 8192 / 1e6, 3.15, 0.01);
}

// 8 experts, each hit by a token with probability 1/4: after 4 tokens 8 (1 - (3/4)^4) = 5.469 of
// them. 500 steps; the standard deviation of one is below 1.1, of the mean 0.05.
TEST(ExpertLoads, HitTheExpectedNumberOfExperts) {
  const ExpertLoads loads{one_layer(8, 2), grid(1, 4, 4), routed(4, 1, 501, "uniform")};
  EXPECT_NEAR(loads.mean_experts_hit(), 5.469, 0.2);
}

TEST(ExpertLoads, OfEvenRoutingAreBalanced) {
  // 16 tokens x 2 over 8 experts: 4 rows each, 8 a member; each token has both experts on one
  // member, so a member's 4 tokens go one to each.
  const ExpertLoads loads{one_layer(8, 2), grid(1, 4, 4, 4), routed(16, 1, 2, "even")};
  const auto& load = loads.at(Part::body, 0, 0, 0, 0);
  EXPECT_EQ(each(load, &RoutedWork::pairs), (std::vector<std::int64_t>{8, 8, 8, 8}));
  ASSERT_EQ(load.sent.size(), 12U);
  for (const auto& sent : load.sent) {
    EXPECT_EQ(sent.rows, 1);
  }
  EXPECT_DOUBLE_EQ(loads.mean_imbalance(), 1.0);
}

// Skew is answered by copies: the busiest member has less to do. Weights 1 / j^1.2 of 32 experts:
// the favourite alone takes about 2 of 8 members' share.
TEST(ExpertLoads, AreMoreEvenWithCopiesOfHotExperts) {
  auto load = routed(256, 1, 5, "zipf:1.2");
  const auto imbalance = [&](int copies) {
    load.experts.copies = copies;
    return ExpertLoads{one_layer(32, 2), grid(1, 8, 8, 32), load}.mean_imbalance();
  };
  const double without = imbalance(0);
  EXPECT_GT(without, 1.7);
  EXPECT_LT(imbalance(4), 0.8 * without);
  EXPECT_LT(imbalance(8), 0.8 * without);
}

// All tokens to experts 0 and 1 of member 0, which a copy of expert 0 on member 1 relieves: tokens
// take the two copies in turn.
TEST(ExpertLoads, AlternateBetweenCopies) {
  auto load = routed(4, 1, 2, "fixed:0,1");
  load.experts.copies = 1;
  const ExpertLoads loads{one_layer(8, 2), grid(1, 4, 4), load};
  const auto& counted = loads.at(Part::body, 0, 0, 0, 0);
  EXPECT_EQ(each(counted, &RoutedWork::pairs), (std::vector<std::int64_t>{6, 2, 0, 0}));
  EXPECT_EQ(experts_hit(counted), (std::vector{2, 1, 0, 0}));
}

TEST(ExpertLoads, RefuseARoutingThatDoesNotSuitTheModel) {
  EXPECT_THROW((ExpertLoads{one_layer(8, 2), grid(1, 4, 4), routed(4, 1, 2, "fixed:8,0")}),
               InputError);
}
