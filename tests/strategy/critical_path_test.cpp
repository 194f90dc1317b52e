#include "sim/plan/critical_path.hpp"
#include "tests/support/hand_plan.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

/// A kernel takes a second per byte, a collective 100 s, a message 10 s.
CriticalPath path_of(const Plan& plan) {
  return critical_path(
      plan,
      {.kernel = [](int,
                    const Kernel& kernel,
                    StepContext at) { return Seconds{kernel_work(kernel, at).bytes.value()}; },
       .collective = [](const Collective&, const std::vector<int>&) { return Seconds{100.0}; },
       .message = [](int, int, Bytes) { return Seconds{10.0}; }});
}

Operation all_reduce(StreamId stream = 0) {
  return collective_op("all_reduce", CollectiveKind::all_reduce, 8, stream);
}

} // namespace

// 3 + 4 in order; two steps of that.
TEST(CriticalPath, AddsUpOneStream) {
  const auto path =
      path_of(hand_plan({program({kernel_op("a", 3), sampling(kernel_op("b", 4))})}, 2));
  EXPECT_EQ(path.first_token.value(), 0.0);
  EXPECT_EQ(path.step_end.at(0).value(), 7.0);
  EXPECT_EQ(path.step_end.at(1).value(), 14.0);
  EXPECT_EQ(path.end.value(), 14.0);
}

// The all-reduce starts with the later rank, at 5, and ends at 105; then 1 and 2.
TEST(CriticalPath, StartsACollectiveWithItsLastMember) {
  const auto path =
      path_of(hand_plan({program({kernel_op("a", 3), all_reduce(), sampling(kernel_op("b", 1))}),
                         program({kernel_op("a", 5), all_reduce(), sampling(kernel_op("b", 2))})}));
  EXPECT_EQ(path.end.value(), 107.0);
}

// Two streams side by side, 7 and 4; the third kernel waits for both: 7 + 1.
TEST(CriticalPath, WaitsForEvents) {
  const auto path = path_of(hand_plan({program({recording(kernel_op("long", 7, 1), {0}),
                                                kernel_op("short", 4),
                                                sampling(after(kernel_op("end", 1), {0}))},
                                               {"compute", "other"},
                                               1)}));
  EXPECT_EQ(path.end.value(), 8.0);
}

// Rank 1 receives at 2 what rank 0 sends at 6: through at 16, for both sides.
TEST(CriticalPath, StartsAMessageWhenBothSidesAreThere) {
  const auto path = path_of(hand_plan(
      {program({kernel_op("a", 6), message_op("s", {send_to(1, 4)}), sampling(kernel_op("b", 1))}),
       program({kernel_op("a", 2),
                message_op("r", {receive_from(0, 4)}),
                sampling(kernel_op("b", 3))})}));
  EXPECT_EQ(path.end.value(), 19.0);
}

// Rank 0's group has one message to rank 1 (there at 1) and one to rank 2 (there at 50): the group
// ends at 60, rank 1 goes on at 11.
TEST(CriticalPath, EndsAGroupWithItsLastMessage) {
  const auto path = path_of(hand_plan(
      {program({message_op("s", {send_to(1, 4), send_to(2, 4)}), sampling(kernel_op("b", 1))}),
       program({kernel_op("a", 1), message_op("r", {receive_from(0, 4)}), kernel_op("b", 1)}),
       program({kernel_op("a", 50), message_op("r", {receive_from(0, 4)}), kernel_op("b", 1)})}));
  EXPECT_EQ(path.end.value(), 61.0);
}

// A kernel of 5 each step on one stream, of 2 on the other, which waits for the kernel of the step
// before: steps overlap, so that n steps take 5 n + 2 (the last small kernel) and not 7 n.
TEST(CriticalPath, LetsStepsOverlap) {
  const auto path = path_of(hand_plan({program({recording(kernel_op("big", 5), {0}),
                                                sampling(after(kernel_op("small", 2, 1), {0}))},
                                               {"compute", "other"},
                                               1)},
                                      4));
  EXPECT_EQ(path.step_end.at(0).value(), 7.0);
  EXPECT_EQ(path.end.value(), 5.0 * 4 + 2.0);
}

// The prologue's sample is the first token; the epilogue lengthens nothing that is sampled.
TEST(CriticalPath, TellsFirstTokenAndEndApart) {
  auto one = program({sampling(kernel_op("step", 2))});
  one.prologue = {sampling(kernel_op("prefill", 30))};
  one.epilogue = {kernel_op("rest", 1000)};
  const auto path = path_of(hand_plan({one}, 3));
  EXPECT_EQ(path.first_token.value(), 30.0);
  EXPECT_EQ(path.end.value(), 36.0);
}

// Attention over 10 tokens and one more each step: 2 x 2 x context + 2 x 2 x 2 bytes in fp8.
TEST(CriticalPath, LetsAttentionGrow) {
  Operation attention{.name = "attention",
                      .work = Attention{.sequences = 1,
                                        .query_tokens = 1,
                                        .context_tokens = 10,
                                        .heads = 2,
                                        .kv_heads = 1,
                                        .head_size = 2,
                                        .kv_cache = DataType::fp8,
                                        .activations = DataType::fp8},
                      .samples = true};
  const auto path = path_of(hand_plan({program({attention})}, 2));
  // keys and values: 2 x context x 1 head x 2; in and out: 2 x 2 heads x 2
  EXPECT_EQ(path.step_end.at(0).value(), 2.0 * 10 * 2 + 8.0);
  EXPECT_EQ((path.step_end.at(1) - path.step_end.at(0)).value(), 2.0 * 11 * 2 + 8.0);
}
