#include "sim/error.hpp"
#include "tests/support/hand_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;

namespace {

std::string refusal(const Plan& plan) {
  try {
    check(plan);
  } catch (const SimulationError& error) {
    return error.what();
  }
  return "fine";
}

Operation all_reduce(const std::string& name, double bytes, StreamId stream = 0) {
  return collective_op(name, CollectiveKind::all_reduce, bytes, stream);
}

} // namespace

TEST(CheckOfPlans, AcceptsMatchingCollectivesAndMessages) {
  EXPECT_EQ(
      refusal(hand_plan({program({all_reduce("a", 8), message_op("s", {send_to(1, 4)})}),
                         program({all_reduce("a", 8), message_op("r", {receive_from(0, 4)})})},
                        5)),
      "fine");
}

TEST(CheckOfPlans, RefusesMembersThatRunDifferentCollectives) {
  EXPECT_THAT(
      refusal(hand_plan({program({all_reduce("first", 8)}),
                         program({collective_op("second", CollectiveKind::all_gather, 8)})})),
      AllOf(HasSubstr("different collectives"),
            HasSubstr("rank 0, stream compute: first, step 0"),
            HasSubstr("rank 1, stream compute: second, step 0")));
  EXPECT_THAT(refusal(hand_plan({program({all_reduce("a", 8)}), program({all_reduce("a", 9)})})),
              HasSubstr("different collectives"));
}

TEST(CheckOfPlans, RefusesACollectiveThatAMemberLeavesOut) {
  EXPECT_THAT(refusal(hand_plan({program({all_reduce("lonely", 8)}), program({})})),
              AllOf(HasSubstr("cannot finish: 1 stream hangs"), HasSubstr("lonely")));
}

TEST(CheckOfPlans, RefusesAReceiveThatNobodyServes) {
  EXPECT_THAT(
      refusal(hand_plan({program({message_op("hungry", {receive_from(1, 4)})}), program({})})),
      HasSubstr("hungry"));
}

TEST(CheckOfPlans, RefusesASendThatNobodyReceives) {
  EXPECT_THAT(refusal(hand_plan({program({message_op("unread", {send_to(1, 4)})}), program({})})),
              HasSubstr("unread"));
}

// Both send first: neither receives. As one group the two messages pass each other.
TEST(CheckOfPlans, RefusesACircularWaitUnlessItIsOneGroup) {
  EXPECT_THAT(
      refusal(hand_plan(
          {program({message_op("s0", {send_to(1, 4)}), message_op("r0", {receive_from(1, 4)})}),
           program({message_op("s1", {send_to(0, 4)}), message_op("r1", {receive_from(0, 4)})})})),
      AllOf(HasSubstr("2 streams hang"), HasSubstr("s0"), HasSubstr("s1")));
  EXPECT_EQ(refusal(hand_plan({program({message_op("x", {send_to(1, 4), receive_from(1, 4)})}),
                               program({message_op("x", {send_to(0, 4), receive_from(0, 4)})})})),
            "fine");
}

TEST(CheckOfPlans, RefusesMessagesOfDifferentSizes) {
  EXPECT_THAT(refusal(hand_plan({program({message_op("s", {send_to(1, 4)})}),
                                 program({message_op("r", {receive_from(0, 5)})})})),
              AllOf(HasSubstr("4 bytes"), HasSubstr("5"), HasSubstr("s, step 0")));
}

TEST(CheckOfPlans, RefusesAPeerOutsideTheGroup) {
  EXPECT_THAT(refusal(hand_plan({program({message_op("s", {send_to(2, 4)})}), program({})})),
              HasSubstr("peer 2 of a group of 2"));
}

// Streams of a rank may reach a communicator in either order, so its members may disagree.
TEST(CheckOfPlans, RefusesOneCommunicatorOnTwoStreams) {
  const auto both = program({all_reduce("a", 8, 0), all_reduce("b", 8, 1)}, {"compute", "other"});
  EXPECT_THAT(refusal(hand_plan({both, both})),
              AllOf(HasSubstr("one communicator is used by two streams"),
                    HasSubstr("compute"),
                    HasSubstr("other")));
}

// Rank 0 is slow before `a`, so that in reality `b` reaches the communicator first there and second
// on rank 1. With free kernels the message holds `b` back on both ranks until `a` is done.
TEST(CheckOfPlans, RefusesTwoStreamsOnOneCommunicatorWhateverTheirOrder) {
  const auto rank = [](double bytes, Message message) {
    return program({kernel_op("k", bytes),
                    all_reduce("a", 8, 0),
                    message_op("m", {message}, 1),
                    all_reduce("b", 8, 1)},
                   {"compute", "other"});
  };
  EXPECT_THAT(refusal(hand_plan({rank(1000, receive_from(1, 4)), rank(1, send_to(0, 4))})),
              AllOf(HasSubstr("used by two streams"),
                    HasSubstr("a on stream compute and b on stream other")));
}

TEST(CheckOfPlans, RefusesOneChannelSentOnByTwoStreams) {
  const auto sender =
      program({message_op("a", {send_to(1, 4)}, 0), message_op("b", {send_to(1, 4)}, 1)},
              {"compute", "other"});
  const auto receiver =
      program({message_op("ra", {receive_from(0, 4)}), message_op("rb", {receive_from(0, 4)})});
  EXPECT_THAT(refusal(hand_plan({sender, receiver})), HasSubstr("used by two streams"));
}

// A message a step, three received after the last step: right for three steps, and only for them.
TEST(CheckOfPlans, RefusesMessagesThatDoNotBalanceWithinAStep) {
  auto receiver = program({});
  for (int i = 0; i < 3; ++i) {
    receiver.epilogue.push_back(message_op("late", {receive_from(0, 4)}));
  }
  const auto sender = program({message_op("s", {send_to(1, 4)})});
  EXPECT_THAT(refusal(hand_plan({sender, receiver}, 7)),
              HasSubstr("1 sends and 0 receives a step"));
}

// The first kernel waits for the last of the step before; in step 0 there is none to wait for.
TEST(CheckOfPlans, AcceptsWaitsForTheStepBefore) {
  const auto one = program({recording(after(kernel_op("early", 1, 0), {0}), {1}),
                            recording(after(kernel_op("late", 1, 1), {1}), {0})},
                           {"compute", "other"},
                           2);
  EXPECT_EQ(refusal(hand_plan({one}, 4)), "fine");
}

TEST(CheckOfPlans, AcceptsEventsAcrossStepsAndParts) {
  auto one = program({after(kernel_op("k", 1, 1), {0}), recording(kernel_op("l", 1, 0), {0})},
                     {"compute", "other"},
                     1);
  one.prologue = {recording(kernel_op("p", 1, 0), {0})};
  one.epilogue = {after(kernel_op("e", 1, 1), {0})};
  EXPECT_EQ(refusal(hand_plan({one}, 6)), "fine");
}

TEST(CheckOfPlans, NamesTheAxisThatIsMissing) {
  auto body = program({collective_op("c", CollectiveKind::all_reduce, 8, 0, "tp")});
  EXPECT_THAT(refusal(hand_plan({body, body})), HasSubstr("no group axis is named \"tp\""));
}
