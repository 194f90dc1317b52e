#include "sim/error.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/plan_text.hpp"
#include "tests/support/tiny_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

using namespace decodesim;
using namespace decodesim::testing;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

Workload with(ProgramTraits traits, Workload load) {
  load.traits = traits;
  return load;
}

std::vector<std::string> body_lines(const Plan& plan, int rank = 0) {
  return lines(plan.program(rank), plan.program(rank).body);
}

Bytes kernel_bytes(const Plan& plan, const std::string& name) {
  Bytes sum;
  for (const auto& op : plan.program(0).body) {
    if (const auto* kernel = as_kernel(op); kernel != nullptr && op.name == name) {
      sum += kernel_work(*kernel, {}).bytes;
    }
  }
  return sum;
}

} // namespace

// 2 layers of 3 kernels; each reads and writes 4 sequences x 8 x 2 B.
TEST(FrameworkProgram, HasUnfusedKernelsInEveryLayer) {
  const auto plan =
      build_plan(tiny_model(), tp_layout(1), with({.unfused_kernels = 3}, workload(4, 5, 4)));
  EXPECT_EQ(kernel_bytes(plan, "unfused"), Bytes{2.0 * 3 * 2 * 4 * 8 * 2});
  check(plan);
}

// The LM head of 10 x 8 is whole on both ranks: no gather of logits, no sum of embeddings, and
// weights of 2 x 10 x 8 x 2 B = 320 B in place of 2 x 5 x 8 x 2 B.
TEST(FrameworkProgram, ReadsTheWholeVocabularyOnEveryRank) {
  const auto cut = build_plan(tiny_model(), tp_layout(2), workload(3, 5, 4));
  const auto whole =
      build_plan(tiny_model(), tp_layout(2), with({.whole_vocabulary = true}, workload(3, 5, 4)));
  EXPECT_THAT(body_lines(cut), Contains(HasSubstr("all_gather.logits")));
  EXPECT_THAT(body_lines(whole), Each(Not(HasSubstr("all_gather.logits"))));
  EXPECT_THAT(body_lines(whole), Each(Not(HasSubstr("all_reduce.embedding"))));
  EXPECT_EQ(whole.program(0).weights - cut.program(0).weights, Bytes{160});
  const auto head = [](const Plan& plan) { return kernel_bytes(plan, "lm_head"); };
  // 3 rows of 5 more logits beside the weights.
  EXPECT_EQ(head(whole) - head(cut), Bytes{5.0 * 8 * 2 + 3 * 5 * 2});
  check(whole);
}

// 2 layers; a token of the cache has 2 KV heads x 2 x 2 x 2 B = 16 B. Prompt 5 and 8 tokens out:
// the mean step attends to 5 + (1 + 8) / 2 = 9 tokens (rounded down). 3 sequences, read and
// written.
TEST(FrameworkProgram, CopiesTheCacheInEveryStep) {
  const auto plan =
      build_plan(tiny_model(), tp_layout(1), with({.concatenates_cache = true}, workload(3, 5, 8)));
  EXPECT_EQ(kernel_bytes(plan, "cache_concat"), Bytes{2.0 * 2 * 3 * 9 * 16});
  for (const auto& op : plan.program(0).prologue) {
    EXPECT_NE(op.name, "cache_concat"); // nothing is there yet
  }
}

// Each gathered layer is read and written once before it is used.
TEST(FrameworkProgram, CopiesWhatIsGathered) {
  const auto plan = build_plan(tiny_model(),
                               zero3_layout(2, false),
                               with({.copies_gathered_weights = true}, workload(2, 5, 4)));
  Bytes gathered;
  for (const auto& op : plan.program(0).body) {
    if (const auto* collective = as_collective(op)) {
      gathered += collective->total_bytes;
    }
  }
  EXPECT_EQ(kernel_bytes(plan, "copy.layer") + kernel_bytes(plan, "copy.embedding") +
                kernel_bytes(plan, "copy.head"),
            2.0 * gathered);
  check(plan);
}

// 4 layers in 4 stages: the cache of 3 of them crosses the links twice in a step, 3 sequences of 9
// tokens of 16 B each; beside them hidden states of 48 B to 3 stages and 12 B of tokens back.
TEST(FrameworkProgram, ReturnsTheCacheToTheFirstStage) {
  auto model = tiny_model();
  model.layers = 4;
  const auto plan =
      build_plan(model, pp_layout(4, "naive"), with({.returns_cache = true}, workload(3, 5, 8)));
  check(plan);
  EXPECT_EQ(traffic_per_step(plan).tensor, Bytes{3.0 * 2 * 3 * 9 * 16 + 3 * 48 + 12});
  const auto two =
      build_plan(model, pp_layout(4, "naive", 2), with({.returns_cache = true}, workload(4, 5, 8)));
  check(two);
}

TEST(FrameworkProgram, ReturnsTheCacheOneMicroBatchAtATime) {
  try {
    (void)build_plan(
        tiny_model(), pp_layout(2, "gpipe"), with({.returns_cache = true}, workload(4, 5, 8)));
    FAIL();
  } catch (const LayoutError& problem) {
    EXPECT_STREQ(problem.what(),
                 "the framework keeps the cache of all stages on the first between steps, which "
                 "the schedule gpipe does not allow; use naive");
  }
}

// A table of 10 x 8 of 2 B is not on the GPU; the kernels are the same.
TEST(FrameworkProgram, LeavesTheEmbeddingInHostMemory) {
  const auto here = build_plan(tiny_model(), tp_layout(1), workload(1, 5, 4));
  const auto there =
      build_plan(tiny_model(), tp_layout(1), with({.host_embedding = true}, workload(1, 5, 4)));
  EXPECT_EQ(here.program(0).weights - there.program(0).weights, Bytes{160});
  EXPECT_EQ(body_lines(here).size(), body_lines(there).size());
  check(there);
}

// Three units (2 layers and the head) over 2 stages: 2 layers in the first, the head alone is no
// stage; over 2 stages of 4 layers and the head: 3 and 1.
TEST(FrameworkProgram, CountsTheHeadAsALayer) {
  auto model = tiny_model();
  model.layers = 4;
  const Layout two{.pp = 2};
  const auto plan = build_plan(model, two, with({.head_counts_as_layer = true}, workload(1, 5, 4)));
  const auto layers = [&](int rank) {
    int most = -1;
    int least = model.layers;
    for (const auto& op : plan.program(rank).body) {
      if (op.layer >= 0) {
        most = std::max(most, op.layer);
        least = std::min(least, op.layer);
      }
    }
    return most - least + 1;
  };
  EXPECT_EQ(layers(0), 3);
  EXPECT_EQ(layers(1), 1);
}
