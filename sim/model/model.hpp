#pragma once

#include "sim/model/data_type.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace decodesim {

enum class NormKind {
  rms_norm,
  layer_norm,             ///< has a bias beside its weight
  layer_norm_without_bias ///< Command-R
};

enum class PositionKind { rotary, alibi, learned };

/// Mixture of experts: what takes the place of the FFN in some layers.
struct MixtureOfExperts {
  int experts = 0;
  int experts_per_token = 0;
  std::int64_t expert_ffn_size = 0;   ///< width of one expert
  std::int64_t shared_ffn_size = 0;   ///< width of all shared experts together; 0 = none
  int first_dense_layers = 0;         ///< these layers have a dense FFN of Model::ffn_size
  std::vector<int> dense_layers = {}; ///< so have these, in increasing order (Qwen, moe_layer_freq)
  bool router_bias = false;           ///< one number per expert
  bool expert_bias = false;           ///< a bias per output of each expert matrix
  bool shared_expert_gate = false;    ///< hidden size x 1 (Qwen2-MoE)

  bool operator==(const MixtureOfExperts&) const = default;
};

/// Multi-head latent attention (MLA): keys and values of all heads are projections of one latent
/// vector per token, which is what the cache holds.
///
/// Source: DeepSeek-V2, arXiv:2405.04434, section 2.1.
struct LatentAttention {
  int query_rank = 0;     ///< width of the queries' latent; 0 = queries are projected directly
  int kv_rank = 0;        ///< width of the latent of keys and values
  int nope_head_size = 0; ///< part of a query or key head without position
  int rope_head_size = 0; ///< part with rotary position; its key is shared by all heads
  int value_head_size = 0;

  /// Elements that the cache holds per token and layer, whatever the number of heads.
  [[nodiscard]] std::int64_t cache_size() const { return std::int64_t{kv_rank} + rope_head_size; }

  bool operator==(const LatentAttention&) const = default;
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
  int kv_heads = 0;  ///< fewer than heads: grouped-query attention; heads in latent attention
  int head_size = 0; ///< of queries and keys
  int ffn_size = 0;  ///< of dense layers; 0 = every layer has experts
  int vocabulary_size = 0;
  int max_positions = 0; ///< longest context the model was published for; 0 = no stated limit

  bool gated_ffn = true; ///< three matrices (gate, up, down) instead of two (up, down)
  NormKind norm = NormKind::rms_norm;
  PositionKind position = PositionKind::rotary;
  int extra_positions = 0;       ///< rows of a learned table beyond max_positions (OPT: 2)
  bool tied_embeddings = false;  ///< LM head is the embedding table
  bool embedding_norm = false;   ///< a norm after the embedding (BLOOM)
  bool qk_norm = false;          ///< norm over each query and key head (Qwen3)
  bool qk_norm_per_head = false; ///< with qk_norm: every head has its own weights (Command-R+)
  bool qkv_bias = false;
  bool attention_output_bias = false;
  bool attention_sinks = false; ///< one learned number a head (gpt-oss): counted, but costs no time
  bool ffn_bias = false;
  /// Attention and FFN both read the block's input and are added to it together (GPT-NeoX, Falcon,
  /// Command-R).
  bool parallel_block = false;
  bool one_block_norm = false; ///< with parallel_block: one norm before both (Falcon-7B, Command-R)
  bool post_norms = false;     ///< a norm after attention and one after the FFN (Gemma 2, GLM-4)
  int sliding_window = 0; ///< tokens that a windowed layer attends to, itself included; 0 = none
  std::vector<bool> windowed_layers;     ///< which layers; empty = all when there is a window
  std::optional<LatentAttention> latent; ///< absent: ordinary keys and values
  std::optional<MixtureOfExperts> moe;   ///< absent in dense models

  /// Types in which the file says that matrices, and those of experts, are stored; absent where it
  /// does not say (docs/models/transformer.md).
  std::optional<DataType> stored_type;
  std::optional<DataType> stored_expert_type; ///< where it differs (gpt-oss: MXFP4)

  /// Whether the layer has experts instead of a dense FFN.
  [[nodiscard]] bool has_experts(int layer) const {
    return moe && layer >= moe->first_dense_layers &&
           !std::binary_search(moe->dense_layers.begin(), moe->dense_layers.end(), layer);
  }

  /// Tokens that the layer attends to at most, the new one included; 0 = all.
  [[nodiscard]] int window(int layer) const {
    const auto index = static_cast<std::size_t>(layer);
    return windowed_layers.empty() || windowed_layers[index] ? sliding_window : 0;
  }

  /// Width of the query projection: heads x head size (not always the hidden size).
  [[nodiscard]] std::int64_t query_size() const { return std::int64_t{heads} * head_size; }

  /// Width of the key or of the value projection: KV heads x head size (no latent attention).
  [[nodiscard]] std::int64_t kv_size() const { return std::int64_t{kv_heads} * head_size; }

  /// Width of attention's output before its projection.
  [[nodiscard]] std::int64_t attended_size() const {
    return std::int64_t{heads} * (latent ? latent->value_head_size : head_size);
  }

  bool operator==(const Model&) const = default;
};

/// Types of what is stored.
struct Precision {
  DataType weights = DataType::bf16;
  DataType kv_cache = DataType::bf16;
  std::optional<DataType> experts = {}; ///< matrices of routed experts; absent: as `weights`

  /// Type of activations and norms: that of the weights unless these are
  /// quantised, then bf16.
  [[nodiscard]] DataType activations() const;

  /// Type of embedding and LM head: as activations, but that of the weights in GGUF files.
  [[nodiscard]] DataType tables() const;

  [[nodiscard]] DataType expert_weights() const { return experts.value_or(weights); }

  bool operator==(const Precision&) const = default;
};

/// What the model's file says that its weights are stored in, else bf16; the cache in the type of
/// activations.
[[nodiscard]] Precision stored_precision(const Model& model);

} // namespace decodesim
