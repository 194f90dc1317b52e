#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "tests/support/tiny_model.hpp"
#include "validation/executor/cpu_device.hpp"
#include "validation/executor/weight_value.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

/// The matrix or shard that a rank has under that name, as [rows][columns].
std::vector<std::vector<float>>
shard(const Plan& plan, const Model& model, int rank, const std::string& name) {
  const RankPlace place{plan, rank};
  for (const auto& buffer : place.program().buffers) {
    if (buffer.name == name) {
      const auto rows =
          buffer.shape.size() == 3 ? buffer.shape[0] * buffer.shape[1] : buffer.shape[0];
      const auto columns = buffer.shape.back();
      std::vector<float> elements(static_cast<std::size_t>(rows * columns), 0.0F);
      CpuFabric fabric;
      CpuDevice device{fabric};
      for (const auto& piece : weight_pieces(buffer, model, place)) {
        device.fill({.data = elements.data(),
                     .type = DataType::fp32,
                     .elements = static_cast<std::int64_t>(elements.size())},
                    piece);
      }
      std::vector<std::vector<float>> matrix;
      for (std::int64_t r = 0; r < rows; ++r) {
        matrix.emplace_back(elements.begin() + r * columns, elements.begin() + (r + 1) * columns);
      }
      return matrix;
    }
  }
  ADD_FAILURE() << "no buffer " << name;
  return {};
}

Plan plan_of(const Model& of, const std::string& spec) {
  return build_plan(of, parse_layout_spec(spec, 8, "test"), workload(8, 3, 2));
}

} // namespace

// A uniform number in [-1, 1): mean 0, variance 1/3; 10,000 of them are off by 4 standard errors,
// 4 x sqrt(1/3 / 10,000) = 0.023, once in 16,000 seeds.
TEST(WeightValue, IsUniform) {
  double sum = 0;
  double squares = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const double value = weight_value(7, i);
    ASSERT_GE(value, -1.0);
    ASSERT_LT(value, 1.0);
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 10'000, 0.0, 0.023);
  EXPECT_NEAR(squares / 10'000, 1.0 / 3.0, 0.012);
}

// Heads 0, 1 with KV head 0 on rank 0; heads 2, 3 with KV head 1 on rank 1. Rows of heads of 2: q
// 0-7, k 8-11, v 12-15.
TEST(WeightPieces, OfQueriesKeysAndValuesGoByHeads) {
  const auto model = tiny_model();
  const auto whole = shard(plan_of(model, "single"), model, 0, "L1.qkv_proj");
  const auto plan = plan_of(model, "tp2");
  const auto second = shard(plan, model, 1, "L1.qkv_proj");
  ASSERT_EQ(whole.size(), 16u);
  ASSERT_EQ(second.size(), 8u);
  const std::vector<std::size_t> rows{4, 5, 6, 7, 10, 11, 14, 15};
  for (std::size_t r = 0; r < rows.size(); ++r) {
    EXPECT_EQ(second[r], whole[rows[r]]) << r;
  }
}

// Columns 4 to 7 of 8.
TEST(WeightPieces, OfOutputsGoByColumns) {
  const auto model = tiny_model();
  const auto whole = shard(plan_of(model, "single"), model, 0, "L0.o_proj");
  const auto second = shard(plan_of(model, "tp2"), model, 1, "L0.o_proj");
  for (std::size_t r = 0; r < 8; ++r) {
    EXPECT_EQ(second[r], (std::vector<float>{whole[r].begin() + 4, whole[r].end()}));
  }
}

// 10 tokens over 4 ranks are 3 rows each: the last has row 9 and two rows of padding.
TEST(WeightPieces, OfATokenTableEndAtTheVocabulary) {
  const auto model = tiny_model();
  const auto whole = shard(plan_of(model, "single"), model, 0, "embedding");
  const auto last = shard(plan_of(model, "tp4"), model, 3, "embedding");
  ASSERT_EQ(last.size(), 3u);
  EXPECT_EQ(last[0], whole[9]);
  EXPECT_EQ(last[1], std::vector<float>(8, 0.0F));
  EXPECT_EQ(last[2], std::vector<float>(8, 0.0F));
}

// ep2: rank 1 has experts 2 and 3 of 4, whole: gate and up of 8 rows each.
TEST(WeightPieces, OfExpertsGoByExpert) {
  const auto model = with_experts(tiny_model(), 4, 2, 8);
  const auto whole = shard(plan_of(model, "single"), model, 0, "L0.expert_gate_up_proj");
  const auto second = shard(plan_of(model, "ep2"), model, 1, "L0.expert_gate_up_proj");
  ASSERT_EQ(whole.size(), 4u * 16);
  ASSERT_EQ(second.size(), 2u * 16);
  for (std::size_t r = 0; r < second.size(); ++r) {
    EXPECT_EQ(second[r], whole[2 * 16 + r]) << r;
  }
}

// The bias behind a sum over ranks is added once.
TEST(WeightPieces, OfASummedBiasAreOnTheFirstRank) {
  auto model = tiny_model();
  model.ffn_bias = true;
  const auto plan = plan_of(model, "tp2");
  bool is_there = false;
  for (const auto& buffer : plan.program(0).buffers) {
    if (buffer.name == "L0.down_proj.bias") {
      is_there = true;
      EXPECT_EQ(weight_pieces(buffer, model, {plan, 0}).size(), 1u);
      EXPECT_EQ(weight_pieces(buffer, model, {plan, 1}).size(), 0u);
    }
  }
  EXPECT_TRUE(is_there);
}
