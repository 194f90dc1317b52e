#include "sim/error.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/tiny_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::HasSubstr;

namespace {

std::string refusal(const Layout& layout,
                    const Workload& load = workload(4, 5, 3),
                    const Model& model = tiny_model()) {
  try {
    (void)build_plan(model, layout, load);
  } catch (const LayoutError& error) {
    return error.what();
  }
  return "planned";
}

} // namespace

TEST(LayoutErrors, NameTheHeadsThatCannotBeDivided) {
  EXPECT_THAT(refusal(tp_layout(3)), HasSubstr("4 attention heads, which tp = 3"));
}

TEST(LayoutErrors, NameTheFfnThatCannotBeDivided) {
  auto model = tiny_model();
  model.ffn_size = 15;
  EXPECT_THAT(refusal(tp_layout(2), workload(4, 5, 3), model), HasSubstr("15 FFN columns"));
}

// 6 heads and 4 KV heads on 6 ranks: neither divides the other.
TEST(LayoutErrors, NameTheKvHeadsThatCanNeitherBeDividedNorReplicated) {
  auto model = tiny_model();
  model.heads = 6;
  model.kv_heads = 4;
  model.ffn_size = 18;
  EXPECT_THAT(refusal(tp_layout(6), workload(4, 5, 3), model), HasSubstr("4 KV heads"));
}

TEST(LayoutErrors, NameDegreesBelowOne) {
  EXPECT_THAT(refusal(tp_layout(0)), HasSubstr("tp = 0"));
  EXPECT_THAT(refusal(pp_layout(-1, "naive")), HasSubstr("pp = -1"));
  EXPECT_THAT(refusal(zero3_layout(0, false)), HasSubstr("dp = 0"));
}

TEST(LayoutErrors, NameStagesBeyondTheLayers) {
  EXPECT_THAT(refusal(pp_layout(3, "naive")),
              HasSubstr("pp = 3 stages are more than the 2 layers"));
}

TEST(LayoutErrors, NameStageLayersThatDoNotAddUp) {
  auto layout = pp_layout(2, "naive");
  layout.stage_layers = {1, 2};
  EXPECT_THAT(refusal(layout), HasSubstr("2 stages with 3 layers; pp = 2 stages of tiny need 2"));
  layout.stage_layers = {2, 0};
  EXPECT_THAT(refusal(layout), HasSubstr("at least 1 each"));
  layout.stage_layers = {2};
  EXPECT_THAT(refusal(layout), HasSubstr("1 stages"));
}

// 4 sequences on 2 replicas: 2 each.
TEST(LayoutErrors, NameMicroBatchesBeyondTheSequences) {
  auto layout = pp_layout(2, "gpipe", 3);
  layout.dp = 2;
  EXPECT_THAT(refusal(layout), HasSubstr("micro-batches = 3, but a replica has only 2 sequences"));
}

TEST(LayoutErrors, NamePromptsBeyondTheLearnedPositions) {
  auto model = tiny_model();
  model.position = PositionKind::learned;
  model.max_positions = 7;
  EXPECT_THAT(refusal(tp_layout(1), workload(1, 5, 3), model), HasSubstr("isl + osl = 8"));
  EXPECT_EQ(refusal(tp_layout(1), workload(1, 5, 2), model), "planned");
}

TEST(LayoutErrors, NameWorkloadsOfNothing) {
  EXPECT_THAT(refusal(tp_layout(1), workload(0, 5, 3)), HasSubstr("0 sequences"));
  EXPECT_THAT(refusal(tp_layout(1), workload(1, 0, 3)), HasSubstr("0 input tokens"));
  EXPECT_THAT(refusal(tp_layout(1), workload(1, 5, 0)), HasSubstr("0 output tokens"));
}

TEST(LayoutErrors, NameNegativeMicroBatches) {
  EXPECT_THAT(refusal(pp_layout(2, "gpipe", -1)), HasSubstr("micro-batches = -1"));
}

// One output token comes from prefill alone.
TEST(LayoutErrors, AllowPrefillOnly) {
  const auto plan = build_plan(tiny_model(), pp_layout(2, "gpipe"), workload(4, 5, 1));
  EXPECT_EQ(plan.decode_steps, 0);
  EXPECT_NO_THROW(check(plan));
}
