#include "sim/model/hf_rotary.hpp"

#include "sim/error.hpp"
#include "sim/model/hf_families.hpp"
#include "sim/model/hf_keys.hpp"
#include "sim/model/hf_windows.hpp"

namespace decodesim::hf {

Model rotary_gated_model(const JsonReader& config,
                         const RotaryDefaults& absent,
                         bool ffn_required) {
  const auto hidden = size_at(config, {"hidden_size"}, most_hidden);
  const auto heads = size_at(config, {"num_attention_heads"}, most_heads, absent.heads);
  Model model;
  model.layers = size_at(config, {"num_hidden_layers"}, most_layers).value;
  model.hidden_size = hidden.value;
  model.heads = heads.value;
  model.kv_heads = kv_heads_of(config, heads, absent.kv_heads);
  model.head_size = head_size_of(config, hidden, heads, absent.head_size);
  if (ffn_required) {
    model.ffn_size = size_at(config, {"intermediate_size"}, most_ffn).value;
  }
  model.vocabulary_size =
      size_at(config, {"vocab_size"}, most_vocabulary, absent.vocabulary_size).value;
  if (const auto positions = find_value(config, "max_position_embeddings")) {
    model.max_positions = size_from(*positions, most_positions);
  }
  model.tied_embeddings = flag(config, "tie_word_embeddings", absent.tied_embeddings);
  return model;
}

Model read_llama(const JsonReader& config) {
  auto model = rotary_gated_model(config, {});
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;
  model.ffn_bias = flag(config, "mlp_bias", false);
  return model;
}

Model read_mistral(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 8});
  read_windows(model, config, 4096, all_layers);
  return model;
}

namespace {

/// Qwen's windows: none unless `use_sliding_window`, then those from `max_window_layers` on.
void read_qwen_windows(Model& model, const JsonReader& config) {
  if (!flag(config, "use_sliding_window", false)) {
    return;
  }
  const auto full = find_value(config, "max_window_layers");
  const int first = full ? static_cast<int>(full->as_integer(0, most_layers)) : 28;
  read_windows(model, config, 4096, [first](int layer) { return layer >= first; });
}

} // namespace

Model read_qwen2(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 32});
  model.qkv_bias = true;
  read_qwen_windows(model, config);
  return model;
}

Model read_qwen3(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 32, .head_size = 128});
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;
  model.qk_norm = true;
  read_qwen_windows(model, config);
  return model;
}

Model read_phi3(const JsonReader& config) {
  auto model = rotary_gated_model(config, {});
  read_windows(model, config, {}, all_layers);
  return model;
}

Model read_glm(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 2, .head_size = 128});
  model.qkv_bias = flag(config, "attention_bias", true);
  return model;
}

Model read_glm4(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.kv_heads = 2, .head_size = 128});
  model.qkv_bias = flag(config, "attention_bias", true);
  model.post_norms = true;
  return model;
}

Model read_chatglm(const JsonReader& config) {
  const auto heads = size_at(config, {"num_attention_heads"}, most_heads);
  const auto hidden = size_at(config, {"hidden_size"}, most_hidden);
  if (!flag(config, "rmsnorm", true) || !flag(config, "post_layer_norm", true)) {
    throw config.error("has a norm that is not modelled", "rmsnorm and post_layer_norm are");
  }
  Model model;
  model.layers = size_at(config, {"num_layers"}, most_layers).value;
  model.hidden_size = hidden.value;
  model.heads = heads.value;
  model.kv_heads = flag(config, "multi_query_attention", false)
                       ? kv_heads_of(config, heads, 1, "multi_query_group_num")
                       : heads.value;
  const auto head_size = find_value(config, "kv_channels");
  model.head_size = head_size ? size_from(*head_size, most_query_size / heads.value)
                              : shared_head_size(hidden, heads, "without \"kv_channels\" ");
  model.ffn_size = size_at(config, {"ffn_hidden_size"}, most_ffn).value;
  model.vocabulary_size =
      size_at(config, {"padded_vocab_size", "vocab_size"}, most_vocabulary).value;
  if (const auto positions = find_value(config, "seq_length")) {
    model.max_positions = size_from(*positions, most_positions);
  }
  const bool biased = flag(config, "add_bias_linear", false);
  model.qkv_bias = biased || flag(config, "add_qkv_bias", false);
  model.attention_output_bias = model.ffn_bias = biased;
  model.tied_embeddings = flag(config, "tie_word_embeddings", false);
  return model;
}

Model read_gemma(const JsonReader& config) {
  auto model =
      rotary_gated_model(config, {.kv_heads = 16, .head_size = 256, .tied_embeddings = true});
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;
  return model;
}

Model read_gemma2(const JsonReader& config) {
  auto model =
      rotary_gated_model(config, {.kv_heads = 4, .head_size = 256, .tied_embeddings = true});
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;
  model.post_norms = true;
  read_windows(model, config, 4096, all_but_each(2));
  return model;
}

Model read_gemma3(const JsonReader& config) {
  auto model = rotary_gated_model(config,
                                  {.kv_heads = 4,
                                   .head_size = 256,
                                   .heads = 8,
                                   .vocabulary_size = 262'208,
                                   .tied_embeddings = true});
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;
  model.qk_norm = true;
  model.post_norms = true;
  const int period =
      size_at(config, {"sliding_window_pattern", "_sliding_window_pattern"}, most_layers, 6).value;
  read_windows(model, config, 4096, all_but_each(period));
  return model;
}

} // namespace decodesim::hf
