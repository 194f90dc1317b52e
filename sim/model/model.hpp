#pragma once

#include "sim/model/data_type.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace decodesim {

enum class NormKind { rms_norm, layer_norm }; ///< layer_norm has a bias beside its weight

enum class PositionKind { rotary, alibi, learned };

/// Mixture of experts: what takes the place of the FFN in some layers.
struct MixtureOfExperts {
  int experts = 0;
  int experts_per_token = 0;
  std::int64_t expert_ffn_size = 0; ///< width of one expert
  std::int64_t shared_ffn_size = 0; ///< width of all shared experts together; 0 = none
  int first_dense_layers = 0;       ///< these layers have a dense FFN of Model::ffn_size
  bool router_bias = false;         ///< one number per expert
  bool expert_bias = false;         ///< a bias per output of each expert matrix
  bool shared_expert_gate = false;  ///< hidden size x 1 (Qwen2-MoE)

  bool operator==(const MixtureOfExperts&) const = default;
};

/// Shape of a decoder-only transformer. Counts are whole numbers of elements.
///
/// One layer is: norm, QKV projection, attention, output projection, norm, feed-forward network.
struct Model {
  std::string name;         ///< preset name, or the folder or file it came from
  std::string source;       ///< where the shape was published
  std::string architecture; ///< class name in Hugging Face's transformers ("LlamaForCausalLM")

  int layers = 0;
  int hidden_size = 0;
  int heads = 0;
  int kv_heads = 0; ///< fewer than heads: grouped-query attention
  int head_size = 0;
  int ffn_size = 0;
  int vocabulary_size = 0;
  int max_positions = 0; ///< longest context the model was published for; 0 = no stated limit

  bool gated_ffn = true; ///< three matrices (gate, up, down) instead of two (up, down)
  NormKind norm = NormKind::rms_norm;
  PositionKind position = PositionKind::rotary;
  bool tied_embeddings = false; ///< LM head is the embedding table
  bool embedding_norm = false;  ///< a norm after the embedding (BLOOM)
  bool qk_norm = false;         ///< RMS norm over each query and key head (Qwen3)
  bool qkv_bias = false;
  bool attention_output_bias = false;
  bool ffn_bias = false;
  std::optional<MixtureOfExperts> moe; ///< absent in dense models

  /// Whether the layer has experts instead of a dense FFN.
  [[nodiscard]] bool has_experts(int layer) const {
    return moe && layer >= moe->first_dense_layers;
  }

  /// Width of the query projection: heads x head size (not always the hidden size).
  [[nodiscard]] std::int64_t query_size() const { return std::int64_t{heads} * head_size; }

  /// Width of the key or of the value projection: KV heads x head size.
  [[nodiscard]] std::int64_t kv_size() const { return std::int64_t{kv_heads} * head_size; }

  bool operator==(const Model&) const = default;
};

/// Parameters by place, in elements. `linear` are those of matrices (which quantisation applies
/// to), `other` norms and biases.
struct ParameterCount {
  std::int64_t linear = 0;
  std::int64_t other = 0;

  [[nodiscard]] std::int64_t total() const { return linear + other; }
};

// Shapes below: h = hidden size, q = query_size(), kv = kv_size(), f = ffn_size, v = vocabulary. A
// norm over a width w has w elements, 2 w with a bias (layer_norm).
// Source: the modules of transformers (modeling_llama.py, modeling_bloom.py, modeling_gpt2.py); the
// sums equal the published counts (docs/models/transformer.md).

/// Attention of one layer with its norm: matrices h x (q + 2 kv) and q x h; a norm over h, biases
/// q + 2 kv and h if any, and norms over one query head and one key head if `qk_norm`.
[[nodiscard]] ParameterCount attention_parameters(const Model& model);
/// Feed-forward network of one layer with its norm: matrices h x f (twice when gated) and f x h; a
/// norm over h, and a bias per output of each matrix if any.
[[nodiscard]] ParameterCount ffn_parameters(const Model& model);
/// Sum of the two above.
[[nodiscard]] ParameterCount layer_parameters(const Model& model);
/// Token table v x h, learned positions (longest context x h) and the embedding norm.
[[nodiscard]] std::int64_t embedding_parameters(const Model& model);
/// LM head, h x v; counted even when tied, since a stage without the embedding holds its own copy.
[[nodiscard]] std::int64_t head_parameters(const Model& model);
/// Norm before the LM head.
[[nodiscard]] std::int64_t final_norm_parameters(const Model& model);
/// All parameters as published: a tied head counts once.
[[nodiscard]] std::int64_t total_parameters(const Model& model);

/// Types of what is stored.
struct Precision {
  DataType weights = DataType::bf16;
  DataType kv_cache = DataType::bf16;

  /// Type of activations, embedding, LM head and norms: that of the weights unless these are
  /// quantised, then bf16.
  [[nodiscard]] DataType activations() const;
};

/// Bytes that `count` parameters take: linear ones in the weight type, others in the activation
/// type.
[[nodiscard]] Bytes weight_bytes(ParameterCount count, Precision precision);

/// Key and value bytes of one token in one layer, unsharded: 2 x KV heads x head size x element.
///
/// Source: a key and a value vector per KV head (Ainslie et al., GQA, arXiv:2305.13245).
[[nodiscard]] Bytes kv_bytes_per_token_per_layer(const Model& model, DataType type);

} // namespace decodesim
