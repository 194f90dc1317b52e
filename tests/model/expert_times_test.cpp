#include "sim/device/kernel_cost.hpp"
#include "sim/engine/communication.hpp"
#include "sim/engine/simulate.hpp"
#include "sim/plan/expert_loads.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/hand_plan.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

constexpr int layers = 3;
constexpr double h = 1024;    // hidden size
constexpr double f = 1024;    // of an expert
constexpr double row = 2 * h; // bytes of a token, bf16
constexpr double base = 3 * us;
constexpr double hop = (0.25 + 2 * 0.5) * us;

Model expert_model(int experts, int experts_per_token) {
  return with_experts(small_model(layers), experts, experts_per_token, 1024);
}

/// As in the step times of dense models: base 3 us, hops of 1.25 us, GPUs that move 80 GB/s.
/// Kernels at half of 1e12 B/s, of no fixed cost.
Machine communicating(int gpus) {
  auto sketch = switched_gpus(gpus, 100, 0.5);
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  return sketch.machine();
}

double memory_time(double bytes) { return bytes / 0.5e12; }

Workload routed(int batch_size, int output_tokens, const std::string& routing) {
  auto load = workload(batch_size, 16, output_tokens);
  load.experts.routing = routing;
  return load;
}

Layout layout_of(const std::string& spec) { return parse_layout_spec(spec, 8, "test"); }

/// Kernels of a step that the routing does not matter to.
double dense_kernels(const Plan& plan, int step, const Gpu& gpu) {
  double sum = 0;
  for (const auto& op : plan.program(0).body) {
    const auto* kernel = as_kernel(op);
    if (kernel != nullptr && !is_routed(*kernel)) {
      sum += kernel_time(kernel_work(*kernel, {step}), gpu).value();
    }
  }
  return sum;
}

/// From the weights of `experts` read (3 matrices h x f), `pairs` rows through them (in and out of
/// both products, the activation, the sum), and `tokens` sums.
double expert_kernels_time(double experts, double pairs, double tokens) {
  return memory_time(experts * 3 * h * f * 2 + pairs * ((h + 2 * f) + 3 * f + (f + h) + h) * 2 +
                     tokens * h * 2);
}

double combine_sum_time(double returned) { return memory_time(returned * 3 * h * 2); }

double step_time(const SimulationResult& result, std::size_t step) {
  return result.step_end_s[step] - (step == 0 ? result.first_token_s : result.step_end_s[step - 1]);
}

} // namespace

// 4 GPUs of 2 experts each, 16 sequences, top 2, dealt out: each GPU sends one row to each other
// (its 4 tokens go to one GPU each, one stays), so 3 rows leave and reach it; it computes 8 pairs
// of 4 tokens with both its experts, and 3 sums come back.
TEST(ExpertStep, WithEvenRoutingIsItsClosedForm) {
  const auto machine = communicating(4);
  const auto plan = build_plan(expert_model(8, 2), layout_of("ep4"), routed(16, 4, "even"));
  const auto result = simulate(plan, machine, first_gpus(4));
  const double exchange = base + hop + 3 * row / 80e9;
  for (int step = 0; step < 3; ++step) {
    EXPECT_SAME(step_time(result, static_cast<std::size_t>(step)),
                dense_kernels(plan, step, machine.gpu) +
                    layers * (2 * exchange + expert_kernels_time(2, 8, 4) + combine_sum_time(3)));
  }
  const auto path = critical_path(plan, machine, first_gpus(4));
  EXPECT_SAME(path.end.value(), result.end_s);
}

// tp 2 in 2 groups of 8 sequences: tokens are sent from slices of 4. Token g has experts 2g and 2g
// + 1 mod 8, on GPU g mod 4: each owner has one token for each GPU. The two for the other group are
// sent; those for its own are there already. All GPUs have 8 pairs of 4 tokens; 2 sums come back.
// Attention, shared by two, and the block end in all-reduces over pairs.
TEST(ExpertStep, OfTensorParallelGroupsAddsTheirAllReduces) {
  const auto machine = communicating(4);
  const auto plan = build_plan(expert_model(8, 2), layout_of("tp2ep4"), routed(16, 3, "even"));
  const auto result = simulate(plan, machine, first_gpus(4));
  const double exchange = base + hop + 2 * row / 80e9;
  const double all_reduce = base + 2 * hop + 8 * row / 80e9;
  const double all_gather = base + hop + 0.5 * 8 * 8192 * 2 / 80e9;
  for (int step = 0; step < 2; ++step) {
    EXPECT_SAME(step_time(result, static_cast<std::size_t>(step)),
                dense_kernels(plan, step, machine.gpu) + (2 * layers + 1) * all_reduce +
                    all_gather +
                    layers * (2 * exchange + expert_kernels_time(2, 8, 4) + combine_sum_time(2)));
  }
}

// One tp group: nothing to dispatch. 4 tokens, dealt out over 8 experts: 2 pairs of one token on
// each GPU.
TEST(ExpertStep, OfOneTensorParallelGroupDispatchesNothing) {
  const auto machine = communicating(4);
  const auto plan = build_plan(expert_model(8, 2), layout_of("tp4ep4"), routed(4, 3, "even"));
  const auto result = simulate(plan, machine, first_gpus(4));
  const double all_reduce = base + 6 * hop + 1.5 * 4 * row / 80e9;
  const double all_gather = base + 3 * hop + 0.75 * 4 * 8192 * 2 / 80e9;
  EXPECT_SAME(step_time(result, 1),
              dense_kernels(plan, 1, machine.gpu) + (2 * layers + 1) * all_reduce + all_gather +
                  layers * expert_kernels_time(2, 2, 1));
}

// All 16 rows of 4 GPUs are gathered and scattered in rings: 3 hops, 3/4 of 16 rows.
TEST(ExpertStep, CanGatherAllTokens) {
  const auto machine = communicating(4);
  auto load = routed(16, 3, "even");
  load.experts.exchange = MoeExchange::all_gather;
  const auto plan = build_plan(expert_model(8, 2), layout_of("ep4"), load);
  const auto result = simulate(plan, machine, first_gpus(4));
  const double collective = base + 3 * hop + 0.75 * 16 * row / 80e9;
  EXPECT_SAME(step_time(result, 1),
              dense_kernels(plan, 1, machine.gpu) +
                  layers * (2 * collective + expert_kernels_time(2, 8, 4)));
}

// Every token to expert 0 on GPU 0: 3 GPUs send it 4 rows each and share what it takes in; back, it
// shares what it sends. Each of the three then adds 4 rows. GPU 0 computes 16 pairs.
TEST(ExpertStep, WaitsForTheGpuThatAllTokensGoTo) {
  const auto machine = communicating(4);
  const auto plan = build_plan(expert_model(4, 1), layout_of("ep4"), routed(16, 3, "fixed:0"));
  const auto result = simulate(plan, machine, first_gpus(4));
  const double exchange = base + hop + 12 * row / 80e9;
  EXPECT_SAME(step_time(result, 1),
              dense_kernels(plan, 1, machine.gpu) +
                  layers * (2 * exchange + expert_kernels_time(1, 16, 16) + combine_sum_time(4)));
  EXPECT_SAME(critical_path(plan, machine, first_gpus(4)).end.value(), result.end_s);
}

// All tokens to experts 0 and 1 of 8. Contiguous: both on GPU 0, the three others wait all the time
// that it computes, 75 % of the GPUs. Round-robin: on GPUs 0 and 1, half of them wait. From the
// first token's step on 3 steps are counted.
TEST(ExpertStep, LeavesIdleWhoHasNoExpertThatIsHit) {
  const auto machine = communicating(4);
  for (const bool contiguous : {true, false}) {
    auto load = routed(8, 5, "fixed:0,1");
    load.experts.placement = contiguous ? PlacementKind::contiguous : PlacementKind::round_robin;
    const auto plan = build_plan(expert_model(8, 2), layout_of("ep4"), load);
    const auto result = simulate(plan, machine, first_gpus(4), {.collectives = "ideal"});
    const double busy = contiguous ? expert_kernels_time(2, 16, 8) : expert_kernels_time(1, 8, 8);
    const double of_all = 3 * layers * busy;
    double idle = 0;
    for (int gpu = contiguous ? 1 : 2; gpu < 4; ++gpu) {
      const auto& time = result.decode_time_of_rank[static_cast<std::size_t>(gpu)];
      EXPECT_NEAR(time.waiting_s, of_all, 1e-9 * of_all);
      idle += time.waiting_s;
    }
    EXPECT_NEAR(idle / (4 * of_all), contiguous ? 0.75 : 0.5, 1e-9);
  }
}

// What crosses the links into the switch in decode is what the routing table says, there and back.
TEST(ExpertStep, MovesTheBytesOfTheRoutingTable) {
  const auto machine = communicating(4);
  const auto plan = build_plan(expert_model(16, 3), layout_of("ep4"), routed(10, 6, "zipf:1"));
  const auto result = simulate(plan, machine, first_gpus(4));
  double rows = 0;
  for (int step = 0; step < 5; ++step) {
    for (int layer = 0; layer < layers; ++layer) {
      rows += static_cast<double>(plan.expert_loads->at(Part::body, step, layer, 0, 0).rows_sent());
    }
  }
  double bytes = 0;
  for (const auto& link : result.links) {
    bytes += link.name.starts_with("gpu") ? link.bytes : 0.0;
  }
  EXPECT_SAME(bytes, 2 * rows * row);
  EXPECT_SAME(exchanged_per_step(plan).value() * 5, 2 * rows * row);
}

// With many tokens the rows decide, and copies of hot experts share them. With few, a copy is one
// more expert to read (6 MB here, as much as 350 rows).
TEST(ExpertStep, IsShorterWithCopiesOfHotExpertsWhenRowsDecide) {
  const auto machine = communicating(4);
  const auto end = [&](int batch_size, int copies) {
    auto load = workload(batch_size, 1, 3);
    load.experts.routing = "zipf:1.5";
    load.experts.copies = copies;
    const auto plan = build_plan(expert_model(16, 2), layout_of("ep4"), load);
    return simulate(plan, machine, first_gpus(4)).end_s;
  };
  EXPECT_LT(end(4096, 4), 0.9 * end(4096, 0));
  EXPECT_GT(end(16, 4), end(16, 0));
}

TEST(ExpertStep, IsNeverShorterThanItsCriticalPath) {
  const auto machine = communicating(8);
  for (const std::string spec :
       {"ep8", "tp8ep8", "tp4ep8", "tp8", "ep2pp2:1f1b", "tp2ep4pp2:gpipe", "zero3x8:prefetch"}) {
    for (const int batch : {1, 6}) {
      auto layout = layout_of(spec);
      const auto plan = build_plan(expert_model(16, 2), layout, routed(batch, 4, "zipf:1"));
      check(plan);
      const auto gpus = first_gpus(plan.ranks());
      const auto path = critical_path(plan, machine, gpus);
      const auto result = simulate(plan, machine, gpus);
      EXPECT_GE(result.end_s, path.end.value() * (1 - 1e-12)) << spec << " " << batch;
      EXPECT_GT(path.end.value(), 0.3 * result.end_s) << spec << " " << batch;
    }
  }
}
