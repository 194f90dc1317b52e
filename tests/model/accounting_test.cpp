#include "sim/engine/simulate.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/hand_plan.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

/// Kernels at 1e12 B/s: n MB take n us. Links of 100 GB/s.
Machine two_round_gpus() {
  auto sketch = two_gpus(100, 0);
  sketch.gpu = round_gpu(1.0);
  return sketch.machine();
}

void expect_time(const GpuTime& time,
                 double compute_us,
                 double communication_us,
                 double waiting_us,
                 double bubble_us,
                 double other_us) {
  EXPECT_NEAR(time.compute_s, compute_us * us, 1e-14);
  EXPECT_NEAR(time.communication_s, communication_us * us, 1e-14);
  EXPECT_NEAR(time.waiting_s, waiting_us * us, 1e-14);
  EXPECT_NEAR(time.bubble_s, bubble_us * us, 1e-14);
  EXPECT_NEAR(time.other_s, other_us * us, 1e-14);
}

} // namespace

// 1 MB all-reduce in a ring of two: 1 MB over each edge, 10 us. Rank 1 is 60 us
// early.
TEST(GpuTime, OfARankThatWaitsForALateMember) {
  const auto rank = [](double first) {
    return program({kernel_op("a", first),
                    collective_op("c", CollectiveKind::all_reduce, 1e6),
                    sampling(kernel_op("b", 5e6))});
  };
  const auto result =
      simulate(hand_plan({rank(100e6), rank(40e6)}), two_round_gpus(), first_gpus(2));
  expect_time(result.decode_time_of_rank[0], 105, 10, 0, 0, 0);
  expect_time(result.decode_time_of_rank[1], 45, 10, 60, 0, 0);
}

// The same with the collective on a stream of its own and the last kernel
// behind it.
TEST(GpuTime, OfARankThatWaitsWithTwoStreams) {
  const auto rank = [](double first) {
    return program(
        {recording(kernel_op("a", first), {0}),
         recording(after(collective_op("c", CollectiveKind::all_reduce, 1e6, 1), {0}), {1}),
         sampling(after(kernel_op("b", 5e6), {1}))},
        {"compute", "communication"},
        2);
  };
  const auto result =
      simulate(hand_plan({rank(100e6), rank(40e6)}), two_round_gpus(), first_gpus(2));
  expect_time(result.decode_time_of_rank[0], 105, 10, 0, 0, 0);
  expect_time(result.decode_time_of_rank[1], 45, 10, 60, 0, 0);
}

// A gather of 50 us (10 MB, 5 MB over each edge of 100 GB/s) beside a kernel of
// 30 us that leaves it room: 20 us of communication are exposed. Kernels take
// half of the memory bandwidth: 15 MB.
TEST(GpuTime, CountsOnlyExposedCommunication) {
  auto machine = two_round_gpus();
  machine.gpu = round_gpu(0.5);
  const auto one = program({recording(collective_op("g", CollectiveKind::all_gather, 10e6, 1), {0}),
                            kernel_op("a", 15e6),
                            sampling(after(kernel_op("b", 5e6), {0}))},
                           {"compute", "gather"},
                           1);
  const auto result = simulate(hand_plan({one, one}), machine, first_gpus(2));
  expect_time(result.decode_time_of_rank[0], 40, 20, 0, 0, 0);
}

// Rank 1 has no work until rank 0 sends, after 80 us: a bubble. The transfer,
// 10 us, is not one. Rank 0's send has its receiver there: no waiting.
TEST(GpuTime, OfAReceiveWithoutSenderIsABubble) {
  const auto result = simulate(
      hand_plan(
          {program({kernel_op("a", 80e6), message_op("s", {send_to(1, 1e6)})}),
           program({message_op("r", {receive_from(0, 1e6)}), sampling(kernel_op("b", 5e6))})}),
      two_round_gpus(),
      first_gpus(2));
  expect_time(result.decode_time_of_rank[0], 80, 10, 0, 0, 0);
  expect_time(result.decode_time_of_rank[1], 5, 10, 0, 80, 0);
}

// A send whose receiver is busy waits.
TEST(GpuTime, OfASendWithoutReceiverIsWaiting) {
  const auto result = simulate(
      hand_plan(
          {program({message_op("s", {send_to(1, 1e6)}), kernel_op("b", 5e6)}),
           program({kernel_op("a", 80e6), sampling(message_op("r", {receive_from(0, 1e6)}))})}),
      two_round_gpus(),
      first_gpus(2));
  expect_time(result.decode_time_of_rank[0], 5, 10, 80, 0, 0);
  expect_time(result.decode_time_of_rank[1], 80, 10, 0, 0, 0);
}

// A launch of 7 us before the step is other time.
TEST(GpuTime, CountsLaunchesAsOther) {
  auto machine = two_round_gpus();
  machine.gpu.graph_launch.value = Seconds{7 * us};
  const auto result =
      simulate(hand_plan({program({sampling(kernel_op("a", 20e6))})}), machine, {0});
  expect_time(result.decode_time_of_rank[0], 20, 0, 0, 0, 7);
}

// From the end of step 0 to the end of the last: 3 of 4 steps.
TEST(GpuTime, LeavesTheFirstStepOut) {
  const auto result =
      simulate(hand_plan({program({sampling(kernel_op("a", 20e6))})}, 4), two_round_gpus(), {0});
  expect_time(result.decode_time_of_rank[0], 60, 0, 0, 0, 0);
}

// A replica without sequences has nothing to do from the first token to the
// end.
TEST(GpuTime, OfAnIdleReplicaIsABubble) {
  auto layout = tp_layout(1);
  layout.dp = 2;
  const auto plan = build_plan(small_model(), layout, workload(1, 16, 4));
  const auto result = simulate(plan, two_gpus(100, 1).machine(), first_gpus(2));
  const auto& idle = result.decode_time_of_rank[1];
  EXPECT_EQ(idle.bubble_s, idle.total_s());
  EXPECT_SAME(idle.bubble_s, result.end_s - result.first_token_s);
}

// ---------------------------------------------------------------------------------------
// samples

// The token is out when the sampling kernel ends, 20 us, although the stream
// goes on for 30 us.
TEST(StepEnd, IsTheEndOfTheSamplingKernel) {
  auto one = program({sampling(kernel_op("sampling", 20e6)), kernel_op("more", 30e6)});
  EXPECT_SAME(simulate(hand_plan({one}), two_round_gpus(), {0}).end_s, 20 * us);
  // A rank with several streams sleeps through its kernels in one go.
  one.streams.emplace_back("other");
  one.body.push_back(kernel_op("beside", 1e6, 1));
  EXPECT_SAME(simulate(hand_plan({one}), two_round_gpus(), {0}).end_s, 20 * us);
}

// --------------------------------------------------------------------------------------
// timeline

namespace {

struct Case {
  Plan plan;
  Machine machine;
};

std::vector<Case> many_cases() {
  std::vector<Case> cases;
  auto sketch = switched_gpus(4, 100, 0.5);
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  sketch.gpu.graph_launch.value = Seconds{5 * us};
  sketch.gpu.eager_launch.value = Seconds{2 * us};
  const auto machine = sketch.machine();
  auto starved = machine; // kernels and transfers share memory
  starved.gpu.memory_bandwidth.value = BytesPerSecond{0.2e12};
  auto hybrid = pp_layout(2, "1f1b");
  hybrid.tp = 2;
  auto zero3_in_stages = zero3_layout(2, true);
  zero3_in_stages.pp = 2;
  zero3_in_stages.schedule = "gpipe";
  for (const auto& layout : {tp_layout(4),
                             zero3_layout(4, false),
                             zero3_layout(4, true),
                             zero3_in_stages,
                             pp_layout(4, "naive", 2),
                             pp_layout(4, "gpipe"),
                             pp_layout(4, "1f1b"),
                             hybrid}) {
    const auto plan = build_plan(small_model(), layout, workload(7, 16, 5));
    cases.push_back({plan, machine});
    cases.push_back({plan, starved});
  }
  return cases;
}

constexpr double rounding = 1e-12; // SimGrid's precision

} // namespace

TEST(Timeline, NeverOverlapsSpansOfAStream) {
  for (const auto& one : many_cases()) {
    for (const auto launch : {LaunchMode::graph, LaunchMode::eager}) {
      const auto result = simulate(one.plan,
                                   one.machine,
                                   first_gpus(one.plan.ranks()),
                                   {.launch = launch, .record_timeline = true});
      std::map<std::pair<int, StreamId>, double> reached;
      for (const auto& span : result.timeline.spans) {
        auto& end = reached[{span.rank, span.stream}];
        EXPECT_GE(span.start_s, end - rounding) << one.plan.layout;
        EXPECT_GE(span.end_s, span.start_s) << one.plan.layout;
        end = span.end_s;
      }
    }
  }
}

// From the end of step 0 of a rank's first stream on.
TEST(Timeline, HasTheComputeTimeOfTheAccount) {
  for (const auto& one : many_cases()) {
    const auto result = simulate(one.plan, one.machine, first_gpus(4), {.record_timeline = true});
    std::vector<double> compute(4, 0.0);
    for (const auto& span : result.timeline.spans) {
      if (span.kind == SpanKind::compute && span.step > 0) {
        compute[static_cast<std::size_t>(span.rank)] += span.end_s - span.start_s;
      }
    }
    for (std::size_t rank = 0; rank < 4; ++rank) {
      EXPECT_NEAR(compute[rank], result.decode_time_of_rank[rank].compute_s, 1e-11)
          << one.plan.layout << ", rank " << rank;
    }
  }
}

// Four steps seen: the window is from the end of step 0 to the end of step 3 of
// the compute stream.
TEST(GpuTime, AddsUpToTheWindow) {
  for (const auto& one : many_cases()) {
    const auto result = simulate(one.plan, one.machine, first_gpus(4), {.record_timeline = true});
    for (int rank = 0; rank < 4; ++rank) {
      double from = 0;
      double to = 0;
      for (const auto& span : result.timeline.spans) {
        if (span.rank == rank && span.stream == 0 && span.part == Part::body) {
          from = span.step == 0 ? std::max(from, span.end_s) : from;
          to = std::max(to, span.end_s);
        }
      }
      const auto& time = result.decode_time_of_rank[static_cast<std::size_t>(rank)];
      EXPECT_NEAR(time.total_s(), to - from, 1e-11) << one.plan.layout << ", rank " << rank;
      for (const double part :
           {time.compute_s, time.communication_s, time.waiting_s, time.bubble_s, time.other_s}) {
        EXPECT_GE(part, -rounding) << one.plan.layout;
      }
    }
  }
}

// Every operation of every rank has exactly the spans of its work: one of
// compute or transfer per kernel, collective or message, per time it is played.
TEST(Timeline, HasEveryOperationOnce) {
  for (const auto& one : many_cases()) {
    const auto result = simulate(one.plan, one.machine, first_gpus(4), {.record_timeline = true});
    std::map<std::tuple<int, Part, int, int>, int> played; // rank, part, step, operation
    for (const auto& span : result.timeline.spans) {
      if (span.kind == SpanKind::compute || span.kind == SpanKind::transfer) {
        ++played[{span.rank, span.part, span.step, span.operation}];
      }
    }
    std::size_t expected = 0;
    for (int rank = 0; rank < 4; ++rank) {
      const auto& program = one.plan.program(rank);
      expected += program.prologue.size() + program.epilogue.size() +
                  static_cast<std::size_t>(one.plan.decode_steps) * program.body.size();
    }
    EXPECT_EQ(played.size(), expected) << one.plan.layout;
    EXPECT_TRUE(std::all_of(
        played.begin(), played.end(), [](const auto& entry) { return entry.second == 1; }));
  }
}

// An arrow a message, from when both sides are there to its end.
TEST(Timeline, DrawsMessages) {
  const auto result = simulate(
      hand_plan(
          {program({kernel_op("a", 80e6), message_op("s", {send_to(1, 1e6)})}),
           program({message_op("r", {receive_from(0, 1e6)}), sampling(kernel_op("b", 5e6))})}),
      two_round_gpus(),
      first_gpus(2),
      {.record_timeline = true});
  ASSERT_EQ(result.timeline.arrows.size(), 1u);
  EXPECT_SAME(result.timeline.arrows[0].start_s, 80 * us);
  EXPECT_SAME(result.timeline.arrows[0].end_s, 90 * us);
  EXPECT_EQ(result.timeline.arrows[0].to_rank, 1);
  // The link is full for these 10 us and then idle.
  ASSERT_EQ(result.timeline.link_samples.size(), 2u);
  EXPECT_SAME(result.timeline.link_samples[0].time_s, 80 * us);
  EXPECT_SAME(result.timeline.link_samples[0].utilisation_ratio, 1.0);
  EXPECT_SAME(result.timeline.link_samples[1].time_s, 90 * us);
  EXPECT_EQ(result.timeline.link_samples[1].utilisation_ratio, 0.0);
}

// A byte at 1e15 B/s takes 1e-15 s: after 1,000 s the clock cannot show that.
TEST(Timeline, HasFiniteLinkSamples) {
  auto machine = two_round_gpus();
  for (auto& link : machine.links) {
    link.bandwidth.value = BytesPerSecond{1e15};
  }
  const auto result = simulate(
      hand_plan({program({kernel_op("a", 1e15), message_op("s", {send_to(1, 1)})}),
                 program({message_op("r", {receive_from(0, 1)}), sampling(kernel_op("b", 5e6))})}),
      machine,
      first_gpus(2),
      {.collectives = "ideal", .record_timeline = true});
  for (const auto& sample : result.timeline.link_samples) {
    EXPECT_TRUE(std::isfinite(sample.utilisation_ratio));
    EXPECT_LE(sample.utilisation_ratio, 1.0 + 1e-9);
  }
}

// 1 MB in 90 us from the first token (none here: 0) to the end at 95 us, of 100
// GB/s.
TEST(LinkUse, IsBytesOverWhatTheLinkCouldCarry) {
  const auto result = simulate(
      hand_plan(
          {program({kernel_op("a", 80e6), message_op("s", {send_to(1, 1e6)})}),
           program({message_op("r", {receive_from(0, 1e6)}), sampling(kernel_op("b", 5e6))})}),
      two_round_gpus(),
      first_gpus(2));
  ASSERT_EQ(result.links.size(), 1u);
  EXPECT_EQ(result.links[0].name, "gpu0->gpu1");
  EXPECT_EQ(result.links[0].bytes, 1e6);
  EXPECT_SAME(result.links[0].utilisation_ratio, 10.0 / 95.0);
}
