#include "sim/error.hpp"
#include "sim/model/parameters.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/one_kernel_strategy.hpp"
#include "tests/support/plan_text.hpp"
#include "tests/support/tiny_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <utility>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::ElementsAre;

namespace {

/// One kernel a stage, 1,000 B; messages take 4 B per sequence.
Plan pipeline(int stages, const char* schedule, int micro_batches, int sequences) {
  one_kernel_bytes = 1000;
  auto layout = pp_layout(stages, schedule, micro_batches);
  layout.strategy = "one_kernel";
  return build_plan(one_kernel_model(stages), layout, workload(sequences, 1, 3));
}

std::vector<std::string> part_lines(const Plan& plan, int rank, Part part) {
  return lines(plan.program(rank), plan.program(rank).part(part));
}

} // namespace

// 4 sequences in 2 micro-batches: 2 sequences, 8 B each. First stage: event 0 = a pass is done,
// event 1 = tokens have arrived. The flush: both arrivals before the first pass.
TEST(GPipePlan, FlushesAtTheFirstStage) {
  const auto plan = pipeline(2, "gpipe", 2, 4);
  EXPECT_THAT(part_lines(plan, 0, Part::prologue),
              ElementsAre("compute work L0 m0: 1 rows, 1000 in, 0 out, records 0",
                          "send send.hidden m0: send 1 hidden 8 B, waits 0",
                          "compute work L0 m1: 1 rows, 1000 in, 0 out, records 0",
                          "send send.hidden m1: send 1 hidden 8 B, waits 0"));
  EXPECT_THAT(part_lines(plan, 0, Part::body),
              ElementsAre("receive receive.tokens m0: receive 1 tokens 8 B, records 1",
                          "receive receive.tokens m1: receive 1 tokens 8 B, records 1",
                          "compute work L0 m0: 1 rows, 1000 in, 0 out, waits 1, records 0",
                          "send send.hidden m0: send 1 hidden 8 B, waits 0",
                          "compute work L0 m1: 1 rows, 1000 in, 0 out, records 0",
                          "send send.hidden m1: send 1 hidden 8 B, waits 0"));
  EXPECT_THAT(part_lines(plan, 0, Part::epilogue),
              ElementsAre("receive receive.tokens m0: receive 1 tokens 8 B, records 1",
                          "receive receive.tokens m1: receive 1 tokens 8 B, records 1"));
}

// A pass starts when its own tokens are back.
TEST(OneForwardOneBackwardPlan, StartsEachMicroBatchWhenItsTokensAreBack) {
  const auto plan = pipeline(2, "1f1b", 2, 4);
  EXPECT_THAT(part_lines(plan, 0, Part::body),
              ElementsAre("receive receive.tokens m0: receive 1 tokens 8 B, records 1",
                          "compute work L0 m0: 1 rows, 1000 in, 0 out, waits 1, records 0",
                          "send send.hidden m0: send 1 hidden 8 B, waits 0",
                          "receive receive.tokens m1: receive 1 tokens 8 B, records 1",
                          "compute work L0 m1: 1 rows, 1000 in, 0 out, waits 1, records 0",
                          "send send.hidden m1: send 1 hidden 8 B, waits 0"));
}

// A micro-batch starts when the one before it has left the last stage. (Event 0 is the first pass
// of the prefill, event 1 its arrival.)
TEST(NaivePlan, LetsOneMicroBatchAtATimeThrough) {
  const auto plan = pipeline(2, "naive", 2, 4);
  EXPECT_THAT(part_lines(plan, 0, Part::prologue),
              ElementsAre("compute work L0 m0: 1 rows, 1000 in, 0 out, records 0",
                          "send send.hidden m0: send 1 hidden 8 B, waits 0",
                          "receive receive.tokens m0: receive 1 tokens 8 B, records 1",
                          "compute work L0 m1: 1 rows, 1000 in, 0 out, waits 1, records 0",
                          "send send.hidden m1: send 1 hidden 8 B, waits 0"));
  EXPECT_THAT(part_lines(plan, 0, Part::body),
              ElementsAre("receive receive.tokens m1: receive 1 tokens 8 B, records 1",
                          "compute work L0 m0: 1 rows, 1000 in, 0 out, waits 1, records 0",
                          "send send.hidden m0: send 1 hidden 8 B, waits 0",
                          "receive receive.tokens m0: receive 1 tokens 8 B, records 1",
                          "compute work L0 m1: 1 rows, 1000 in, 0 out, waits 1, records 0",
                          "send send.hidden m1: send 1 hidden 8 B, waits 0"));
  EXPECT_THAT(part_lines(plan, 0, Part::epilogue),
              ElementsAre("receive receive.tokens m1: receive 1 tokens 8 B, records 1"));
}

// Two stages of two chunks, layers 0 and 2 on the first, 1 and 3 on the second: both micro-batches
// through the first chunks, then both through the second ones; tokens have streams of their own.
// Event 0 = a pass is done; event 1 = hidden states have come back from the last stage; event 2 =
// tokens have.
TEST(InterleavedPlan, PassesEveryStageOncePerChunk) {
  one_kernel_bytes = 1000;
  auto layout = pp_layout(2, "interleaved", 2);
  layout.strategy = "one_kernel";
  const auto plan = build_plan(one_kernel_model(4), layout, workload(4, 1, 3));
  EXPECT_THAT(part_lines(plan, 0, Part::body),
              ElementsAre("receive.tokens receive.tokens m0: receive 1 tokens 8 B, records 2",
                          "receive.tokens receive.tokens m1: receive 1 tokens 8 B, records 2",
                          "compute work L0 m0: 1 rows, 1000 in, 0 out, waits 2, records 0",
                          "send send.hidden m0: send 1 hidden 8 B, waits 0",
                          "compute work L0 m1: 1 rows, 1000 in, 0 out, records 0",
                          "send send.hidden m1: send 1 hidden 8 B, waits 0",
                          "receive receive.hidden m0: receive 1 hidden 8 B, records 1",
                          "compute work L2 m0: 1 rows, 1000 in, 0 out, waits 1, records 0",
                          "send send.hidden m0: send 1 hidden 8 B, waits 0",
                          "receive receive.hidden m1: receive 1 hidden 8 B, records 1",
                          "compute work L2 m1: 1 rows, 1000 in, 0 out, waits 1, records 0",
                          "send send.hidden m1: send 1 hidden 8 B, waits 0"));
  EXPECT_THAT(part_lines(plan, 1, Part::body),
              ElementsAre("receive receive.hidden m0: receive 0 hidden 8 B, records 0",
                          "compute work L1 m0: 1 rows, 1000 in, 0 out, waits 0, records 1",
                          "send send.hidden m0: send 0 hidden 8 B, waits 1",
                          "receive receive.hidden m1: receive 0 hidden 8 B, records 0",
                          "compute work L1 m1: 1 rows, 1000 in, 0 out, waits 0, records 1",
                          "send send.hidden m1: send 0 hidden 8 B, waits 1",
                          "receive receive.hidden m0: receive 0 hidden 8 B, records 0",
                          "compute work L3 m0: 1 rows, 1000 in, 0 out, waits 0, records 1",
                          "send.tokens send.tokens m0: send 0 tokens 8 B, waits 1",
                          "receive receive.hidden m1: receive 0 hidden 8 B, records 0",
                          "compute work L3 m1: 1 rows, 1000 in, 0 out, waits 0, records 1",
                          "send.tokens send.tokens m1: send 0 tokens 8 B, waits 1"));
  EXPECT_NO_THROW(check(plan));
}

// 80 layers on 4 stages of 3 chunks: 12 chunks, 8 of 7 layers and 4 of 6; stage 1 has chunks 1, 5
// and 9, layers 7 to 13, 35 to 41 and 62 to 67. All weights are somewhere, once.
TEST(InterleavedPlan, DealsLayersOutToChunks) {
  auto model = tiny_model();
  model.layers = 80;
  auto layout = pp_layout(4, "interleaved", 4);
  layout.virtual_stages = 3;
  const auto plan = build_plan(model, layout, workload(4, 5, 3));
  std::set<int> layers;
  for (const auto& op : plan.program(1).body) {
    if (op.layer >= 0) {
      layers.insert(op.layer);
    }
  }
  std::set<int> expected;
  for (const auto& [from, to] : {std::pair{7, 13}, {35, 41}, {62, 67}}) {
    for (int layer = from; layer <= to; ++layer) {
      expected.insert(layer);
    }
  }
  EXPECT_EQ(layers, expected);
  Bytes weights;
  for (int rank = 0; rank < 4; ++rank) {
    weights += plan.program(rank).weights;
  }
  EXPECT_EQ(weights, 2.0 * Bytes{static_cast<double>(total_parameters(model))});
}

TEST(InterleavedPlan, NeedsAScheduleThatInterleaves) {
  auto layout = pp_layout(2, "gpipe", 2);
  layout.virtual_stages = 2;
  EXPECT_THROW((void)build_plan(one_kernel_model(4), layout, workload(4, 1, 3)), LayoutError);
  layout.schedule = "interleaved";
  layout.virtual_stages = 3; // 6 chunks for 4 layers
  EXPECT_THROW((void)build_plan(one_kernel_model(4), layout, workload(4, 1, 3)), LayoutError);
}

// Other stages are alike under every schedule. 3 sequences in 2 micro-batches: 2 and 1, 8 and 4 B.
TEST(PipelinePlan, PassesMicroBatchesOnInOrder) {
  for (const auto* schedule : {"naive", "gpipe", "1f1b"}) {
    const auto plan = pipeline(3, schedule, 2, 3);
    EXPECT_THAT(part_lines(plan, 1, Part::body),
                ElementsAre("receive receive.hidden m0: receive 0 hidden 8 B, records 0",
                            "compute work L1 m0: 1 rows, 1000 in, 0 out, waits 0, records 1",
                            "send send.hidden m0: send 2 hidden 8 B, waits 1",
                            "receive receive.hidden m1: receive 0 hidden 4 B, records 0",
                            "compute work L1 m1: 1 rows, 1000 in, 0 out, waits 0, records 1",
                            "send send.hidden m1: send 2 hidden 4 B, waits 1"))
        << schedule;
    EXPECT_THAT(part_lines(plan, 2, Part::body),
                ElementsAre("receive receive.hidden m0: receive 1 hidden 8 B, records 0",
                            "compute work L2 m0: 1 rows, 1000 in, 0 out, waits 0, records 1",
                            "send send.tokens m0: send 0 tokens 8 B, waits 1",
                            "receive receive.hidden m1: receive 1 hidden 4 B, records 0",
                            "compute work L2 m1: 1 rows, 1000 in, 0 out, waits 0, records 1",
                            "send send.tokens m1: send 0 tokens 4 B, waits 1"))
        << schedule;
    EXPECT_TRUE(plan.program(1).epilogue.empty());
    EXPECT_NO_THROW(check(plan)) << schedule;
  }
}

// Prefill moves 5 tokens of each sequence: 2 x 5 x 8 x 2 B = 160 B; decode 32 B; tokens 8 B.
TEST(PipelinePlan, SendsHiddenStatesForwardAndTokensBack) {
  const auto plan = build_plan(tiny_model(), pp_layout(2, "gpipe", 2), workload(4, 5, 3));
  const auto& first = plan.program(0);
  const auto& last = plan.program(1);
  EXPECT_EQ(lines(first, {first.prologue.back()}).front(),
            "send send.hidden m1: send 1 hidden 160 B, waits 0");
  EXPECT_EQ(lines(first, {first.body.back()}).front(),
            "send send.hidden m1: send 1 hidden 32 B, waits 0");
  EXPECT_EQ(lines(last, {last.body.back()}).front(),
            "send send.tokens m1: send 0 tokens 8 B, waits 1");
  // The embedding is on the first stage, the head on the last.
  EXPECT_THAT(names(first, first.body, "compute"), ::testing::Contains("embedding m0"));
  EXPECT_THAT(names(last, last.body, "compute"),
              ::testing::Not(::testing::Contains("embedding m0")));
  EXPECT_THAT(names(last, last.body, "compute"), ::testing::Contains("sampling m1"));
}

// naive: 1; others min(stages, sequences of a replica); 1 without a pipeline.
TEST(PipelinePlan, ChoosesAsManyMicroBatchesAsStages) {
  const auto micro_batches = [](int stages, const char* schedule, int sequences) {
    const auto plan = pipeline(stages, schedule, 0, sequences);
    int most = 0;
    for (const auto& op : plan.program(0).body) {
      most = std::max(most, op.micro_batch + 1);
    }
    return most;
  };
  EXPECT_EQ(micro_batches(4, "naive", 8), 1);
  EXPECT_EQ(micro_batches(4, "gpipe", 8), 4);
  EXPECT_EQ(micro_batches(4, "1f1b", 3), 3);
  EXPECT_EQ(micro_batches(1, "gpipe", 8), 1);
}

// Replicas of 2 and 1 sequences with 2 micro-batches: the second has an empty one, which sends
// nothing.
TEST(PipelinePlan, SkipsMicroBatchesWithoutSequences) {
  auto layout = pp_layout(2, "gpipe", 2);
  layout.strategy = "one_kernel";
  layout.dp = 2;
  one_kernel_bytes = 1000;
  auto with_tp = pp_layout(2, "1f1b", 2);
  with_tp.dp = 2;
  const auto plan = build_plan(tiny_model(), with_tp, workload(3, 5, 3));
  EXPECT_THAT(names(plan.program(2), plan.program(2).body, "send"), ElementsAre("send.hidden m0"));
  EXPECT_NO_THROW(check(plan));
}

// 80 layers on 3 stages: 27 + 27 + 26; or as the user says.
TEST(PipelinePlan, SplitsLayersUnevenly) {
  const auto layers_of = [](const Plan& plan) {
    std::vector<int> counts;
    for (int rank = 0; rank < plan.ranks(); ++rank) {
      int count = 0;
      for (const auto& op : plan.program(rank).body) {
        count += op.name == "work" ? 1 : 0;
      }
      counts.push_back(count);
    }
    return counts;
  };
  auto layout = pp_layout(3, "naive");
  layout.strategy = "one_kernel";
  EXPECT_THAT(layers_of(build_plan(one_kernel_model(80), layout, workload(1, 1, 2))),
              ElementsAre(27, 27, 26));
  layout.stage_layers = {30, 30, 20};
  const auto plan = build_plan(one_kernel_model(80), layout, workload(1, 1, 2));
  EXPECT_THAT(layers_of(plan), ElementsAre(30, 30, 20));
  EXPECT_EQ(plan.program(1).body[1].layer, 30); // after its receive
}

// tp = 2, pp = 2, dp = 2: rank = (dp x 2 + stage) x 2 + tp; each tp rank talks to its own
// counterpart of the next stage.
TEST(HybridPlan, NumbersRanksWithTensorParallelInnermost) {
  auto layout = pp_layout(2, "1f1b");
  layout.tp = 2;
  layout.dp = 2;
  const auto plan = build_plan(tiny_model(), layout, workload(4, 5, 3));
  EXPECT_EQ(plan.layout, "tp2pp2dp2-1f1b");
  EXPECT_EQ(plan.group("tp", 2), (std::vector<int>{2, 3}));
  EXPECT_EQ(plan.group("pp", 1), (std::vector<int>{1, 3}));
  EXPECT_EQ(plan.group("pp", 6), (std::vector<int>{4, 6}));
  EXPECT_EQ(plan.group("dp", 3), (std::vector<int>{3, 7}));
  EXPECT_EQ(plan.group("world", 0).size(), 8u);
  EXPECT_EQ(plan.programs.size(), 2u); // a role a stage
  EXPECT_NO_THROW(check(plan));
}

namespace {

/// Buffer that an operation of this name and micro-batch reads or writes.
std::string buffer_of(const Program& program,
                      const std::vector<Operation>& operations,
                      const std::string& name,
                      int micro_batch) {
  for (const auto& op : operations) {
    if (op.name == name && op.micro_batch == micro_batch) {
      const auto& ids = op.writes.empty() ? op.reads : op.writes;
      return program.buffers[static_cast<std::size_t>(ids.front())].name;
    }
  }
  return "";
}

} // namespace

// Under GPipe both arrivals precede the first pass, and a send runs beside the next micro-batch: a
// buffer shared by micro-batches would be overwritten before it is read.
TEST(PipelinePlan, KeepsWhatMicroBatchesSendAndReceiveApart) {
  const auto plan = build_plan(tiny_model(), pp_layout(2, "gpipe", 2), workload(4, 5, 3));
  const auto& first = plan.program(0);
  const auto& last = plan.program(1);
  for (const auto part : {Part::prologue, Part::body}) {
    EXPECT_NE(buffer_of(first, first.part(part), "send.hidden", 0),
              buffer_of(first, first.part(part), "send.hidden", 1));
    EXPECT_NE(buffer_of(last, last.part(part), "send.tokens", 0),
              buffer_of(last, last.part(part), "send.tokens", 1));
    EXPECT_NE(buffer_of(last, last.part(part), "receive.hidden", 0),
              buffer_of(last, last.part(part), "receive.hidden", 1));
  }
  EXPECT_NE(buffer_of(first, first.body, "receive.tokens", 0),
            buffer_of(first, first.body, "receive.tokens", 1));
  // The embedding reads what arrived; the send takes what the last kernel wrote.
  for (const auto& op : first.body) {
    if (op.name == "embedding") {
      EXPECT_EQ(first.buffers[static_cast<std::size_t>(op.reads.front())].name,
                buffer_of(first, first.body, "receive.tokens", op.micro_batch));
    }
  }
  EXPECT_EQ(buffer_of(first, first.body, "send.hidden", 1),
            buffer_of(first, first.body, "down_proj", 1));
  EXPECT_EQ(buffer_of(last, last.body, "send.tokens", 1),
            buffer_of(last, last.body, "sampling", 1));
}
