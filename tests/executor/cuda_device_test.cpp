#include "sim/temporary_folder.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "tests/executor/run_on_cpu.hpp"
#include "tests/support/tiny_model.hpp"
#include "validation/cuda/executor/cuda_device.hpp"
#include "validation/executor/logits.hpp"
#include "validation/executor/stored_elements.hpp"

#include <gtest/gtest.h>

#include <cuda_runtime.h>
#include <map>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

bool has_gpu() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

Model model() {
  auto made = tiny_model();
  made.layers = 2;
  made.hidden_size = 128;
  made.heads = 4;
  made.kv_heads = 2;
  made.head_size = 32;
  made.ffn_size = 256;
  made.vocabulary_size = 337;
  return made;
}

/// 5 sequences of 37 prompt tokens: more than a block of 8 queries and a tile of 32 tokens.
Workload load(DataType type) {
  auto made = workload(5, 37, 4);
  made.precision = {.weights = type, .kv_cache = type};
  return made;
}

struct Played {
  Logits logits;
  RankTimes times;
};

Played on_gpu(const Model& of, const Workload& with, bool graph = false) {
  const auto plan = build_plan(of, Layout{}, with);
  const TemporaryFolder folder;
  const Rendezvous rendezvous{folder.path(), std::chrono::seconds{10}};
  CudaDevice device{0, rendezvous};
  const RankPlace place{plan, 0};
  LogitsCollector collector;
  ExecutorOptions options{.graph = graph};
  if (!graph) {
    options.on_logits = [&](Part, int step, int micro_batch, const SamplingCall& call) {
      std::vector<std::byte> stored(
          static_cast<std::size_t>(static_cast<double>(call.rows * call.part_columns) *
                                   element_bytes(call.logits.type).value()));
      device.download(stored.data(), call.logits.data, stored.size());
      auto on_host = call;
      on_host.logits.data = stored.data();
      collector.add(place, step, micro_batch, on_host);
    };
  }
  PlanExecutor executor{plan, of, 0, device, options};
  executor.prepare();
  Played played{.times = executor.run()};
  played.logits = collector.logits();
  return played;
}

Logits on_cpu(const Model& of, const Workload& with) {
  return run_on_cpu(build_plan(of, Layout{}, with), of);
}

void expect_same(const char* name, const Model& of, DataType type) {
  EXPECT_LT(largest_difference(on_cpu(of, load(type)), on_gpu(of, load(type)).logits),
            logits_tolerance(load(type).precision))
      << name << " in " << to_string(type);
}

class OnGpu : public ::testing::Test {
protected:
  void SetUp() override {
    if (!has_gpu()) {
      GTEST_SKIP() << "no GPU";
    }
  }
};

} // namespace

TEST_F(OnGpu, LlamaHasTheLogitsOfTheCpu) {
  expect_same("llama", model(), DataType::fp32);
  expect_same("llama", model(), DataType::bf16);
}

// Attention has a kernel of its own for sizes of heads like these.
TEST_F(OnGpu, HeadsOf24HaveTheLogitsOfTheCpu) {
  auto odd = model();
  odd.head_size = 24;
  expect_same("heads of 24", odd, DataType::fp32);
  expect_same("heads of 24", odd, DataType::bf16);
}

TEST_F(OnGpu, GptHasTheLogitsOfTheCpu) {
  auto gpt = model();
  gpt.norm = NormKind::layer_norm;
  gpt.position = PositionKind::learned;
  gpt.max_positions = 64;
  gpt.gated_ffn = false;
  gpt.qkv_bias = gpt.attention_output_bias = gpt.ffn_bias = true;
  gpt.embedding_norm = true;
  expect_same("gpt", gpt, DataType::fp32);
}

TEST_F(OnGpu, QwenAndGemmaHaveTheLogitsOfTheCpu) {
  auto qwen = model();
  qwen.qk_norm = qwen.qkv_bias = true;
  expect_same("qwen", qwen, DataType::fp32);
  auto gemma = model();
  gemma.post_norms = gemma.tied_embeddings = true;
  expect_same("gemma", gemma, DataType::fp32);
}

TEST_F(OnGpu, ExpertsHaveTheLogitsOfTheCpu) {
  auto experts = with_experts(model(), 8, 3, 64);
  experts.moe->shared_ffn_size = 64;
  experts.moe->shared_expert_gate = true;
  expect_same("experts", experts, DataType::fp32);
  expect_same("experts", experts, DataType::bf16);
}

// Quantised weights round more: only that they run, and give numbers, is asked.
TEST_F(OnGpu, QuantisedWeightsGiveNumbers) {
  for (const auto type : {DataType::fp8, DataType::int8}) {
    auto with = load(DataType::bf16);
    with.precision.weights = type;
    const auto played = on_gpu(model(), with);
    EXPECT_EQ(played.logits.size(), 5u * 4);
    EXPECT_EQ(largest_difference(played.logits, played.logits), 0.0) << to_string(type);
  }
}

// Every operation of the prefill and of 3 steps has a span of some length, in order.
TEST_F(OnGpu, SpansOfGraphsAreInOrder) {
  const auto played = on_gpu(model(), load(DataType::bf16), true);
  const auto plan = build_plan(model(), Layout{}, load(DataType::bf16));
  const auto& program = plan.program(0);
  EXPECT_EQ(played.times.spans.size(), program.prologue.size() + 3 * program.body.size());
  std::map<std::pair<Part, int>, double> end;
  for (const auto& span : played.times.spans) {
    EXPECT_GE(span.start_s, (end[{span.part, span.step}]));
    EXPECT_GT(span.end_s, span.start_s);
    end[{span.part, span.step}] = span.end_s;
  }
}
