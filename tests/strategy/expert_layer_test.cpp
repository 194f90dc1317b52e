#include "sim/error.hpp"
#include "sim/model/parameters.hpp"
#include "sim/plan/expert_loads.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "tests/support/plan_text.hpp"
#include "tests/support/tiny_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

/// h = 8, 2 layers, 4 experts of 8 columns, top 2; gated, bf16.
Model expert_model() { return with_experts(tiny_model(), 4, 2, 8); }

Layout layout_of(const std::string& spec) { return parse_layout_spec(spec, 8, "test"); }

Workload even(int batch_size, MoeExchange exchange = MoeExchange::all_to_all) {
  auto load = workload(batch_size, 5, 4);
  load.experts.routing = "even";
  load.experts.exchange = exchange;
  return load;
}

/// The operations of layer 0 from the router on.
std::vector<std::string> from_router(const Plan& plan, int rank = 0) {
  std::vector<Operation> ops;
  bool found = false;
  for (const auto& op : plan.program(rank).body) {
    found = found || op.name == "router" || op.name == "dispatch";
    if (found && op.layer == 0) {
      ops.push_back(op);
    }
  }
  return lines(plan.program(rank), ops);
}

std::string refusal(const std::string& spec, const Model& model, int copies = 0) {
  auto load = workload(8, 5, 3);
  load.experts.copies = copies;
  try {
    (void)build_plan(model, layout_of(spec), load);
  } catch (const LayoutError& error) {
    return error.what();
  }
  return "planned";
}

} // namespace

// Half of each expert: gate and up 2 x 4 = 8 outputs, down 4 inputs. The activation reads 8 and
// writes 4 per pair. 3 tokens: hidden states 3 x 8 x 2 B = 48 B.
TEST(ExpertLayer, IsSlicedOverATensorParallelGroup) {
  const auto plan = build_plan(expert_model(), tp_layout(2), even(3));
  EXPECT_THAT(from_router(plan),
              ElementsAre("compute router L0 m0: gemm 3x4x8",
                          "compute top_k L0 m0: 3 rows, 4 in, 4 out",
                          "compute expert_gate_up_proj L0 m0: grouped gemm 8x8",
                          "compute expert_activation L0 m0: routed rows, 12 a pair, 0 a token, 0 a "
                          "returned row",
                          "compute expert_down_proj L0 m0: grouped gemm 8x4",
                          "compute expert_sum L0 m0: routed rows, 8 a pair, 8 a token, 0 a "
                          "returned row",
                          "compute all_reduce.ffn L0 m0: all_reduce tp 48 B"));
  EXPECT_NO_THROW(check(plan));
}

// Attention in two data-parallel halves, 2 experts on each GPU: rows of 8 x 2 B.
TEST(ExpertLayer, IsReachedByDispatchAndCombine) {
  const auto plan = build_plan(expert_model(), layout_of("ep2"), even(2));
  EXPECT_EQ(plan.layout, "ep2");
  EXPECT_EQ(plan.group("ep", 1), (std::vector{0, 1}));
  EXPECT_THAT(from_router(plan),
              ElementsAre("compute router L0 m0: gemm 1x4x8",
                          "compute top_k L0 m0: 1 rows, 4 in, 4 out",
                          "compute dispatch L0 m0: dispatch ep rows of 16 B",
                          "compute expert_gate_up_proj L0 m0: grouped gemm 16x8",
                          "compute expert_activation L0 m0: routed rows, 24 a pair, 0 a token, 0 a "
                          "returned row",
                          "compute expert_down_proj L0 m0: grouped gemm 8x8",
                          "compute expert_sum L0 m0: routed rows, 8 a pair, 8 a token, 0 a "
                          "returned row",
                          "compute combine L0 m0: combine ep rows of 16 B",
                          "compute combine_sum L0 m0: routed rows, 0 a pair, 0 a token, 24 a "
                          "returned row"));
  EXPECT_NO_THROW(check(plan));
}

// The ranks of one tp group hold the same tokens: nothing to dispatch, whole experts, all-reduce.
TEST(ExpertLayer, DispatchesNothingWithinATensorParallelGroup) {
  const auto plan = build_plan(expert_model(), layout_of("tp2ep2"), even(3));
  const auto all = from_router(plan);
  ASSERT_EQ(all.size(), 7U);
  EXPECT_EQ(all[2], "compute expert_gate_up_proj L0 m0: grouped gemm 16x8");
  EXPECT_EQ(all[6], "compute all_reduce.ffn L0 m0: all_reduce tp 48 B");
  EXPECT_EQ(exchanged_per_step(plan), Bytes{});
}

TEST(ExpertLayer, ExchangesBetweenGroupsAndReducesWithin) {
  const auto plan = build_plan(expert_model(), layout_of("tp2ep4"), even(3));
  EXPECT_EQ(plan.ranks(), 4);
  const auto all = from_router(plan);
  EXPECT_EQ(all[2], "compute dispatch L0 m0: dispatch ep rows of 16 B");
  EXPECT_EQ(all[7], "compute combine L0 m0: combine ep rows of 16 B");
  EXPECT_EQ(all.back(), "compute all_reduce.ffn L0 m0: all_reduce tp 32 B"); // 2 sequences
  EXPECT_NO_THROW(check(plan));
}

// 2 and 1 sequences in tp groups of 2: slices of at most 1 token, so 4 rows of 16 B are gathered
// and scattered, and 2 rows gathered within the tp group.
TEST(ExpertLayer, CanGatherAllTokensInstead) {
  const auto plan =
      build_plan(expert_model(), layout_of("tp2ep4"), even(3, MoeExchange::all_gather));
  const auto all = from_router(plan);
  ASSERT_EQ(all.size(), 9U);
  EXPECT_EQ(all[2], "compute all_gather.experts L0 m0: all_gather ep 64 B");
  EXPECT_EQ(all[7], "compute reduce_scatter.experts L0 m0: reduce_scatter ep 64 B");
  EXPECT_EQ(all[8], "compute all_gather.ffn L0 m0: all_gather tp 32 B");
  EXPECT_NO_THROW(check(plan));
}

// A rank without a sequence runs its experts for the others, and nothing else in the layers.
TEST(ExpertLayer, IsThereOnRanksWithoutASequence) {
  const auto plan = build_plan(expert_model(), layout_of("ep2"), even(1));
  const auto& idle = plan.program(1);
  EXPECT_EQ(idle.sequences, 0);
  EXPECT_THAT(names(idle, idle.body, "compute"),
              ElementsAre("dispatch L0 m0",
                          "expert_gate_up_proj L0 m0",
                          "expert_activation L0 m0",
                          "expert_down_proj L0 m0",
                          "expert_sum L0 m0",
                          "combine L0 m0",
                          "dispatch L1 m0",
                          "expert_gate_up_proj L1 m0",
                          "expert_activation L1 m0",
                          "expert_down_proj L1 m0",
                          "expert_sum L1 m0",
                          "combine L1 m0"));
  EXPECT_NO_THROW(check(plan));
  EXPECT_NO_THROW(
      check(build_plan(expert_model(), layout_of("ep2"), even(1, MoeExchange::all_gather))));
}

TEST(ExpertLayer, FinishesInEveryPipelineWithUnevenBatches) {
  for (const std::string spec :
       {"ep2pp2:gpipe:m2", "ep2pp2:1f1b:m2", "tp2ep4pp2:1f1b", "tp2dp2pp2"}) {
    for (const int batch : {1, 3, 4}) {
      auto layout = layout_of(spec);
      layout.micro_batches = std::min(layout.micro_batches, (batch + 1) / 2);
      EXPECT_NO_THROW(check(build_plan(expert_model(), layout, even(batch)))) << spec << batch;
    }
  }
}

// A dense first layer and shared experts of 8 columns, half of them on each of 2 ranks.
TEST(ExpertLayer, StandsBesideDenseLayersAndSharedExperts) {
  auto model = expert_model();
  model.moe->first_dense_layers = 1;
  model.moe->shared_ffn_size = 8;
  model.moe->shared_expert_gate = true;
  const auto plan = build_plan(model, tp_layout(2), even(3));
  std::vector<Operation> dense;
  std::vector<Operation> mixed;
  for (const auto& op : plan.program(0).body) {
    if (op.layer >= 0) {
      (op.layer == 0 ? dense : mixed).push_back(op);
    }
  }
  const auto dense_lines = lines(plan.program(0), dense);
  EXPECT_EQ(dense_lines[7], "compute gate_up_proj L0 m0: gemm 3x16x8");
  const auto all = lines(plan.program(0), mixed);
  EXPECT_THAT((std::vector<std::string>{all.end() - 6, all.end()}),
              ElementsAre("compute shared_gate_up_proj L1 m0: gemm 3x8x8",
                          "compute shared_activation L1 m0: 3 rows, 8 in, 4 out",
                          "compute shared_down_proj L1 m0: gemm 3x8x4",
                          "compute shared_gate L1 m0: gemm 3x1x8",
                          "compute shared_add L1 m0: 3 rows, 17 in, 8 out",
                          "compute all_reduce.ffn L1 m0: all_reduce tp 48 B"));
}

// Token n of 4 goes to experts 2n and 2n + 1 mod 4; expert e is on rank e. Rank 0 sends 1 row,
// ranks 1 and 2 send 2, rank 3 sends 1: 6 rows, in 2 layers, there and back, 16 B each.
TEST(ExpertLayer, MovesTheRowsOfTheRoutingTable) {
  const auto plan = build_plan(expert_model(), layout_of("ep4"), even(4));
  EXPECT_EQ(exchanged_per_step(plan).value(), 6 * 2 * 2 * 16.0);
  const auto traffic = traffic_per_step(plan);
  EXPECT_EQ(traffic.tensor.value(), 384.0);
  EXPECT_EQ(traffic.received_sum.value(), 384.0);
}

// Everything of tiny but the experts on both ranks; each has two of the four experts (3 x 8 x 8
// parameters, 2 B), in 2 layers. A copy of a hot expert needs a slot more on each.
TEST(ExpertLayer, KeepsItsShareOfTheExperts) {
  const auto model = expert_model();
  const double all = 2.0 * static_cast<double>(total_parameters(model));
  const double expert = 2.0 * 3 * 8 * 8;
  const auto weights = [&](const std::string& spec, int copies) {
    auto load = even(4);
    load.experts.copies = copies;
    return build_plan(model, layout_of(spec), load).program(0).weights.value();
  };
  EXPECT_EQ(weights("single", 0), all);
  EXPECT_EQ(weights("ep2", 0), all - 2 * 2 * expert);
  EXPECT_EQ(weights("ep2", 1), all - 2 * 1 * expert);
  EXPECT_EQ(weights("single", 1), all); // nowhere to copy to
}

// The table of the routing is the same, so are the flop of the experts: 2 x 3 x h x f a pair, 3
// tokens x 2 pairs, in 2 layers, whatever the layout.
TEST(ExpertLayer, ComputesTheSameInEveryLayout) {
  auto load = workload(3, 5, 4);
  load.experts.routing = "zipf:1";
  for (const std::string spec : {"single", "tp2", "tp2ep2", "ep2", "ep4", "tp2ep4", "dp2ep1"}) {
    const auto plan = build_plan(expert_model(), layout_of(spec), load);
    double flop = 0;
    for (int rank = 0; rank < plan.ranks(); ++rank) {
      for (const auto& op : plan.program(rank).body) {
        const auto* kernel = as_kernel(op);
        if (kernel != nullptr && std::holds_alternative<GroupedGemm>(*kernel)) {
          flop += kernel_work(*kernel, plan.context(rank, op, *kernel, Part::body, 1)).flop.value();
        }
      }
    }
    EXPECT_EQ(flop, 2.0 * 3 * 8 * 8 * 3 * 2 * 2) << spec;
  }
}

// Every parameter is gathered once a step, in bf16.
TEST(ExpertLayer, IsGatheredWholeByZero3) {
  const auto model = expert_model();
  const auto plan = build_plan(model, zero3_layout(2, false), even(2));
  EXPECT_NO_THROW(check(plan));
  EXPECT_EQ(traffic_per_step(plan).tensor.value(),
            2.0 * static_cast<double>(total_parameters(model)));
}

// 6 rows of 3 experts, 8 to 16 columns, bf16: weights 3 x 128 x 2 B once, rows in and out.
TEST(GroupedGemmWork, ReadsTheExpertsHitAndTheRows) {
  const auto work = kernel_work(GroupedGemm{.n = 16, .k = 8},
                                {.routed = {.pairs = 6, .tokens = 4, .experts_hit = 3}});
  EXPECT_EQ(work.kernel_class, KernelClass::grouped_gemm);
  EXPECT_EQ(work.flop.value(), 2.0 * 6 * 16 * 8);
  EXPECT_EQ(work.bytes.value(), 3 * 128 * 2.0 + 6 * (8 + 16) * 2.0);
  EXPECT_EQ(kernel_work(GroupedGemm{.n = 16, .k = 8}).bytes, Bytes{});
}

TEST(ExpertLayer, IsRefusedWithNumbersWhereItCannotBe) {
  EXPECT_THAT(refusal("ep8", tiny_model()), HasSubstr("tiny has no experts to put on ep = 8"));
  EXPECT_THAT(refusal("tp4dp2ep3", expert_model()),
              HasSubstr("ep = 3 does not divide the tp x dp = 4 x 2 = 8 GPUs of a stage"));
  EXPECT_THAT(refusal("ep8", expert_model()), HasSubstr("4 experts, which ep = 8 does not divide"));
  EXPECT_THAT(refusal("tp2dp2ep1", with_experts(tiny_model(), 4, 2, 6)),
              HasSubstr("6 columns in each expert, which tp x dp / ep = 4 does not divide"));
  auto shared = expert_model();
  shared.moe->shared_ffn_size = 3;
  EXPECT_THAT(refusal("tp2", shared), HasSubstr("3 columns in its shared experts, which tp = 2"));
  EXPECT_THAT(refusal("ep2", expert_model(), 5), HasSubstr("5 hot experts are to be copied"));
  EXPECT_THAT(refusal("zero3x2ep2", expert_model()),
              HasSubstr("zero3 gathers all experts of a layer on every rank; it takes no ep = 2"));
}
