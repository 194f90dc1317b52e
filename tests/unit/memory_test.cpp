#include "sim/result/memory.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

using namespace literals;

Gpu gpu_of(Bytes capacity, Bytes reserve) {
  Gpu gpu;
  gpu.memory_capacity.value = capacity;
  gpu.memory_reserve.value = reserve;
  return gpu;
}

Program program_of(Bytes weights, int sequences) {
  Program program;
  program.weights = weights;
  program.kv_bytes_per_token = 100_B;
  program.sequences = sequences;
  program.buffers = {
      {.name = "gathered", .kind = BufferKind::gathered_weights, .shape = {500}, .bytes = 1000_B}};
  return program;
}

/// 10 prompt tokens and 4 output tokens (3 decode steps).
Plan plan_of(std::vector<Program> programs) {
  Plan plan;
  plan.prompt_tokens = 10;
  plan.decode_steps = 3;
  plan.programs = std::move(programs);
  return plan;
}

TEST(Memory, CountsTheCacheAtItsLongest) {
  const auto plan = plan_of({program_of(5000_B, 2)});
  const auto use = memory_of_fullest_gpu(plan, gpu_of(20000_B, 1000_B));
  EXPECT_EQ(use.weights, 5000_B);
  // 100 B a token x 2 sequences x (10 + 4) tokens
  EXPECT_EQ(use.kv_cache, 2800_B);
  EXPECT_EQ(use.activations, 0_B);
  EXPECT_EQ(use.buffers, 1000_B);
  EXPECT_EQ(use.capacity, 19000_B); // less the reserve
  EXPECT_EQ(use.total(), 8800_B);
  EXPECT_TRUE(fits(use));
}

TEST(Memory, IsThatOfTheFullestRole) {
  // The second role has fewer weights, but a cache of 14 x 100 x 5 = 7000 B instead of 1400 B.
  const auto plan = plan_of({program_of(5000_B, 1), program_of(3000_B, 5)});
  const auto use = memory_of_fullest_gpu(plan, gpu_of(20000_B, 0_B));
  EXPECT_EQ(use.weights, 3000_B);
  EXPECT_EQ(use.kv_cache, 7000_B);
}

TEST(Memory, FitsToTheLastByte) {
  const auto plan = plan_of({program_of(5000_B, 2)}); // 8800 B in all
  EXPECT_TRUE(fits(memory_of_fullest_gpu(plan, gpu_of(8800_B, 0_B))));
  EXPECT_FALSE(fits(memory_of_fullest_gpu(plan, gpu_of(8799_B, 0_B))));
}

TEST(MemoryVerdict, NamesTheParts) {
  const MemoryUse use{.weights = 138.0_GB,
                      .kv_cache = 1.2_GB,
                      .activations = 1.5_GB,
                      .buffers = 0.5_GB,
                      .capacity = 84.3_GB};
  EXPECT_EQ(does_not_fit_reason(use),
            "needs 141.2 GB of 84.3 GB on the fullest GPU (weights 138.0, cache 1.2, activations "
            "1.5, buffers 0.5)");
}

TEST(MemoryVerdict, HasTheDecimalsToTellTwoNumbersApart) {
  const MemoryUse use{.weights = 80.012_GB, .capacity = 80.0_GB};
  EXPECT_EQ(does_not_fit_reason(use),
            "needs 80.012 GB of 80.000 GB on the fullest GPU (weights 80.012, cache 0.000, "
            "activations 0.000, buffers 0.000)");
}

} // namespace
} // namespace decodesim
