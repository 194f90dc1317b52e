#pragma once

#include "sim/model/model.hpp"
#include "sim/plan/workload.hpp"
#include "strategies/layout.hpp"

#include <numeric>
#include <vector>

namespace decodesim::testing {

/// Llama-like: every size is different enough to tell them apart in an operation list.
inline Model tiny_model() {
  Model model;
  model.name = "tiny";
  model.layers = 2;
  model.hidden_size = 8;
  model.heads = 4;
  model.kv_heads = 2;
  model.head_size = 2;
  model.ffn_size = 16;
  model.vocabulary_size = 10;
  return model;
}

/// Large enough for kernels of microseconds on a GPU of 1 TB/s, divisible by 8.
inline Model small_model(int layers = 4) {
  Model model;
  model.name = "small";
  model.layers = layers;
  model.hidden_size = 1024;
  model.heads = 16;
  model.kv_heads = 8;
  model.head_size = 64;
  model.ffn_size = 4096;
  model.vocabulary_size = 8192;
  return model;
}

/// The same with experts in every layer.
inline Model with_experts(Model model, int experts, int experts_per_token, int expert_ffn_size) {
  model.moe = MixtureOfExperts{.experts = experts,
                               .experts_per_token = experts_per_token,
                               .expert_ffn_size = expert_ffn_size};
  return model;
}

inline Workload workload(int batch_size, int input_tokens, int output_tokens) {
  Workload load;
  load.batch_size = batch_size;
  load.input_tokens = input_tokens;
  load.output_tokens = output_tokens;
  return load;
}

inline Layout tp_layout(int tp) {
  Layout layout;
  layout.tp = tp;
  return layout;
}

inline Layout zero3_layout(int dp, bool prefetch) {
  Layout layout;
  layout.strategy = "zero3";
  layout.dp = dp;
  layout.prefetch = prefetch;
  return layout;
}

inline Layout pp_layout(int pp, const char* schedule, int micro_batches = 0) {
  Layout layout;
  layout.pp = pp;
  layout.schedule = schedule;
  layout.micro_batches = micro_batches;
  return layout;
}

/// Rank i on GPU i.
inline std::vector<int> first_gpus(int count) {
  std::vector<int> gpus(static_cast<std::size_t>(count));
  std::iota(gpus.begin(), gpus.end(), 0);
  return gpus;
}

} // namespace decodesim::testing
