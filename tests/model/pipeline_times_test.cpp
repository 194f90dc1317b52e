#include "sim/engine/simulate.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/one_kernel_strategy.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>
#include <utility>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

constexpr double t = 100 * us;
constexpr int steps = 12;

/// One kernel of t a stage (5e7 B at half of 1e12 B/s), whatever the micro-batch holds; all
/// messages take 4 B per sequence. A kernel leaves half of its GPU's memory bandwidth to messages.
struct Pipeline {
  Plan plan;
  Machine machine;
  double s = 0; ///< time of a send

  Pipeline(int stages, const char* schedule, int micro_batches, bool free_sends, int chunks = 1) {
    one_kernel_bytes = 5e7;
    auto layout = pp_layout(stages, schedule, micro_batches);
    layout.strategy = "one_kernel";
    layout.virtual_stages = chunks > 1 ? chunks : 0;
    plan = build_plan(
        one_kernel_model(stages * chunks), layout, workload(2 * micro_batches, 1, steps + 1));
    // 2 sequences a micro-batch, 8 B. Free: 8 B at 100 GB/s, 0.08 ns or 8e-7 of t.
    auto sketch = switched_gpus(stages, 100, free_sends ? 0 : 1);
    if (!free_sends) {
      sketch.costs = {.base_us = 2, .hop_us = 1};
    }
    machine = sketch.machine();
    s = (free_sends ? 0.0 : 5 * us) + 8 / 100e9;
  }

  [[nodiscard]] SimulationResult play(bool timeline = false) const {
    return simulate(plan, machine, first_gpus(plan.ranks()), {.record_timeline = timeline});
  }
};

double last_period(const SimulationResult& result) {
  const auto& ends = result.step_end_s;
  return ends[ends.size() - 1] - ends[ends.size() - 2];
}

struct Shape {
  int stages;
  int micro_batches;
};

const std::vector<Shape> shapes{{2, 1}, {2, 2}, {4, 1}, {4, 2}, {4, 4}, {4, 6}, {3, 8}};

/// Time that some of the intervals and none of the others cover.
double
covered(const std::vector<Span>& spans, const std::vector<Span>& but, double from, double to) {
  std::vector<double> cuts{from, to};
  for (const auto* list : {&spans, &but}) {
    for (const auto& span : *list) {
      cuts.push_back(std::clamp(span.start_s, from, to));
      cuts.push_back(std::clamp(span.end_s, from, to));
    }
  }
  std::sort(cuts.begin(), cuts.end());
  const auto inside = [](const std::vector<Span>& list, double instant) {
    return std::any_of(list.begin(), list.end(), [&](const Span& span) {
      return span.start_s <= instant && instant < span.end_s;
    });
  };
  double sum = 0;
  for (std::size_t i = 1; i < cuts.size(); ++i) {
    const double middle = 0.5 * (cuts[i - 1] + cuts[i]);
    sum += inside(spans, middle) && !inside(but, middle) ? cuts[i] - cuts[i - 1] : 0.0;
  }
  return sum;
}

std::vector<Span> spans_of(const SimulationResult& result, int rank, SpanKind kind) {
  std::vector<Span> chosen;
  for (const auto& span : result.timeline.spans) {
    if (span.rank == rank && span.kind == kind) {
      chosen.push_back(span);
    }
  }
  return chosen;
}

/// Bubble of a rank as a reader of the timeline sees it: from its last kernel of step 0 to its last
/// kernel of the last step, the share in which a receive has no sender, no kernel runs and no other
/// message moves.
double bubble_in_timeline(const SimulationResult& result, int rank) {
  const auto compute = spans_of(result, rank, SpanKind::compute);
  double from = 0;
  double to = 0;
  for (const auto& span : compute) {
    from = span.step == 0 ? std::max(from, span.end_s) : from;
    to = std::max(to, span.end_s);
  }
  auto busy = spans_of(result, rank, SpanKind::transfer);
  busy.insert(busy.end(), compute.begin(), compute.end());
  return covered(spans_of(result, rank, SpanKind::bubble), busy, from, to) / (to - from);
}

double bubble_in_account(const SimulationResult& result, int rank) {
  const auto& time = result.decode_time_of_rank.at(static_cast<std::size_t>(rank));
  return time.bubble_s / time.total_s();
}

double busy_in_account(const SimulationResult& result, int rank) {
  const auto& time = result.decode_time_of_rank.at(static_cast<std::size_t>(rank));
  return time.compute_s / time.total_s();
}

} // namespace

// One micro-batch after another through p stages and back: m p (t + s).
TEST(NaivePipeline, TakesAllStagesForEachMicroBatch) {
  for (const auto& [p, m] : shapes) {
    const Pipeline one{p, "naive", m, false};
    EXPECT_SAME(last_period(one.play()), m * p * (t + one.s)) << p << " stages, " << m;
  }
}

// The last of m passes leaves the first stage after m t; then p - 1 more stages, p sends.
TEST(GPipePipeline, TakesAFillAndAFlushEachStep) {
  for (const auto& [p, m] : shapes) {
    const Pipeline one{p, "gpipe", m, false};
    EXPECT_SAME(last_period(one.play()), (m + p - 1) * t + p * one.s) << p << " stages, " << m;
  }
}

// Either the stages are busy all the time, m t, or a micro-batch waits for its own token.
TEST(OneForwardOneBackwardPipeline, TakesTheLongerOfWorkAndRoundTrip) {
  for (const auto& [p, m] : shapes) {
    const Pipeline one{p, "1f1b", m, false};
    EXPECT_SAME(last_period(one.play()), std::max(m * t, p * (t + one.s))) << p << " stages, " << m;
  }
}

// Sends are not quite free: a step is (m + p - 1) t + p s with s = 8e-7 t, so the busy share is
// m t over that, and the bubble (p - 1) / (m + p - 1) to about p x 8e-7.
TEST(GPipePipeline, HasTheTextbookBubble) {
  for (const auto& [p, m] : shapes) {
    const Pipeline one{p, "gpipe", m, true};
    const auto result = one.play(true);
    const double bubble = (p - 1.0) / (m + p - 1.0);
    for (int rank = 0; rank < p; ++rank) {
      EXPECT_SAME(busy_in_account(result, rank), m * t / ((m + p - 1) * t + p * one.s));
      EXPECT_NEAR(bubble_in_account(result, rank), bubble, 1e-5);
      EXPECT_NEAR(bubble_in_timeline(result, rank), bubble, 1e-5);
      EXPECT_NEAR(bubble_in_timeline(result, rank), bubble_in_account(result, rank), 1e-9);
    }
  }
}

// After the fill: 1 - min(m, p) / p, to about 8e-7.
TEST(OneForwardOneBackwardPipeline, HasNoBubbleWithAsManyMicroBatchesAsStages) {
  for (const auto& [p, m] : shapes) {
    const Pipeline one{p, "1f1b", m, true};
    const auto result = one.play(true);
    const double bubble = 1.0 - static_cast<double>(std::min(m, p)) / p;
    for (int rank = 0; rank < p; ++rank) {
      EXPECT_NEAR(bubble_in_account(result, rank), bubble, 1e-5) << p << " stages, " << m;
      EXPECT_NEAR(bubble_in_timeline(result, rank), bubble, 1e-5) << p << " stages, " << m;
      EXPECT_NEAR(bubble_in_timeline(result, rank), bubble_in_account(result, rank), 1e-9);
    }
  }
}

// k groups of p micro-batches, v chunks of t: a stage works k v p t. Within a group a micro-batch
// comes back to the first stage p (t + s) after it entered, p s after the group has left it: v - 1
// times. At the end the last one goes through the other p - 1 stages, and p sends.
TEST(InterleavedPipeline, TakesShorterPassesAndOneFlush) {
  for (const int v : {2, 3}) {
    for (const auto& [p, k] : std::vector<std::pair<int, int>>{{2, 1}, {2, 3}, {4, 1}, {4, 2}}) {
      const Pipeline one{p, "interleaved", k * p, false, v};
      EXPECT_SAME(last_period(one.play()),
                  k * v * p * t + k * (v - 1) * p * one.s + (p - 1) * t + p * one.s)
          << p << " stages, " << k << " groups, " << v << " chunks";
    }
  }
}

// Fewer micro-batches than stages: the last one starts (m - 1) t late and makes v rounds of p.
TEST(InterleavedPipeline, OfAPartialGroupWaitsForItsRounds) {
  const Pipeline one{4, "interleaved", 2, false, 3};
  EXPECT_SAME(last_period(one.play()), t + 3 * 4 * (t + one.s));
}

// (p - 1) / (v m + p - 1), to about v p x 8e-7.
TEST(InterleavedPipeline, HasTheTextbookBubble) {
  for (const auto& [p, m, v] :
       std::vector<std::tuple<int, int, int>>{{2, 2, 2}, {4, 4, 2}, {4, 8, 2}, {4, 4, 3}}) {
    const Pipeline one{p, "interleaved", m, true, v};
    const auto result = one.play(true);
    const double bubble = (p - 1.0) / (v * m + p - 1.0);
    for (int rank = 0; rank < p; ++rank) {
      EXPECT_NEAR(bubble_in_account(result, rank), bubble, 2e-5);
      EXPECT_NEAR(bubble_in_timeline(result, rank), bubble_in_account(result, rank), 1e-9);
    }
  }
}

TEST(NaivePipeline, HasOneStageAtWork) {
  const Pipeline one{4, "naive", 1, true};
  const auto result = one.play(true);
  for (int rank = 0; rank < 4; ++rank) {
    EXPECT_NEAR(bubble_in_account(result, rank), 0.75, 1e-5);
    EXPECT_NEAR(bubble_in_timeline(result, rank), 0.75, 1e-5);
  }
}

// The footnote of the tables. The same 8 sequences on 4 stages, memory-bound: each micro-batch
// reads the stage's weights again, so t does not fall when the batch is cut. Naive: p (t + s).
// GPipe with 4 micro-batches: (2 p - 1) t + p s, longer. 1F1B: max(p t, p (t + s)), the same.
TEST(PipelineFootnote, CuttingABatchMakesGPipeSlowerAndLeavesOneForwardOneBackwardAlone) {
  const auto tpot = [](const char* schedule, int micro_batches) {
    one_kernel_bytes = 5e7;
    auto layout = pp_layout(4, schedule, micro_batches);
    layout.strategy = "one_kernel";
    const auto plan = build_plan(one_kernel_model(4), layout, workload(8, 1, steps + 1));
    auto sketch = switched_gpus(4, 100, 1);
    sketch.costs = {.base_us = 2, .hop_us = 1};
    const auto result = simulate(plan, sketch.machine(), first_gpus(4), {.collectives = "ring"});
    return last_period(result);
  };
  const double naive = tpot("naive", 1);
  EXPECT_NEAR(tpot("1f1b", 4) / naive, 1.0, 1e-5); // messages of 8 B instead of 32 B
  EXPECT_NEAR((tpot("gpipe", 4) - naive) / t, 3.0, 1e-3);
}

// The same with a transformer, whose first and last stage have more to do.
TEST(PipelineFootnote, HoldsForATransformer) {
  const auto tpot = [](const char* schedule) {
    const auto plan = build_plan(small_model(8), pp_layout(4, schedule), workload(8, 16, 9));
    const auto result = simulate(plan, switched_gpus(4, 100, 0.5).machine(), first_gpus(4));
    return (result.end_s - result.first_token_s) / 8;
  };
  EXPECT_GT(tpot("gpipe"), 1.3 * tpot("naive"));
  EXPECT_LT(tpot("1f1b"), 1.3 * tpot("naive"));
}

// PP gains when micro-batches keep their size: 4 times the sequences in the same time.
TEST(PipelineFootnote, ThroughputGrowsWhenMicroBatchesKeepTheirSize) {
  const auto one = Pipeline{4, "naive", 1, false};
  const auto four = Pipeline{4, "1f1b", 4, false};
  EXPECT_SAME(last_period(one.play()), last_period(four.play()));
}

TEST(OneForwardOneBackwardPipeline, OfASingleStageIsBusyAllTheTime) {
  one_kernel_bytes = 5e7;
  Layout layout;
  layout.strategy = "one_kernel";
  layout.schedule = "1f1b";
  const auto plan = build_plan(one_kernel_model(1), layout, workload(2, 1, steps + 1));
  const auto result = simulate(plan, two_gpus(100, 1).machine(), {0});
  EXPECT_SAME(last_period(result), t);
  EXPECT_SAME(busy_in_account(result, 0), 1.0);
}
