#include "sim/error.hpp"
#include "sim/model/hf_experts.hpp"
#include "sim/model/hf_families.hpp"
#include "sim/model/hf_keys.hpp"
#include "sim/model/hf_rotary.hpp"

namespace decodesim::hf {

namespace {

LatentAttention read_latent(const JsonReader& config, const Model& model) {
  LatentAttention latent;
  if (const auto rank = find_value(config, "q_lora_rank")) {
    latent.query_rank = size_from(*rank, most_hidden);
  }
  const std::int64_t most_head_size = most_query_size / 2 / model.heads;
  latent.kv_rank = size_at(config, {"kv_lora_rank"}, most_hidden).value;
  latent.nope_head_size = size_at(config, {"qk_nope_head_dim"}, most_head_size).value;
  latent.rope_head_size = size_at(config, {"qk_rope_head_dim"}, most_head_size).value;
  latent.value_head_size = size_at(config, {"v_head_dim"}, most_head_size).value;
  return latent;
}

/// Layers after the first dense ones that `moe_layer_freq` leaves without experts.
std::vector<int> dense_layers(const JsonReader& config, int first, int layers) {
  const int period = size_at(config, {"moe_layer_freq"}, most_layers, 1).value;
  std::vector<int> dense;
  for (int layer = first; layer < layers; ++layer) {
    if (layer % period != 0) {
      dense.push_back(layer);
    }
  }
  return dense;
}

MixtureOfExperts read_shared_experts(const JsonReader& config, const Model& model) {
  auto moe = read_experts(config, model, {"n_routed_experts"}, "moe_intermediate_size");
  if (const auto shared = find_value(config, "n_shared_experts")) {
    moe.shared_ffn_size = moe.expert_ffn_size * shared->as_integer(0, most_experts);
  }
  const auto first = config.at("first_k_dense_replace");
  moe.first_dense_layers = static_cast<int>(first.as_integer(0, model.layers));
  moe.dense_layers = dense_layers(config, moe.first_dense_layers, model.layers);
  return moe;
}

Model read_deepseek(const JsonReader& config) {
  const auto heads = size_at(config, {"num_attention_heads"}, most_heads);
  Model model;
  model.layers = size_at(config, {"num_hidden_layers"}, most_layers).value;
  model.hidden_size = size_at(config, {"hidden_size"}, most_hidden).value;
  model.heads = heads.value;
  // Latent attention has a key and a value per head; files say so or say nothing.
  if (const auto kv_heads = find_value(config, "num_key_value_heads");
      kv_heads && size_from(*kv_heads, most_heads) != heads.value) {
    throw kv_heads->error("is " + std::to_string(size_from(*kv_heads, most_heads)),
                          "latent attention has as many as " + heads.key + " (" +
                              std::to_string(heads.value) + ")");
  }
  model.kv_heads = heads.value;
  model.latent = read_latent(config, model);
  model.head_size = model.latent->nope_head_size + model.latent->rope_head_size;
  model.ffn_size = size_at(config, {"intermediate_size"}, most_ffn).value;
  model.vocabulary_size = size_at(config, {"vocab_size"}, most_vocabulary).value;
  if (const auto positions = find_value(config, "max_position_embeddings")) {
    model.max_positions = size_from(*positions, most_positions);
  }
  model.tied_embeddings = flag(config, "tie_word_embeddings", false);
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;

  model.moe = read_shared_experts(config, model);
  return model;
}

} // namespace

Model read_deepseek_v2(const JsonReader& config) { return read_deepseek(config); }

Model read_deepseek_v3(const JsonReader& config) {
  auto model = read_deepseek(config);
  model.moe->router_bias = true; // corrects the scores that choose the experts
  return model;
}

Model read_glm4_moe(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 8, .head_size = 128});
  model.qkv_bias = flag(config, "attention_bias", false);
  model.qk_norm = flag(config, "use_qk_norm", false);
  model.moe = read_shared_experts(config, model);
  model.moe->router_bias = true; // as in DeepSeek-V3
  return model;
}

} // namespace decodesim::hf
