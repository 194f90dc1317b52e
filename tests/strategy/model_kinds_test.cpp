#include "sim/error.hpp"
#include "sim/model/parameters.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/plan_text.hpp"
#include "tests/support/tiny_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::ElementsAre;

/// What each kind of model adds to the plan of Llama's layer (layer_strategies_test.cpp).
namespace {

/// Kernels and collectives of layer 0, without the stream and the numbers of layer and micro-batch.
std::vector<std::string> first_layer(const Plan& plan, Part part = Part::body) {
  const auto& program = plan.program(0);
  std::vector<Operation> operations;
  for (const auto& op : program.part(part)) {
    if (op.layer == 0) {
      operations.push_back(op);
    }
  }
  auto all = lines(program, operations);
  for (auto& line : all) {
    line = line.substr(std::string{"compute "}.size());
    line.erase(line.find(" L0 m0"), 6);
  }
  return all;
}

double weights_of_all_ranks(const Plan& plan) {
  double sum = 0;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    sum += plan.program(rank).weights.value();
  }
  return sum;
}

/// h = 8, 4 heads; latents of queries 6 and of keys and values 5; heads of 3 + 2, values of 4.
Model latent_model() {
  auto model = tiny_model();
  model.kv_heads = 4;
  model.latent = LatentAttention{.query_rank = 6,
                                 .kv_rank = 5,
                                 .nope_head_size = 3,
                                 .rope_head_size = 2,
                                 .value_head_size = 4};
  model.head_size = 5;
  return model;
}

Model parallel_model(bool one_norm) {
  auto model = tiny_model();
  model.parallel_block = true;
  model.one_block_norm = one_norm;
  return model;
}

Model windowed_model(int window, std::vector<bool> layers = {}) {
  auto model = tiny_model();
  model.sliding_window = window;
  model.windowed_layers = std::move(layers);
  return model;
}

} // namespace

// tp = 2: 2 of 4 heads. First product: 6 + (5 + 2) = 13 outputs, the same on both ranks. Queries
// 2 x (3 + 2) = 10. Rotary: 2 x 2 of queries and 7 of the cache. Absorbed: each head's query of 3
// becomes one of 5, attends to keys of 5 + 2 whose first 5 are the values, and comes back as 4.
TEST(LatentAttentionPlan, AbsorbsTheUpProjectionsInDecode) {
  const auto plan = build_plan(latent_model(), tp_layout(2), workload(3, 5, 4));
  EXPECT_THAT(first_layer(plan),
              ElementsAre("attention_norm: 3 rows, 8 in, 16 out",
                          "qkv_a_proj: gemm 3x13x8",
                          "latent_norm: 3 rows, 11 in, 11 out",
                          "q_b_proj: gemm 3x10x6",
                          "rotary: 3 rows, 11 in, 11 out",
                          "absorb_queries: 2 x gemm 3x5x3",
                          "attention: attention 3 sequences, 1 new of 6, 2/1 heads of 7, values of "
                          "5 in keys",
                          "expand_values: 2 x gemm 3x4x5",
                          "o_proj: gemm 3x8x8",
                          "all_reduce.attention: all_reduce tp 48 B",
                          "ffn_norm: 3 rows, 16 in, 16 out",
                          "gate_up_proj: gemm 3x16x8",
                          "activation: 3 rows, 16 in, 8 out",
                          "down_proj: gemm 3x8x8",
                          "all_reduce.ffn: all_reduce tp 48 B"));
}

// Prefill of 3 x 5 tokens: keys without position and values of both heads, 2 x (3 + 4) = 14.
TEST(LatentAttentionPlan, ExpandsKeysAndValuesInPrefill) {
  const auto plan = build_plan(latent_model(), tp_layout(2), workload(3, 5, 4));
  const auto all = first_layer(plan, Part::prologue);
  EXPECT_EQ(all[4], "rotary: 15 rows, 11 in, 11 out");
  EXPECT_EQ(all[5], "kv_b_proj: gemm 15x14x5");
  EXPECT_EQ(all[6], "attention: attention 3 sequences, 5 new of 5, 2/2 heads of 5, values of 4");
  EXPECT_EQ(all[7], "o_proj: gemm 15x8x8");
}

// Without a query rank the first product makes the queries: 4 x 5 + 7 = 27 outputs, and only the
// latent of keys and values (5) has a norm.
TEST(LatentAttentionPlan, ProjectsQueriesDirectlyWithoutAQueryRank) {
  auto model = latent_model();
  model.latent->query_rank = 0;
  const auto all = first_layer(build_plan(model, tp_layout(1), workload(3, 5, 4)));
  EXPECT_EQ(all[1], "qkv_a_proj: gemm 3x27x8");
  EXPECT_EQ(all[2], "latent_norm: 3 rows, 5 in, 5 out");
  EXPECT_EQ(all[3], "rotary: 3 rows, 15 in, 15 out"); // 4 x 2 and 7
}

// The latent belongs to no head: every rank caches 5 + 2 elements a token in each of 2 layers.
TEST(LatentAttentionPlan, KeepsTheWholeCacheOnEveryRank) {
  for (const int tp : {1, 2, 4}) {
    const auto plan = build_plan(latent_model(), tp_layout(tp), workload(3, 5, 4));
    EXPECT_EQ(plan.program(0).kv_bytes_per_token.value(), 2 * 7 * 2.0);
    EXPECT_EQ(buffer_bytes(plan.program(0), BufferKind::kv_cache).value(), 2 * 7 * 2.0 * 3 * 9);
  }
}

// One rank holds all parameters, 2 B each. Two ranks both hold, in each of 2 layers, the first
// product (13 x 8), its norms (11) and the norms of the blocks (2 x 8); and both the final norm
// (8).
TEST(LatentAttentionPlan, RepeatsTheProjectionsToTheLatents) {
  for (const int rank : {6, 0}) {
    auto model = latent_model();
    model.latent->query_rank = rank;
    const auto whole = 2.0 * static_cast<double>(total_parameters(model));
    EXPECT_EQ(weights_of_all_ranks(build_plan(model, tp_layout(1), workload(3, 5, 4))), whole);
  }
  const auto whole = 2.0 * static_cast<double>(total_parameters(latent_model()));
  const auto two = build_plan(latent_model(), tp_layout(2), workload(3, 5, 4));
  EXPECT_EQ(weights_of_all_ranks(two), whole + 2.0 * (2 * (13 * 8 + 11 + 16) + 8));
  // What zero3 gathers of a shard is what tp holds of it.
  auto gathered = zero3_layout(2, false);
  gathered.tp = 2;
  const auto shared = build_plan(latent_model(), gathered, workload(3, 5, 4));
  EXPECT_EQ(weights_of_all_ranks(shared), weights_of_all_ranks(two));
}

// Attention and FFN read one input, their sum is reduced once: 3 x 8 x 2 B.
TEST(ParallelBlockPlan, ReducesAttentionAndFfnTogether) {
  const auto plan = build_plan(parallel_model(true), tp_layout(2), workload(3, 5, 4));
  EXPECT_THAT(first_layer(plan),
              ElementsAre("attention_norm: 3 rows, 8 in, 16 out",
                          "qkv_proj: gemm 3x8x8",
                          "rotary: 3 rows, 8 in, 8 out",
                          "attention: attention 3 sequences, 1 new of 6, 2/1 heads of 2",
                          "o_proj: gemm 3x8x4",
                          "gate_up_proj: gemm 3x16x8",
                          "activation: 3 rows, 16 in, 8 out",
                          "down_proj: gemm 3x8x8",
                          "block_sum: 3 rows, 16 in, 8 out",
                          "all_reduce.block: all_reduce tp 48 B"));
}

// A norm of its own for the FFN reads the residual stream as it is.
TEST(ParallelBlockPlan, MayHaveASecondNorm) {
  const auto all = first_layer(build_plan(parallel_model(false), tp_layout(1), workload(3, 5, 4)));
  EXPECT_EQ(all[5], "ffn_norm: 3 rows, 8 in, 8 out");
  EXPECT_EQ(all[9], "block_sum: 3 rows, 16 in, 8 out");
}

// One all-reduce a layer, one for the embedding, 48 B each; logits of 3 x 10 x 2 B.
TEST(ParallelBlockPlan, MovesHalfOfWhatTwoBlocksMove) {
  const auto traffic =
      traffic_per_step(build_plan(parallel_model(true), tp_layout(2), workload(3, 5, 4)));
  EXPECT_EQ(traffic.tensor.value(), (2 + 1) * 48.0 + 60.0);
}

TEST(ParallelBlockPlan, HoldsItsParameters) {
  for (const bool one_norm : {true, false}) {
    const auto model = parallel_model(one_norm);
    EXPECT_EQ(weights_of_all_ranks(build_plan(model, tp_layout(1), workload(3, 5, 4))),
              2.0 * static_cast<double>(total_parameters(model)));
  }
}

// A norm behind each block, over the sum: 8 in, 8 out.
TEST(PostNormPlan, NormalisesWhatTheBlocksPutOut) {
  auto model = tiny_model();
  model.post_norms = true;
  const auto plan = build_plan(model, tp_layout(2), workload(3, 5, 4));
  const auto all = first_layer(plan);
  ASSERT_EQ(all.size(), 13u);
  EXPECT_EQ(all[5], "all_reduce.attention: all_reduce tp 48 B");
  EXPECT_EQ(all[6], "post_attention_norm: 3 rows, 8 in, 8 out");
  EXPECT_EQ(all[7], "ffn_norm: 3 rows, 16 in, 16 out");
  EXPECT_EQ(all[12], "post_ffn_norm: 3 rows, 8 in, 8 out");
  EXPECT_EQ(weights_of_all_ranks(build_plan(model, tp_layout(1), workload(3, 5, 4))),
            2.0 * static_cast<double>(total_parameters(model)));
}

// Layer 0 attends to 4 tokens, layer 1 to all. 3 sequences of 5 + 4 tokens, 16 B a token and layer:
// 3 x (4 + 9) x 16 B.
TEST(WindowedLayerPlan, KeepsAndReadsTheWindowAlone) {
  const auto plan = build_plan(windowed_model(4, {true, false}), tp_layout(1), workload(3, 5, 4));
  const auto& program = plan.program(0);
  EXPECT_EQ(first_layer(plan)[3],
            "attention: attention 3 sequences, 1 new of 6, 4/2 heads of 2, window 4");
  EXPECT_EQ(program.kv_bytes_per_token.value(), 32);
  EXPECT_THAT(program.windowed_caches,
              ElementsAre(WindowedCache{.window = 4, .bytes_per_token = Bytes{16.0}}));
  EXPECT_EQ(buffer_bytes(program, BufferKind::kv_cache).value(), 3 * (4 + 9) * 16.0);
  EXPECT_EQ(program.kv_cache_bytes(3).value(), 3 * 32);
  EXPECT_EQ(program.kv_cache_bytes(9).value(), (4 + 9) * 16.0);
}

TEST(WindowedLayerPlan, OfAllLayersStopsGrowing) {
  const auto plan = build_plan(windowed_model(4), tp_layout(1), workload(1, 5, 4));
  EXPECT_EQ(plan.program(0).kv_cache_bytes(4).value(), 4 * 32);
  EXPECT_EQ(plan.program(0).kv_cache_bytes(1'000'000).value(), 4 * 32);
}

// Sinks (4), and per-head norms of 4 query and 2 key heads of 2: held, but of no cost in time.
TEST(RareParts, AreHeldInMemory) {
  auto model = tiny_model();
  model.attention_sinks = true;
  model.qk_norm = model.qk_norm_per_head = true;
  const auto plain = 2.0 * static_cast<double>(total_parameters(tiny_model()));
  const auto one = build_plan(model, tp_layout(1), workload(1, 5, 2));
  EXPECT_EQ(weights_of_all_ranks(one), plain + 2.0 * 2 * (4 + 6 * 2));
}
