#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "tests/executor/run_on_cpu.hpp"
#include "tests/support/tiny_model.hpp"
#include "validation/executor/stored_elements.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

/// 4 layers, h = 16, 4 heads over 2 KV heads of 4, f = 24, v = 37: a prime, so that no number of
/// ranks divides it.
Model model() {
  auto made = tiny_model();
  made.layers = 4;
  made.hidden_size = 16;
  made.head_size = 4;
  made.ffn_size = 24;
  made.vocabulary_size = 37;
  return made;
}

/// 5 sequences, 3 prompt tokens, 4 generated: uneven micro-batches, replicas and slices of rows.
Workload load(DataType type = DataType::fp32) {
  auto made = workload(5, 3, 4);
  made.precision = {.weights = type, .kv_cache = type};
  return made;
}

Logits logits(const Model& of, const std::string& spec, const Workload& with = load()) {
  auto layout = parse_layout_spec(spec, 8, "test");
  const auto plan = build_plan(of, layout, with);
  check(plan);
  return run_on_cpu(plan, of);
}

/// The token that each sequence samples in each pass.
std::vector<std::ptrdiff_t> sampled(const Logits& all) {
  std::vector<std::ptrdiff_t> tokens;
  for (const auto& [place, row] : all) {
    tokens.push_back(std::max_element(row.begin(), row.end()) - row.begin());
  }
  return tokens;
}

/// 8 experts of 12 columns, 3 per token.
Model expert_model() { return with_experts(model(), 8, 3, 12); }

struct Case {
  const char* name;
  std::string layout;
};

class EveryLayout : public ::testing::TestWithParam<Case> {};

} // namespace

// One rank: 5 sequences, each with logits of the prefill and of 3 decode steps.
TEST(Logits, OfOneRankAreOfEveryTokenAndDiffer) {
  const auto all = logits(model(), "single");
  ASSERT_EQ(all.size(), 5u * 4);
  std::set<std::vector<float>> different;
  for (const auto& [place, row] : all) {
    EXPECT_EQ(row.size(), 37u);
    different.insert(row);
  }
  EXPECT_EQ(different.size(), 20u) << "sequences and steps have contexts of their own";
}

// Sums over ranks are added in another order: a few units of the last of 24 bits, after 4 layers.
TEST_P(EveryLayout, HasTheLogitsOfOneRank) {
  const auto alone = logits(model(), "single");
  const auto cut = logits(model(), GetParam().layout);
  EXPECT_LT(largest_difference(alone, cut), 1e-5);
  EXPECT_EQ(sampled(alone), sampled(cut));
}

INSTANTIATE_TEST_SUITE_P(Dense,
                         EveryLayout,
                         ::testing::Values(Case{"tp2", "tp2"},
                                           Case{"tp4",
                                                "tp4"}, // more than KV heads: both are replicated
                                           Case{"sp2", "sp2"},
                                           Case{"sp4", "sp4"},
                                           Case{"dp2", "dp2"},
                                           Case{"zero3x2", "zero3x2"},
                                           Case{"zero3x3", "zero3x3"},
                                           Case{"zero3x8", "zero3x8"}, // 3 ranks without a sequence
                                           Case{"zero3x4prefetch", "zero3x4-prefetch"},
                                           Case{"pp2naive", "pp2-naive"},
                                           Case{"pp4gpipe", "pp4-gpipe"},
                                           Case{"pp2onef", "pp2-1f1b"},
                                           Case{"pp4onef", "pp4-1f1b"},
                                           Case{"pp2interleaved", "pp2-interleaved"},
                                           Case{"tp2pp2", "tp2pp2-1f1b"},
                                           Case{"tp2pp2dp2", "tp2pp2dp2-gpipe"}),
                         [](const auto& one) { return std::string{one.param.name}; });

class EveryLayoutOfExperts : public ::testing::TestWithParam<Case> {};

// Each token goes to the same experts in every layout: the routing table numbers sequences over the
// whole batch.
TEST_P(EveryLayoutOfExperts, HasTheLogitsOfOneRank) {
  const auto alone = logits(expert_model(), "single");
  const auto cut = logits(expert_model(), GetParam().layout);
  EXPECT_LT(largest_difference(alone, cut), 1e-5);
  EXPECT_EQ(sampled(alone), sampled(cut));
}

INSTANTIATE_TEST_SUITE_P(Experts,
                         EveryLayoutOfExperts,
                         ::testing::Values(Case{"tp2", "tp2"},
                                           Case{"zero3x2", "zero3x2-prefetch"},
                                           Case{"pp2", "pp2-1f1b"},
                                           Case{"ep2", "ep2"},
                                           Case{"ep8", "ep8"}, // ranks without a sequence
                                           Case{"tp2ep2", "tp2ep2"},
                                           Case{"tp2ep4", "tp2ep4"},
                                           Case{"tp2dp2ep2", "tp2dp2ep2"}, // slices of experts
                                           Case{"pp2ep4", "pp2ep4-gpipe"}),
                         [](const auto& one) { return std::string{one.param.name}; });

// Half of the hot experts are on two ranks, and tokens go to the copies in turn.
TEST(Logits, DoNotDependOnCopiesAndPlacementOfExperts) {
  auto with = load();
  with.experts.copies = 4;
  with.experts.placement = PlacementKind::round_robin;
  with.experts.routing = "zipf:1.2";
  const auto alone = logits(expert_model(), "single", with);
  EXPECT_LT(largest_difference(alone, logits(expert_model(), "ep4", with)), 1e-5);
}

TEST(Logits, OfSharedExpertsWithAGateAreTheSame) {
  auto with_shared = expert_model();
  with_shared.moe->shared_ffn_size = 8;
  with_shared.moe->shared_expert_gate = true;
  with_shared.moe->first_dense_layers = 1;
  with_shared.moe->router_bias = true;
  with_shared.moe->expert_bias = true;
  const auto alone = logits(with_shared, "single");
  for (const auto* spec : {"tp2", "tp2ep4", "ep4"}) {
    EXPECT_LT(largest_difference(alone, logits(with_shared, spec)), 1e-5) << spec;
  }
}

// Every kind of block that an executor runs: GPT-like, Qwen-like, Gemma-like, Command-R-like.
TEST(Logits, OfEveryKindOfModelAreTheSame) {
  auto gpt = model();
  gpt.norm = NormKind::layer_norm;
  gpt.position = PositionKind::learned;
  gpt.max_positions = 16;
  gpt.extra_positions = 2;
  gpt.gated_ffn = false;
  gpt.qkv_bias = gpt.attention_output_bias = gpt.ffn_bias = true;
  gpt.embedding_norm = true;
  auto gpt2 = gpt;
  gpt2.tied_embeddings = true;
  auto qwen = model();
  qwen.qk_norm = true;
  qwen.qkv_bias = true;
  auto gemma = model();
  gemma.post_norms = true;
  gemma.tied_embeddings = true;
  auto command = model();
  command.norm = NormKind::layer_norm_without_bias;
  command.parallel_block = command.one_block_norm = true;
  command.qk_norm = command.qk_norm_per_head = true;
  auto neox = model();
  neox.parallel_block = true;
  for (const auto& [name, of] : {std::pair{"gpt", gpt},
                                 std::pair{"gpt2", gpt2},
                                 std::pair{"qwen", qwen},
                                 std::pair{"gemma", gemma},
                                 std::pair{"command", command},
                                 std::pair{"neox", neox}}) {
    const auto alone = logits(of, "single");
    for (const auto* spec : {"tp2", "tp4", "sp2", "pp2-1f1b"}) {
      EXPECT_LT(largest_difference(alone, logits(of, spec)), 1e-5) << name << " " << spec;
    }
    for (const auto* spec : {"zero3x2", "zero3x4-prefetch"}) {
      EXPECT_LT(largest_difference(alone, logits(of, spec)), 1e-5) << name << " " << spec;
    }
  }
}

// bf16 has 8 bits: each of about 10 roundings a layer moves an element by at most 2^-9 of its size,
// and sums over ranks are rounded once more.
TEST(Logits, InBf16DifferByRoundingAlone) {
  const auto alone = logits(model(), "single", load(DataType::bf16));
  EXPECT_GT(largest_difference(alone, logits(model(), "single")), 1e-4) << "bf16 is not fp32";
  for (const auto* spec : {"tp2", "sp2", "zero3x2", "pp2-1f1b", "tp2pp2"}) {
    EXPECT_LT(largest_difference(alone, logits(model(), spec, load(DataType::bf16))), 0.05) << spec;
  }
}

// The type has 11 bits.
TEST(Logits, InFp16DifferByRoundingAlone) {
  const auto alone = logits(model(), "single", load(DataType::fp16));
  const double rounding = largest_difference(alone, logits(model(), "single"));
  EXPECT_GT(rounding, 1e-5) << "fp16 is not fp32";
  EXPECT_LT(rounding, 0.01);
  EXPECT_LT(largest_difference(alone, logits(model(), "tp2", load(DataType::fp16))), 0.01);
}

// Source: IEEE 754: 1, the largest number and what rounds to infinity, the smallest normal and
// subnormal numbers, ties to even.
TEST(StoredFp16, RoundsToTheNearest) {
  EXPECT_EQ(to_fp16(1.0F), 0x3c00);
  EXPECT_EQ(to_fp16(-65504.0F), 0xfbff);
  EXPECT_EQ(to_fp16(65520.0F), 0x7c00);
  EXPECT_EQ(to_fp16(0x1p-14F), 0x0400);
  EXPECT_EQ(to_fp16(0x1p-24F), 0x0001);
  EXPECT_EQ(to_fp16(0x1p-25F), 0x0000);
  EXPECT_EQ(to_fp16(1.0F + 0x1p-11F), 0x3c00);
  EXPECT_EQ(to_fp16(1.0F + 0x1.8p-10F), 0x3c02);
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    ASSERT_EQ(to_fp16(from_fp16(half)), half);
  }
}

// Stages alone add nothing: the residual sum that goes on is the one that stays.
TEST(Logits, OfAReplicaAreTheSameToTheLastBit) {
  EXPECT_EQ(largest_difference(logits(model(), "single"), logits(model(), "dp2")), 0.0);
  EXPECT_EQ(largest_difference(logits(model(), "single"), logits(model(), "zero3x2")), 0.0);
}

TEST(Logits, SurviveTheWayBetweenProcesses) {
  const auto all = logits(model(), "tp2");
  EXPECT_EQ(unpacked(packed(all)), all);
}

// Of the largest size, 4: one differs by 1. Other sequences, or no number: no distance.
TEST(LogitsDifference, IsRelativeToTheLargest) {
  const Logits a{{{0, 0}, {1.0F, -4.0F}}, {{1, 0}, {2.0F, 3.0F}}};
  auto b = a;
  EXPECT_EQ(largest_difference(a, b), 0.0);
  b[{1, 0}][0] = 3.0F;
  EXPECT_EQ(largest_difference(a, b), 0.25);
  b[{1, 0}][0] = std::nanf("");
  EXPECT_TRUE(std::isinf(largest_difference(a, b)));
  b.erase({1, 0});
  EXPECT_TRUE(std::isinf(largest_difference(a, b)));
}

// Sequence 0 samples another token in pass 0, by a difference of 0.5 of 4; its pass 1 has read
// another text. Sequence 1 has not.
TEST(LogitsDifference, EndsWhereTextsPart) {
  const Logits a{{{0, 0}, {3.0F, 2.75F}}, {{0, 1}, {1.0F, 2.0F}}, {{1, 1}, {4.0F, 0.0F}}};
  auto b = a;
  b[{0, 0}] = {2.75F, 3.25F};
  b[{0, 1}] = {2.0F, -4.0F};
  EXPECT_EQ(largest_difference(a, b), 0.125);
  b[{1, 1}][1] = 1.0F;
  EXPECT_EQ(largest_difference(a, b), 0.25);
  b[{0, 1}][0] = std::nanf("");
  EXPECT_TRUE(std::isinf(largest_difference(a, b)));
}

// What a framework's programs add (copies, unfused kernels, a table on every rank) moves no logit.
TEST(Logits, DoNotDependOnTheFramework) {
  auto with = load();
  with.traits = {.unfused_kernels = 2,
                 .whole_vocabulary = true,
                 .concatenates_cache = true,
                 .copies_gathered_weights = true};
  const auto alone = logits(model(), "single");
  for (const auto* spec : {"single", "tp2", "zero3x2"}) {
    EXPECT_LT(largest_difference(alone, logits(model(), spec, with)), 1e-5) << spec;
  }
}
