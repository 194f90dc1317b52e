#include "sim/error.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/registry.hpp"
#include "tests/support/one_kernel_strategy.hpp"
#include "tests/support/plan_text.hpp"
#include "tests/support/tiny_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

namespace {

std::vector<std::string> body_lines(const Plan& plan, int rank = 0) {
  return lines(plan.program(rank), plan.program(rank).body);
}

std::vector<std::string> names_of_layer(const Plan& plan, int layer) {
  std::vector<std::string> all;
  for (const auto& op : plan.program(0).body) {
    if (op.layer == layer) {
      all.push_back(op.name);
    }
  }
  return all;
}

int count_collectives(const std::vector<Operation>& operations) {
  return static_cast<int>(std::count_if(operations.begin(), operations.end(), [](const auto& op) {
    return as_collective(op) != nullptr;
  }));
}

} // namespace

// h = 8, 4 heads and 2 KV heads of 2, f = 16, v = 10; 3 sequences of 5 prompt tokens; bf16.
// Half of each matrix: q = 2 heads x 2 = 4, kv = 1 x 2 = 2, QKV 4 + 2 + 2 = 8 columns; gate and up
// 2 x 8 = 16; v / 2 = 5. Hidden states 3 x 8 x 2 B = 48 B, logits 3 x 10 x 2 B = 60 B. The first
// decode step attends to 6 tokens. A norm reads and writes its input and the residual.
TEST(TensorParallelPlan, ListsColumnThenRowKernelsAndTheirCollectives) {
  const auto plan = build_plan(tiny_model(), tp_layout(2), workload(3, 5, 4));
  EXPECT_EQ(plan.layout, "tp2");
  EXPECT_EQ(plan.decode_steps, 3);
  ASSERT_EQ(plan.ranks(), 2);
  EXPECT_EQ(plan.programs.size(), 1u); // both ranks do the same
  EXPECT_EQ(plan.group("tp", 1), (std::vector<int>{0, 1}));
  const auto all = body_lines(plan);
  ASSERT_EQ(all.size(), 2u + 2u * 11u + 4u);
  EXPECT_THAT(
      (std::vector<std::string>{all.begin(), all.begin() + 13}),
      ElementsAre("compute embedding m0: 3 rows, 8 in, 8 out",
                  "compute all_reduce.embedding m0: all_reduce tp 48 B",
                  "compute attention_norm L0 m0: 3 rows, 8 in, 16 out",
                  "compute qkv_proj L0 m0: gemm 3x8x8",
                  "compute rotary L0 m0: 3 rows, 8 in, 8 out",
                  "compute attention L0 m0: attention 3 sequences, 1 new of 6, 2/1 heads of 2",
                  "compute o_proj L0 m0: gemm 3x8x4",
                  "compute all_reduce.attention L0 m0: all_reduce tp 48 B",
                  "compute ffn_norm L0 m0: 3 rows, 16 in, 16 out",
                  "compute gate_up_proj L0 m0: gemm 3x16x8",
                  "compute activation L0 m0: 3 rows, 16 in, 8 out",
                  "compute down_proj L0 m0: gemm 3x8x8",
                  "compute all_reduce.ffn L0 m0: all_reduce tp 48 B"));
  EXPECT_THAT((std::vector<std::string>{all.end() - 4, all.end()}),
              ElementsAre("compute final_norm m0: 3 rows, 16 in, 8 out",
                          "compute lm_head m0: gemm 3x5x8",
                          "compute all_gather.logits m0: all_gather tp 60 B",
                          "compute sampling m0: 3 rows, 10 in, 1 out"));
  EXPECT_TRUE(plan.program(0).body.back().samples);
}

// Prefill: 3 x 5 = 15 rows everywhere, but logits of the last token of each sequence alone.
TEST(TensorParallelPlan, PrefillsAllPromptTokensAndSamplesTheLastOfEachSequence) {
  const auto plan = build_plan(tiny_model(), tp_layout(2), workload(3, 5, 4));
  const auto all = lines(plan.program(0), plan.program(0).prologue);
  EXPECT_EQ(all[1], "compute all_reduce.embedding m0: all_reduce tp 240 B"); // 15 x 8 x 2 B
  EXPECT_EQ(all[3], "compute qkv_proj L0 m0: gemm 15x8x8");
  EXPECT_EQ(all[5], "compute attention L0 m0: attention 3 sequences, 5 new of 5, 2/1 heads of 2");
  EXPECT_THAT((std::vector<std::string>{all.end() - 4, all.end()}),
              ElementsAre("compute final_norm m0: 3 rows, 16 in, 8 out",
                          "compute lm_head m0: gemm 3x5x8",
                          "compute all_gather.logits m0: all_gather tp 60 B",
                          "compute sampling m0: 3 rows, 10 in, 1 out"));
}

// Two blocks a layer, each column-then-row: 2 x 2 layers, one after the embedding, one gather.
TEST(TensorParallelPlan, NeedsOneAllReducePerBlockAndOneMoreForTheVocabulary) {
  const auto plan = build_plan(tiny_model(), tp_layout(4), workload(1, 5, 2));
  EXPECT_EQ(count_collectives(plan.program(0).body), 2 * 2 + 1 + 1);
  EXPECT_EQ(count_collectives(plan.program(0).prologue), 2 * 2 + 1 + 1);
}

TEST(TensorParallelPlan, CommunicatesNothingOnOneRank) {
  const auto plan = build_plan(tiny_model(), tp_layout(1), workload(3, 5, 4));
  EXPECT_EQ(plan.layout, "single");
  EXPECT_EQ(count_collectives(plan.program(0).body), 0);
  EXPECT_EQ(count_collectives(plan.program(0).prologue), 0);
  EXPECT_EQ(plan.program(0).streams, std::vector<std::string>{"compute"});
  EXPECT_EQ(traffic_per_step(plan).tensor, Bytes{0.0});
}

// 4 ranks, 2 KV heads: each rank keeps 1, two ranks the same one. Query: 1 head x 2; QKV columns
// 2 + 2 + 2 = 6 (not 4); cache 2 x 1 x 2 x 2 B = 8 B per token and layer, 4 ranks hold twice the
// model's 16 B. v = 10 is padded to 4 x 3 = 12, so the logits are 12 x 2 B = 24 B.
TEST(TensorParallelPlan, ReplicatesKvHeadsAndPadsTheVocabulary) {
  const auto plan = build_plan(tiny_model(), tp_layout(4), workload(1, 5, 2));
  const auto all = body_lines(plan);
  EXPECT_EQ(all[3], "compute qkv_proj L0 m0: gemm 1x6x8");
  EXPECT_EQ(all[5], "compute attention L0 m0: attention 1 sequences, 1 new of 6, 1/1 heads of 2");
  EXPECT_EQ(all[all.size() - 2], "compute all_gather.logits m0: all_gather tp 24 B");
  EXPECT_EQ(plan.program(0).kv_bytes_per_token, Bytes{2.0 * 8.0}); // 2 layers
}

// Six optional parts of other models: biases, norm over heads, ungated FFN, no rotary embedding,
// learned positions (read beside the token row: 2 x 8 columns), a norm after the embedding.
TEST(TensorParallelPlan, FollowsTheModelsOptionalParts) {
  auto model = tiny_model();
  model.layers = 1;
  model.qkv_bias = model.attention_output_bias = model.ffn_bias = true;
  model.qk_norm = true;
  model.gated_ffn = false;
  model.position = PositionKind::learned;
  model.max_positions = 64;
  model.embedding_norm = true;
  const auto plan = build_plan(model, tp_layout(1), workload(1, 5, 2));
  EXPECT_THAT(
      body_lines(plan),
      ElementsAre("compute embedding m0: 1 rows, 16 in, 8 out",
                  "compute embedding_norm m0: 1 rows, 8 in, 8 out",
                  "compute attention_norm L0 m0: 1 rows, 8 in, 16 out",
                  "compute qkv_proj L0 m0: gemm 1x16x8 + bias",
                  "compute qk_norm L0 m0: 1 rows, 12 in, 12 out", // 8 of queries, 4 of keys
                  "compute cache_write L0 m0: 1 rows, 8 in, 8 out",
                  "compute attention L0 m0: attention 1 sequences, 1 new of 6, 4/2 heads of 2",
                  "compute o_proj L0 m0: gemm 1x8x8 + bias",
                  "compute ffn_norm L0 m0: 1 rows, 16 in, 16 out",
                  "compute up_proj L0 m0: gemm 1x16x8 + bias",
                  "compute activation L0 m0: 1 rows, 16 in, 16 out",
                  "compute down_proj L0 m0: gemm 1x8x16 + bias",
                  "compute final_norm m0: 1 rows, 16 in, 8 out",
                  "compute lm_head m0: gemm 1x10x8",
                  "compute sampling m0: 1 rows, 10 in, 1 out"));
}

// Whole matrices. Bytes gathered, 2 B an element: table 10 x 8 = 80, so 160 B. Layer 8 x (8 + 8)
// + 8 x 8 + 8 x 32 + 16 x 8 = 576 and two norms of 8 = 592, so 1,184 B. Head 80 and norm 8, 176 B.
// One buffer: event 0 = it is free, event 1 = it is full.
TEST(Zero3Plan, GathersEachLayerAfterTheOneBeforeIsComputed) {
  auto model = tiny_model();
  model.layers = 1;
  const auto plan = build_plan(model, zero3_layout(2, false), workload(2, 5, 4));
  EXPECT_EQ(plan.layout, "zero3x2");
  EXPECT_EQ(plan.program(0).streams, (std::vector<std::string>{"compute", "gather"}));
  const std::vector<std::string> expected{
      "gather all_gather.embedding m0: all_gather dp 160 B, waits 0, records 1",
      "compute embedding m0: 1 rows, 8 in, 8 out, waits 1, records 0",
      "gather all_gather.layer L0 m0: all_gather dp 1184 B, waits 0, records 1",
      "compute attention_norm L0 m0: 1 rows, 8 in, 16 out, waits 1",
      "compute qkv_proj L0 m0: gemm 1x16x8",
      "compute rotary L0 m0: 1 rows, 16 in, 16 out",
      "compute attention L0 m0: attention 1 sequences, 1 new of 6, 4/2 heads of 2",
      "compute o_proj L0 m0: gemm 1x8x8",
      "compute ffn_norm L0 m0: 1 rows, 16 in, 16 out",
      "compute gate_up_proj L0 m0: gemm 1x32x8",
      "compute activation L0 m0: 1 rows, 32 in, 16 out",
      "compute down_proj L0 m0: gemm 1x8x16, records 0",
      "gather all_gather.head m0: all_gather dp 176 B, waits 0, records 1",
      "compute final_norm m0: 1 rows, 16 in, 8 out, waits 1",
      "compute lm_head m0: gemm 1x10x8",
      "compute sampling m0: 1 rows, 10 in, 1 out, records 0"};
  EXPECT_THAT(body_lines(plan), ElementsAreArray(expected));
}

// Two buffers in turn: events 0, 1 = first free, full; 2, 3 = second free, full. A gather waits for
// the computation before the last.
TEST(Zero3Plan, PrefetchesIntoTheSecondBuffer) {
  const auto plan = build_plan(tiny_model(), zero3_layout(2, true), workload(2, 5, 4));
  EXPECT_EQ(plan.layout, "zero3x2-prefetch");
  std::vector<std::string> with_events;
  for (const auto& line : body_lines(plan)) {
    if (line.find("waits") != std::string::npos || line.find("records") != std::string::npos) {
      with_events.push_back(line);
    }
  }
  EXPECT_THAT(with_events,
              ElementsAre("gather all_gather.embedding m0: all_gather dp 160 B, waits 0, records 1",
                          "compute embedding m0: 1 rows, 8 in, 8 out, waits 1, records 0",
                          "gather all_gather.layer L0 m0: all_gather dp 1184 B, waits 2, records 3",
                          "compute attention_norm L0 m0: 1 rows, 8 in, 16 out, waits 3",
                          "compute down_proj L0 m0: gemm 1x8x16, records 2",
                          "gather all_gather.layer L1 m0: all_gather dp 1184 B, waits 0, records 1",
                          "compute attention_norm L1 m0: 1 rows, 16 in, 16 out, waits 1",
                          "compute down_proj L1 m0: gemm 1x8x16, records 0",
                          "gather all_gather.head m0: all_gather dp 176 B, waits 2, records 3",
                          "compute final_norm m0: 1 rows, 16 in, 8 out, waits 3",
                          "compute sampling m0: 1 rows, 10 in, 1 out, records 2"));
}

// 3 ranks, 2 sequences: the third has none and only takes part in the 4 gathers of each pass.
TEST(Zero3Plan, LetsARankWithoutSequencesTakePartInTheGathers) {
  const auto plan = build_plan(tiny_model(), zero3_layout(3, false), workload(2, 5, 4));
  EXPECT_EQ(plan.program(2).sequences, 0);
  EXPECT_THAT(names(plan.program(2), plan.program(2).body, "gather"),
              ElementsAre("all_gather.embedding m0",
                          "all_gather.layer L0 m0",
                          "all_gather.layer L1 m0",
                          "all_gather.head m0"));
  EXPECT_TRUE(names(plan.program(2), plan.program(2).body, "compute").empty());
  EXPECT_EQ(plan.program(2).prologue.size(), 4u);
  EXPECT_NO_THROW(check(plan));
}

// With tp = 2 a rank gathers its own half: 4 heads -> 2 and so on, 8 x 8 + 4 x 8 + 8 x 16 + 8 x 8 =
// 288 and two norms = 304 elements, 608 B, among its dp group, ranks 0 and 2.
TEST(Zero3Plan, GathersTensorParallelShards) {
  auto layout = zero3_layout(2, false);
  layout.tp = 2;
  const auto plan = build_plan(tiny_model(), layout, workload(2, 5, 4));
  EXPECT_EQ(plan.layout, "tp2zero3x2");
  EXPECT_EQ(plan.group("dp", 0), (std::vector<int>{0, 2}));
  EXPECT_EQ(plan.group("tp", 0), (std::vector<int>{0, 1}));
  const auto all = body_lines(plan);
  EXPECT_THAT(all,
              ::testing::Contains(
                  "gather all_gather.layer L0 m0: all_gather dp 608 B, waits 0, records 1"));
  EXPECT_THAT(all,
              ::testing::Contains("compute all_reduce.ffn L0 m0: all_reduce tp 16 B, records 0"));
}

TEST(Zero3Plan, IsAWholeGpuOnOneRank) {
  const auto alone = build_plan(tiny_model(), zero3_layout(1, false), workload(2, 5, 4));
  const auto whole = build_plan(tiny_model(), tp_layout(1), workload(2, 5, 4));
  EXPECT_EQ(body_lines(alone), body_lines(whole));
}

// 5 sequences over 2 replicas: 3 and 2, in two programs.
TEST(DataParallelPlan, GivesTheFirstReplicasOneSequenceMore) {
  auto layout = tp_layout(1);
  layout.dp = 2;
  const auto plan = build_plan(tiny_model(), layout, workload(5, 5, 4));
  EXPECT_EQ(plan.layout, "dp2");
  ASSERT_EQ(plan.programs.size(), 2u);
  EXPECT_EQ(plan.program(0).sequences, 3);
  EXPECT_EQ(plan.program(1).sequences, 2);
  EXPECT_EQ(count_collectives(plan.program(0).body), 0);
}

TEST(DataParallelPlan, LeavesAReplicaWithoutSequencesIdle) {
  auto layout = tp_layout(2);
  layout.dp = 2;
  const auto plan = build_plan(tiny_model(), layout, workload(1, 5, 4));
  EXPECT_EQ(plan.program(1).sequences, 1);
  EXPECT_TRUE(plan.program(2).body.empty());
  EXPECT_TRUE(plan.program(3).prologue.empty());
  EXPECT_NO_THROW(check(plan));
}

TEST(Registry, ListsStrategiesAndSchedulesInNameOrder) {
  std::vector<std::string> strategies;
  for (const auto& info : layer_strategies()) {
    strategies.push_back(info.name);
    EXPECT_FALSE(info.summary.empty()) << info.name;
  }
  EXPECT_THAT(strategies, ElementsAre("one_kernel", "sp", "tp", "zero3"));
  std::vector<std::string> schedules;
  for (const auto& info : pipeline_schedules()) {
    schedules.push_back(info.name);
    EXPECT_FALSE(info.summary.empty()) << info.name;
  }
  EXPECT_THAT(schedules, ElementsAre("1f1b", "gpipe", "interleaved", "naive"));
}

TEST(Registry, PlansWithAStrategyFromOutsideTheLibrary) {
  Layout layout;
  layout.strategy = "one_kernel";
  layout.tp = 2;
  one_kernel_bytes = 1000;
  const auto plan = build_plan(one_kernel_model(2), layout, workload(1, 1, 2));
  EXPECT_EQ(plan.layout, "one_kernel2");
  EXPECT_THAT(body_lines(plan),
              ElementsAre("compute work L0 m0: 1 rows, 1000 in, 0 out",
                          "compute work L1 m0: 1 rows, 1000 in, 0 out"));
}

TEST(Registry, StopsTheProgramWhenANameIsTaken) {
  EXPECT_DEATH(RegisterLayerStrategy({.name = "tp", .summary = "mine", .reference = ""}),
               "\"tp\" is registered twice: \"Tensor parallel.*\" and \"mine\"");
}

TEST(Registry, NamesTheKnownStrategiesWhenOneIsUnknown) {
  Layout layout;
  layout.strategy = "zero2";
  try {
    (void)build_plan(tiny_model(), layout, workload(1, 5, 2));
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("zero3"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("zero2"));
  }
}

TEST(LayerStrategies, NameEveryOperationOfALayerOnce) {
  const auto plan = build_plan(tiny_model(), tp_layout(2), workload(1, 5, 2));
  const auto all = names_of_layer(plan, 1);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
}
