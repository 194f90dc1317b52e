#include "sim/model/hf_config.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/hand_plan.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;

// Llama-3-70B: hidden 8,192, 80 layers, vocabulary 128,256, bf16; one sequence.
// 2 x 80 all-reduces of 8,192 x 2 B = 16,384 B, one more after the embedding, logits 256,512 B:
// 161 x 16,384 + 256,512 = 2,894,336 B. Received per GPU: 2 x 7/8 of what is reduced, 7/8 of what
// is gathered: 1.75 x 2,637,824 + 0.875 x 256,512 = 4,840,640 B.
TEST(TrafficPerStep, OfTensorParallelLlama70bIsTwoAllReducesALayer) {
  const auto model = find_model("llama-3-70b", "test");
  const auto traffic = traffic_per_step(build_plan(model, tp_layout(8), workload(1, 512, 32)));
  EXPECT_EQ(traffic.tensor.value(), 161.0 * 16384.0 + 256512.0);
  EXPECT_EQ(traffic.received_sum.value() / 8.0, 4840640.0);
}

// All 70,553,706,496 parameters, 2 B each, embedding and head included; 7/8 received per GPU.
TEST(TrafficPerStep, OfZero3Llama70bIsAllWeights) {
  const auto model = find_model("llama-3-70b", "test");
  for (const int batch : {1, 8}) { // whatever the batch
    const auto plan = build_plan(model, zero3_layout(8, false), workload(batch, 512, 32));
    const auto traffic = traffic_per_step(plan);
    EXPECT_EQ(traffic.tensor.value(), 141107412992.0);
    EXPECT_DOUBLE_EQ(traffic.received_sum.value() / 8.0, 7.0 / 8.0 * 141107412992.0);
  }
}

// A tied table is gathered twice a step, for the embedding and again for the head: 2 x 160 B, two
// layers of 1,184 B, the final norm 16 B.
TEST(TrafficPerStep, OfZero3GathersATiedTableTwice) {
  auto model = tiny_model();
  model.tied_embeddings = true;
  const auto traffic =
      traffic_per_step(build_plan(model, zero3_layout(2, false), workload(2, 5, 3)));
  EXPECT_EQ(traffic.tensor.value(), 2 * 160.0 + 2 * 1184.0 + 16.0);
}

// 2 stages, 4 sequences in 2 micro-batches: hidden states 2 x 32 B, tokens 2 x 8 B; each byte is
// received once. 3 stages pass the hidden states on twice.
TEST(TrafficPerStep, OfAPipelineIsHiddenStatesAndTokens) {
  auto traffic =
      traffic_per_step(build_plan(tiny_model(), pp_layout(2, "gpipe", 2), workload(4, 5, 3)));
  EXPECT_EQ(traffic.tensor.value(), 2 * 32.0 + 2 * 8.0);
  EXPECT_EQ(traffic.received_sum, traffic.tensor);
  auto model = tiny_model();
  model.layers = 3;
  traffic = traffic_per_step(build_plan(model, pp_layout(3, "1f1b", 2), workload(4, 5, 3)));
  EXPECT_EQ(traffic.tensor.value(), 2 * (2 * 32.0) + 2 * 8.0);
}

// tp = 2 in 2 replicas: each replica's arrays count, 1 sequence each: (2 x 2 + 1) x 16 B + 20 B.
TEST(TrafficPerStep, CountsEveryReplica) {
  auto layout = tp_layout(2);
  layout.dp = 2;
  const auto traffic = traffic_per_step(build_plan(tiny_model(), layout, workload(2, 5, 3)));
  EXPECT_EQ(traffic.tensor.value(), 2 * (5 * 16.0 + 20.0));
  // 4 ranks: 2 x 1/2 of 80 B and 1/2 of 20 B each.
  EXPECT_EQ(traffic.received_sum.value(), 4 * (80.0 + 10.0));
}

// 4 ranks, 100 B: reduced 2 x 3/4 each, gathered and scattered 3/4, broadcast to all but the root.
TEST(TrafficPerStep, CountsWhatEachCollectiveDelivers) {
  const auto received = [](CollectiveKind kind) {
    const auto body = program({collective_op("c", kind, 100)});
    return traffic_per_step(hand_plan({body, body, body, body})).received_sum.value();
  };
  EXPECT_DOUBLE_EQ(received(CollectiveKind::all_reduce), 4 * 150.0);
  EXPECT_DOUBLE_EQ(received(CollectiveKind::all_gather), 4 * 75.0);
  EXPECT_DOUBLE_EQ(received(CollectiveKind::reduce_scatter), 4 * 75.0);
  EXPECT_DOUBLE_EQ(received(CollectiveKind::broadcast), 3 * 100.0);
}
