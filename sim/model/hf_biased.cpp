#include "sim/error.hpp"
#include "sim/model/hf_families.hpp"
#include "sim/model/hf_keys.hpp"

#include <algorithm>

namespace decodesim::hf {

namespace {

/// GPT-2's layer, which BLOOM and OPT share: layer norms, full heads, two feed-forward matrices,
/// biases everywhere.
Model biased_model(const JsonReader& config, const Size& hidden, const Size& heads) {
  Model model;
  model.layers = size_at(config, {"n_layer", "num_hidden_layers"}, most_layers).value;
  model.hidden_size = hidden.value;
  model.heads = heads.value;
  model.kv_heads = heads.value;
  model.head_size = shared_head_size(hidden, heads, "");
  model.ffn_size = 4 * hidden.value;
  model.vocabulary_size = size_at(config, {"vocab_size"}, most_vocabulary).value;
  model.gated_ffn = false;
  model.norm = NormKind::layer_norm;
  model.tied_embeddings = flag(config, "tie_word_embeddings", true);
  model.qkv_bias = true;
  model.attention_output_bias = true;
  model.ffn_bias = true;
  return model;
}

} // namespace

Model read_bloom(const JsonReader& config) {
  const auto hidden = size_at(config, {"hidden_size", "n_embed"}, most_hidden);
  const auto heads = size_at(config, {"n_head", "num_attention_heads"}, most_heads);
  auto model = biased_model(config, hidden, heads);
  model.position = PositionKind::alibi;
  model.embedding_norm = true;
  if (const auto trained = find_value(config, "seq_length")) {
    model.max_positions = size_from(*trained, most_positions);
  }
  return model;
}

Model read_gpt2(const JsonReader& config) {
  if (flag(config, "add_cross_attention", false)) {
    throw config.at("add_cross_attention")
        .error("is true", "only decoders without cross-attention are modelled");
  }
  const auto hidden = size_at(config, {"n_embd", "hidden_size"}, most_hidden);
  const auto heads = size_at(config, {"n_head", "num_attention_heads"}, most_heads);
  auto model = biased_model(config, hidden, heads);
  if (const auto inner = find_value(config, "n_inner")) {
    model.ffn_size = size_from(*inner, most_ffn);
  }
  model.position = PositionKind::learned;
  const auto positions = {"n_positions", "max_position_embeddings"};
  const bool names_positions =
      std::any_of(positions.begin(), positions.end(), [&](const char* key) {
        return find_value(config, key).has_value();
      });
  // n_ctx is an old name of n_positions; where both are, transformers ignores it.
  const auto context = find_value(config, "n_ctx");
  model.max_positions = context && !names_positions
                            ? size_from(*context, most_positions)
                            : size_at(config, positions, most_positions).value;
  return model;
}

Model read_opt(const JsonReader& config) {
  const auto hidden = size_at(config, {"hidden_size"}, most_hidden);
  const auto heads = size_at(config, {"num_attention_heads"}, most_heads);
  // OPT-350M alone projects its embedding and normalises behind the blocks.
  const auto embedded = size_at(config, {"word_embed_proj_dim"}, most_hidden, hidden.value);
  if (embedded.value != hidden.value) {
    throw embedded.place.error("is " + std::to_string(embedded.value),
                               "hidden_size (" + std::to_string(hidden.value) +
                                   ") is expected: projected embeddings are not modelled");
  }
  if (!flag(config, "do_layer_norm_before", true)) {
    throw config.at("do_layer_norm_before")
        .error("is false", "norms behind blocks are not modelled");
  }
  auto model = biased_model(config, hidden, heads);
  model.ffn_size = size_at(config, {"ffn_dim"}, most_ffn).value;
  model.position = PositionKind::learned;
  model.max_positions = size_at(config, {"max_position_embeddings"}, most_positions).value;
  model.extra_positions = 2;
  model.qkv_bias = flag(config, "enable_bias", true);
  model.attention_output_bias = model.ffn_bias = model.qkv_bias;
  return model;
}

} // namespace decodesim::hf
