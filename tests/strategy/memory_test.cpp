#include "sim/model/hf_config.hpp"
#include "sim/model/parameters.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

double weights_of_all_ranks(const Plan& plan) {
  double sum = 0;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    sum += plan.program(rank).weights.value();
  }
  return sum;
}

std::vector<Layout> many_layouts() {
  auto hybrid = pp_layout(2, "1f1b");
  hybrid.tp = 2;
  auto replicas = tp_layout(2);
  replicas.dp = 2;
  auto zero3_in_stages = zero3_layout(2, true);
  zero3_in_stages.pp = 2;
  auto zero3_of_shards = zero3_layout(2, false);
  zero3_of_shards.tp = 2;
  return {tp_layout(1),
          tp_layout(2),
          tp_layout(4),
          pp_layout(2, "naive"),
          hybrid,
          replicas,
          zero3_layout(2, false),
          zero3_layout(3, true),
          zero3_in_stages,
          zero3_of_shards};
}

} // namespace

// Some ranks hold more than their share (norms, padding, replicated KV heads); none may hold less.
TEST(Memory, HoldsAllWeightsOfTheModel) {
  auto gpt2_like = tiny_model();
  gpt2_like.tied_embeddings = true;
  gpt2_like.position = PositionKind::learned;
  gpt2_like.max_positions = 64;
  gpt2_like.norm = NormKind::layer_norm;
  gpt2_like.qkv_bias = gpt2_like.attention_output_bias = gpt2_like.ffn_bias = true;
  gpt2_like.gated_ffn = false;
  auto bloom_like = gpt2_like;
  bloom_like.position = PositionKind::alibi;
  bloom_like.embedding_norm = true;
  for (const auto& model : {tiny_model(), gpt2_like, bloom_like}) {
    const double whole = 2.0 * static_cast<double>(total_parameters(model));
    for (const auto& layout : many_layouts()) {
      const auto plan = build_plan(model, layout, workload(4, 5, 3));
      EXPECT_GE(weights_of_all_ranks(plan), whole)
          << layout.tag() << (model.tied_embeddings ? ", tied" : "");
    }
    EXPECT_EQ(weights_of_all_ranks(build_plan(model, tp_layout(1), workload(4, 5, 3))), whole);
    // A stage without the table keeps its own head.
    const double head = model.tied_embeddings ? 2.0 * 80.0 : 0.0;
    EXPECT_EQ(weights_of_all_ranks(build_plan(model, pp_layout(2, "naive"), workload(4, 5, 3))),
              whole + head);
  }
}

// tp = 2 halves every matrix and repeats the 2 x 2 + 1 norms of 8 elements.
TEST(Memory, RepeatsNormsUnderTensorParallelism) {
  const auto model = tiny_model();
  const auto plan = build_plan(model, tp_layout(2), workload(1, 5, 3));
  EXPECT_EQ(weights_of_all_ranks(plan),
            2.0 * (static_cast<double>(total_parameters(model)) + 5 * 8));
}

// Shards of ceil(bytes / 3): table and head 160 and 176 B, layers 1,184 B: 54 + 2 x 395 + 59 = 903.
TEST(Memory, SharesZero3WeightsInWholeBytes) {
  const auto plan = build_plan(tiny_model(), zero3_layout(3, false), workload(3, 5, 3));
  EXPECT_EQ(plan.program(0).weights.value(), 54 + 2 * 395 + 59);
}

// One gathered layer of 1,184 B, two with prefetch; the largest unit counts.
TEST(Memory, KeepsTheGatheredLayerAndItsPrefetch) {
  const auto gathered = [](bool prefetch) {
    const auto plan = build_plan(tiny_model(), zero3_layout(2, prefetch), workload(2, 5, 3));
    return buffer_bytes(plan.program(0), BufferKind::gathered_weights).value();
  };
  EXPECT_EQ(gathered(false), 1184.0);
  EXPECT_EQ(gathered(true), 2 * 1184.0);
}

// Per token and layer 2 x 2 x 2 x 2 B = 16 B; 2 layers, 3 sequences of 5 + 4 tokens.
TEST(Memory, HoldsTheCacheAtItsLongest) {
  const auto plan = build_plan(tiny_model(), tp_layout(1), workload(3, 5, 4));
  EXPECT_EQ(plan.program(0).kv_bytes_per_token.value(), 32.0);
  EXPECT_EQ(buffer_bytes(plan.program(0), BufferKind::kv_cache).value(), 32.0 * 3 * 9);
  auto quantised = workload(3, 5, 4);
  quantised.precision.kv_cache = DataType::fp8;
  const auto half = build_plan(tiny_model(), tp_layout(1), quantised);
  EXPECT_EQ(half.program(0).kv_bytes_per_token.value(), 16.0);
}

// One sequence, one token in decode: the activation kernel reads gate and up (2 x 16 x 2 B = 64 B)
// and writes 16 x 2 B = 32 B while the residual (8 x 2 B = 16 B) waits: 112 B. Everything else is
// less: attention 32 + 16 + 16, down projection 32 + 16 + 16, head 16 + 20. Prefill has 5 tokens at
// the same place: 560 B.
TEST(Memory, FindsThePeakOfActivations) {
  auto model = tiny_model();
  model.layers = 1;
  auto plan = build_plan(model, tp_layout(1), workload(1, 5, 3));
  EXPECT_EQ(peak_activation_bytes(plan.program(0)).value(), 5 * 112.0);
  plan.programs[0].prologue.clear();
  EXPECT_EQ(peak_activation_bytes(plan.program(0)).value(), 112.0);
}

// int4: linear weights at 4.125 bits, table, head and norms in bf16.
TEST(Memory, QuantisesLinearWeightsAlone) {
  auto load = workload(1, 5, 3);
  load.precision.weights = DataType::int4;
  const auto plan = build_plan(tiny_model(), tp_layout(1), load);
  // 2 layers of 576 linear and 16 other elements; 2 x 80 + 8 beside them.
  EXPECT_DOUBLE_EQ(plan.program(0).weights.value(), 2 * 576 * 4.125 / 8 + 2.0 * (2 * 16 + 168));
}

// 141.1e9 B over 8 ranks: 17.6 GB each and the norms, 161 x 8,192 x 2 B, whole on each.
TEST(Memory, OfLlama70bOnEightGpus) {
  const auto model = find_model("llama-3-70b", "test");
  const auto plan = build_plan(model, tp_layout(8), workload(1, 512, 32));
  const double norms = 161.0 * 8192 * 2;
  EXPECT_DOUBLE_EQ(plan.program(0).weights.value(), (141107412992.0 - norms) / 8 + norms);
}
