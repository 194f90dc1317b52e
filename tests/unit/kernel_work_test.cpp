#include "sim/plan/operation.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

/// 3 sequences, 4 query heads, 2 KV heads of 8; cache and activations in bf16.
Attention attention(std::int64_t queries, std::int64_t context, std::int64_t window = 0) {
  return {.sequences = 3,
          .query_tokens = queries,
          .context_tokens = context,
          .heads = 4,
          .kv_heads = 2,
          .head_size = 8,
          .window = window};
}

// 2 x 3 x 5 x 7 flop; weights 5 x 7, input 3 x 7, output 3 x 5, bias 5, 2 B each.
TEST(GemmWork, IsTheProductAndItsOperandsOnce) {
  const auto work = kernel_work(Gemm{.m = 3, .n = 5, .k = 7, .bias = true});
  EXPECT_EQ(work.flop.value(), 210);
  EXPECT_EQ(work.bytes.value(), 2 * (35 + 21 + 15 + 5));
}

// 4 products of 2 x 3 x 5 x 7 flop, each with operands of its own.
TEST(GemmWork, OfABatchIsThatOfItsProducts) {
  const auto work = kernel_work(Gemm{.m = 3, .n = 5, .k = 7, .batch = 4});
  EXPECT_EQ(work.flop.value(), 4 * 210);
  EXPECT_EQ(work.bytes.value(), 4 * 2 * (35 + 21 + 15));
}

// One new token and 10 of context: 10 pairs, 4 x 4 heads x 8 flop each. Cache 2 x 10 x 2 x 8
// elements, query and output 2 x 4 x 8; 3 sequences.
TEST(AttentionWork, OfDecodeReadsTheContextOnce) {
  const auto work = kernel_work(attention(1, 10));
  EXPECT_EQ(work.kernel_class, KernelClass::attention_decode);
  EXPECT_EQ(work.flop.value(), 3 * 10 * 4 * 4 * 8);
  EXPECT_EQ(work.bytes.value(), 3 * 2 * (2 * 10 * 2 * 8 + 2 * 4 * 8));
  EXPECT_EQ(work.cache_by_head.value(), 3 * 2 * (2 * 10 * 4 * 8))
      << "twice, by the heads of a group";
}

// Step 5 has 5 tokens more.
TEST(AttentionWork, GrowsWithTheStep) {
  EXPECT_EQ(kernel_work(attention(1, 10), {5}), kernel_work(attention(1, 15)));
}

// A window of 6: 6 pairs, 6 tokens read, however long the context.
TEST(AttentionWork, OfDecodeIsBoundedByTheWindow) {
  const auto work = kernel_work(attention(1, 10, 6));
  EXPECT_EQ(work.flop.value(), 3 * 6 * 4 * 4 * 8);
  EXPECT_EQ(work.bytes.value(), 3 * 2 * (2 * 6 * 2 * 8 + 2 * 4 * 8));
  EXPECT_EQ(kernel_work(attention(1, 10, 6), {100}), work);
  // A context that has not filled the window yet is read whole: 4 tokens, then 5.
  EXPECT_EQ(kernel_work(attention(1, 4, 6)), kernel_work(attention(1, 4)));
  EXPECT_EQ(kernel_work(attention(1, 4, 6), {1}), kernel_work(attention(1, 5)));
}

// 5 new tokens are the whole context: 1 + 2 + 3 + 4 + 5 = 15 pairs; a window of 3 leaves
// 1 + 2 + 3 + 3 + 3 = 12 and reads all 5 tokens once.
TEST(AttentionWork, OfPrefillIsCausal) {
  EXPECT_EQ(kernel_work(attention(5, 5)).flop.value(), 3 * 15 * 4 * 4 * 8);
  EXPECT_EQ(kernel_work(attention(5, 5)).kernel_class, KernelClass::attention_prefill);
  const auto windowed = kernel_work(attention(5, 5, 3));
  EXPECT_EQ(windowed.flop.value(), 3 * 12 * 4 * 4 * 8);
  EXPECT_EQ(windowed.bytes, kernel_work(attention(5, 5)).bytes);
  // A window as long as the context changes nothing.
  EXPECT_EQ(kernel_work(attention(5, 5, 5)), kernel_work(attention(5, 5)));
}

// 2 new tokens after 8 others, window 3: both attend to 3; the last 3 + 2 - 1 = 4 tokens are read.
TEST(AttentionWork, OfNewTokensBehindAFullWindowReadsItsReach) {
  const auto work = kernel_work(attention(2, 10, 3));
  EXPECT_EQ(work.flop.value(), 3 * 6 * 4 * 4 * 8);
  EXPECT_EQ(work.bytes.value(), 3 * 2 * (2 * 4 * 2 * 8 + 2 * 2 * 4 * 8));
}

// Keys of 8 and values of 6: a pair costs 2 x (8 + 6) flop a head, a cached token 8 + 6 elements a
// KV head, a query 8 and its result 6.
TEST(AttentionWork, KnowsValuesOfAnotherSize) {
  auto shape = attention(1, 10);
  shape.value_size = 6;
  const auto work = kernel_work(shape);
  EXPECT_EQ(work.flop.value(), 3 * 10 * 4 * 2 * 14);
  EXPECT_EQ(work.bytes.value(), 3 * 2 * (10 * 2 * 14 + 4 * 14));
}

// Latent attention of DeepSeek-V3, absorbed, 128 heads on one GPU, context 1000: one vector of 576
// a token is read for all heads; a pair costs 2 x (576 + 512) flop a head.
TEST(AttentionWork, OverLatentsReadsEachOnceForAllHeads) {
  const auto work = kernel_work(Attention{.sequences = 1,
                                          .query_tokens = 1,
                                          .context_tokens = 1000,
                                          .heads = 128,
                                          .kv_heads = 1,
                                          .head_size = 576,
                                          .value_size = 512,
                                          .values_in_keys = true});
  EXPECT_EQ(work.flop.value(), 1000.0 * 128 * 2 * 1088);
  EXPECT_EQ(work.bytes.value(), 2.0 * (1000 * 576 + 128 * 1088));
}

} // namespace
} // namespace decodesim
