#include "sim/model/hf_experts.hpp"

#include "sim/error.hpp"
#include "sim/model/hf_families.hpp"
#include "sim/model/hf_keys.hpp"
#include "sim/model/hf_rotary.hpp"
#include "sim/model/hf_windows.hpp"

#include <algorithm>

namespace decodesim::hf {

MixtureOfExperts read_experts(const JsonReader& config,
                              const Model& model,
                              std::initializer_list<const char*> count_keys,
                              const char* width_key) {
  const auto experts = size_at(config, count_keys, most_experts);
  const auto used = size_at(config, {"num_experts_per_tok", "experts_per_token"}, most_experts);
  const auto width = size_at(config, {width_key}, most_ffn);
  if (used.value > experts.value) {
    throw used.place.error("is " + std::to_string(used.value),
                           "at most " + experts.key + " (" + std::to_string(experts.value) +
                               ") experts per token are expected");
  }
  constexpr double most_parameters = 1e17;
  if (3.0 * model.layers * experts.value * width.value * model.hidden_size > most_parameters) {
    throw experts.place.error("is " + std::to_string(experts.value),
                              "with the other sizes that makes more than 1e17 parameters");
  }
  MixtureOfExperts moe;
  moe.experts = experts.value;
  moe.experts_per_token = used.value;
  moe.expert_ffn_size = width.value;
  return moe;
}

Model read_mixtral(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 8});
  model.moe =
      read_experts(config, model, {"num_local_experts", "num_experts"}, "intermediate_size");
  model.ffn_size = 0; // every layer has experts, of that width
  read_windows(model, config, {}, all_layers);
  return model;
}

namespace {

/// Layers with a dense FFN: those of `mlp_only_layers`, and all but each `decoder_sparse_step`-th.
std::vector<int> qwen_dense_layers(const JsonReader& config, int layers) {
  const int step = size_at(config, {"decoder_sparse_step"}, most_layers, 1).value;
  std::vector<int> listed;
  if (const auto list = find_value(config, "mlp_only_layers")) {
    for (const auto& entry : list->elements()) {
      listed.push_back(static_cast<int>(entry.as_integer(0, layers - 1)));
    }
  }
  std::vector<int> dense;
  for (int layer = 0; layer < layers; ++layer) {
    if ((layer + 1) % step != 0 || std::find(listed.begin(), listed.end(), layer) != listed.end()) {
      dense.push_back(layer);
    }
  }
  return dense;
}

} // namespace

Model read_qwen2_moe(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 16});
  model.qkv_bias = flag(config, "qkv_bias", true);
  auto moe = read_experts(config, model, {"num_experts"}, "moe_intermediate_size");
  moe.dense_layers = qwen_dense_layers(config, model.layers);
  moe.shared_ffn_size = size_at(config, {"shared_expert_intermediate_size"}, most_ffn).value;
  moe.shared_expert_gate = true;
  model.moe = moe;
  if (flag(config, "use_sliding_window", false)) {
    const auto full = find_value(config, "max_window_layers");
    const int last = full ? static_cast<int>(full->as_integer(0, most_layers)) : 28;
    read_windows(model, config, 4096, [last](int layer) { return layer < last && layer % 2 == 0; });
  }
  return model;
}

Model read_qwen3_moe(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 4});
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;
  model.qk_norm = true;
  auto moe =
      read_experts(config, model, {"num_experts", "num_local_experts"}, "moe_intermediate_size");
  moe.dense_layers = qwen_dense_layers(config, model.layers);
  model.moe = moe;
  if (flag(config, "use_sliding_window", false)) {
    read_windows(model, config, 4096, all_layers);
  }
  return model;
}

Model read_gpt_oss(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 8, .head_size = 64});
  model.qkv_bias = flag(config, "attention_bias", true);
  model.attention_output_bias = model.qkv_bias;
  model.attention_sinks = true;
  model.moe =
      read_experts(config, model, {"num_local_experts", "num_experts"}, "intermediate_size");
  model.moe->router_bias = true;
  model.moe->expert_bias = true;
  model.ffn_size = 0; // every layer has experts, of that width
  read_windows(model, config, 128, all_but_each(2));
  return model;
}

} // namespace decodesim::hf
