#include "sim/error.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/plan_text.hpp"
#include "tests/support/tiny_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::ElementsAreArray;

namespace {

Layout sp_layout(int ranks, int stages = 1) {
  Layout layout;
  layout.strategy = "sp";
  layout.tp = ranks;
  layout.pp = stages;
  return layout;
}

} // namespace

// The tiny model's h = 8, 4 heads of 2, f = 16, v = 10. 3 sequences over 2 ranks are 2 rows a rank,
// 4 with the padding: 4 x 8 x 2 B = 64 B. Norms see 2 rows, products all 3 tokens.
TEST(SequenceParallelPlan, CutsTheRowsBetweenTheBlocks) {
  const auto plan = build_plan(tiny_model(), sp_layout(2), workload(3, 5, 4));
  EXPECT_EQ(plan.layout, "sp2");
  const auto& program = plan.program(0);
  const auto all = lines(program, program.body);
  ASSERT_EQ(all.size(), 2u + 2u * 13u + 5u);
  EXPECT_THAT((std::vector<std::string>{all.begin(), all.begin() + 15}),
              ElementsAreArray(
                  {"compute embedding m0: 3 rows, 8 in, 8 out",
                   "compute reduce_scatter.embedding m0: reduce_scatter tp 64 B",
                   "compute attention_norm L0 m0: 2 rows, 8 in, 16 out",
                   "compute all_gather.attention_norm L0 m0: all_gather tp 64 B",
                   "compute qkv_proj L0 m0: gemm 3x8x8",
                   "compute rotary L0 m0: 3 rows, 8 in, 8 out",
                   "compute attention L0 m0: attention 3 sequences, 1 new of 6, 2/1 heads of 2",
                   "compute o_proj L0 m0: gemm 3x8x4",
                   "compute reduce_scatter.attention L0 m0: reduce_scatter tp 64 B",
                   "compute ffn_norm L0 m0: 2 rows, 16 in, 16 out",
                   "compute all_gather.ffn_norm L0 m0: all_gather tp 64 B",
                   "compute gate_up_proj L0 m0: gemm 3x16x8",
                   "compute activation L0 m0: 3 rows, 16 in, 8 out",
                   "compute down_proj L0 m0: gemm 3x8x8",
                   "compute reduce_scatter.ffn L0 m0: reduce_scatter tp 64 B"}));
  EXPECT_THAT((std::vector<std::string>{all.end() - 5, all.end()}),
              ElementsAreArray({"compute final_norm m0: 2 rows, 16 in, 8 out",
                                "compute all_gather.final_norm m0: all_gather tp 64 B",
                                "compute lm_head m0: gemm 3x5x8",
                                "compute all_gather.logits m0: all_gather tp 60 B",
                                "compute sampling m0: 3 rows, 10 in, 1 out"}));
  EXPECT_NO_THROW(check(plan));
}

// A reduce-scatter and an all-gather receive what an all-reduce does: with rows that need no
// padding both strategies receive the same, (2 L + 1) b h e x 2 (n-1) and the logits.
TEST(SequenceParallelPlan, ReceivesTheBytesOfTensorParallelism) {
  const auto tp = build_plan(tiny_model(), tp_layout(2), workload(4, 5, 4));
  const auto sp = build_plan(tiny_model(), sp_layout(2), workload(4, 5, 4));
  EXPECT_EQ(traffic_per_step(sp).received_sum, traffic_per_step(tp).received_sum);
}

// A quarter of the rows of 5 sequences x 64 prompt tokens: what lives between the blocks shrinks.
TEST(SequenceParallelPlan, HoldsSmallerActivations) {
  const auto load = workload(4, 64, 4);
  const auto tp = build_plan(tiny_model(), tp_layout(2), load);
  const auto sp = build_plan(tiny_model(), sp_layout(2), load);
  EXPECT_LT(peak_activation_bytes(sp.program(0)), peak_activation_bytes(tp.program(0)));
}

// 4 sequences over 2 ranks: each sends its own 2 rows, 2 x 8 x 2 B = 32 B, to its peer.
TEST(SequenceParallelPlan, SendsItsOwnRowsToTheNextStage) {
  const auto plan = build_plan(tiny_model(), sp_layout(2, 2), workload(4, 5, 3));
  const auto& first = plan.program(0);
  EXPECT_EQ(lines(first, {first.body.back()}).front(),
            "send send.hidden m0: send 1 hidden 32 B, waits 0");
  EXPECT_NO_THROW(check(plan));
}

TEST(SequenceParallelPlan, OfOneRankIsAWholeGpu) {
  const auto sp = build_plan(tiny_model(), sp_layout(1), workload(4, 5, 3));
  const auto tp = build_plan(tiny_model(), tp_layout(1), workload(4, 5, 3));
  EXPECT_EQ(lines(sp.program(0), sp.program(0).body), lines(tp.program(0), tp.program(0).body));
}
