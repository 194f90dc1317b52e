#include "sim/error.hpp"
#include "sim/model/hf_families.hpp"
#include "sim/model/hf_keys.hpp"
#include "sim/model/hf_rotary.hpp"
#include "sim/model/hf_windows.hpp"

namespace decodesim::hf {

Model read_gpt_neox(const JsonReader& config) {
  const auto hidden = size_at(config, {"hidden_size"}, most_hidden);
  const auto heads = size_at(config, {"num_attention_heads"}, most_heads);
  Model model;
  model.layers = size_at(config, {"num_hidden_layers"}, most_layers).value;
  model.hidden_size = hidden.value;
  model.heads = model.kv_heads = heads.value;
  model.head_size = shared_head_size(hidden, heads, "");
  model.ffn_size = size_at(config, {"intermediate_size"}, most_ffn).value;
  model.vocabulary_size = size_at(config, {"vocab_size"}, most_vocabulary).value;
  if (const auto positions = find_value(config, "max_position_embeddings")) {
    model.max_positions = size_from(*positions, most_positions);
  }
  model.gated_ffn = false;
  model.norm = NormKind::layer_norm;
  model.tied_embeddings = flag(config, "tie_word_embeddings", false);
  model.qkv_bias = flag(config, "attention_bias", true);
  model.attention_output_bias = model.qkv_bias;
  model.ffn_bias = true;
  model.parallel_block = flag(config, "use_parallel_residual", true);
  return model;
}

namespace {

int falcon_kv_heads(const JsonReader& config, const Size& heads, bool new_decoder) {
  if (new_decoder) {
    return kv_heads_of(
        config, heads, {}, find_value(config, "n_head_kv") ? "n_head_kv" : "num_kv_heads");
  }
  return flag(config, "multi_query", true) ? 1 : heads.value;
}

} // namespace

Model read_falcon(const JsonReader& config) {
  const auto hidden = size_at(config, {"hidden_size"}, most_hidden);
  const auto heads = size_at(config, {"num_attention_heads", "n_head"}, most_heads);
  const bool new_decoder = flag(config, "new_decoder_architecture", false);
  Model model;
  model.layers = size_at(config, {"num_hidden_layers", "n_layer"}, most_layers).value;
  model.hidden_size = hidden.value;
  model.heads = heads.value;
  model.kv_heads = falcon_kv_heads(config, heads, new_decoder);
  model.head_size = shared_head_size(hidden, heads, "");
  model.ffn_size = size_at(config, {"ffn_hidden_size"}, most_ffn, 4 * hidden.value).value;
  model.vocabulary_size = size_at(config, {"vocab_size"}, most_vocabulary).value;
  if (const auto positions = find_value(config, "max_position_embeddings")) {
    model.max_positions = size_from(*positions, most_positions);
  }
  model.gated_ffn = false;
  model.norm = NormKind::layer_norm;
  model.position = flag(config, "alibi", false) ? PositionKind::alibi : PositionKind::rotary;
  model.tied_embeddings = flag(config, "tie_word_embeddings", true);
  model.qkv_bias = flag(config, "bias", false);
  model.attention_output_bias = model.ffn_bias = model.qkv_bias;
  model.parallel_block = new_decoder || flag(config, "parallel_attn", true);
  const int norms = size_at(config, {"num_ln_in_parallel_attn"}, 2, new_decoder ? 2 : 1).value;
  model.one_block_norm = model.parallel_block && !(new_decoder && norms == 2);
  return model;
}

Model read_cohere(const JsonReader& config) {
  auto model = rotary_gated_model(config, {.tied_embeddings = true});
  model.norm = NormKind::layer_norm_without_bias;
  model.qkv_bias = flag(config, "attention_bias", false);
  model.attention_output_bias = model.qkv_bias;
  model.qk_norm = flag(config, "use_qk_norm", false);
  model.qk_norm_per_head = model.qk_norm;
  model.parallel_block = true;
  model.one_block_norm = true;
  return model;
}

Model read_cohere2(const JsonReader& config) {
  auto model = read_cohere(config);
  const int period =
      size_at(config, {"sliding_window_pattern", "_sliding_window_pattern"}, most_layers, 4).value;
  read_windows(model, config, 4096, all_but_each(period));
  return model;
}

} // namespace decodesim::hf
