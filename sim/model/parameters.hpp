#pragma once

#include "sim/model/model.hpp"
#include "sim/units.hpp"

#include <cstdint>

/// Parameters of a model by place, and the bytes that they and the KV cache take.
///
/// Source: the modules of transformers (modeling_*.py of each family); the sums equal the published
/// counts (docs/models/transformer.md).
namespace decodesim {

/// In elements.
struct ParameterCount {
  std::int64_t linear = 0;  ///< matrices, which quantisation applies to
  std::int64_t experts = 0; ///< matrices of routed experts, which may have a type of their own
  std::int64_t tables = 0;  ///< embedding and LM head
  std::int64_t other = 0;   ///< norms, biases, routers

  [[nodiscard]] std::int64_t total() const { return linear + experts + tables + other; }

  ParameterCount& operator+=(const ParameterCount& more);

  bool operator==(const ParameterCount&) const = default;
};

[[nodiscard]] ParameterCount operator+(ParameterCount one, const ParameterCount& more);

// Shapes below: h = hidden size, q = query_size(), kv = kv_size(), f = ffn_size, v = vocabulary. A
// norm over a width w has w elements, 2 w with a bias (layer_norm).

/// Elements of one norm over `width`.
[[nodiscard]] std::int64_t norm_parameters(const Model& model, std::int64_t width);

/// Attention of one layer with its norms: matrices h x (q + 2 kv) and q x h; a norm over h (two
/// with post_norms), biases q + 2 kv and h if any, norms over query and key heads if `qk_norm`, and
/// a sink per head if any.
///
/// Latent attention, with query rank r_q, KV rank r_kv, head sizes n (nope), p (rope), v: matrices
/// h x r_q and r_q x heads (n + p) (or h x heads (n + p) without a query rank), h x (r_kv + p),
/// r_kv x heads (n + v), heads v x h, and norms over r_q and r_kv.
[[nodiscard]] ParameterCount attention_parameters(const Model& model);

/// One routed expert: as ffn_parameters of width `expert_ffn_size`, without a norm. None without
/// experts.
[[nodiscard]] ParameterCount expert_parameters(const Model& model);

/// Router h x experts and its bias; counted as `other`, since quantised files leave it alone.
[[nodiscard]] ParameterCount router_parameters(const Model& model);

/// All shared experts of a layer as one network of `shared_ffn_size`, and their gate if any.
[[nodiscard]] ParameterCount shared_expert_parameters(const Model& model);

/// What follows attention in a layer, with its norms. Dense: matrices h x f (twice when gated) and
/// f x h, and a bias per output of each matrix if any. With experts: router, all routed experts and
/// the shared ones.
[[nodiscard]] ParameterCount ffn_parameters(const Model& model, int layer);

/// Attention and what follows it.
[[nodiscard]] ParameterCount layer_parameters(const Model& model, int layer);

/// Token table v x h, learned positions and the embedding norm.
[[nodiscard]] std::int64_t embedding_parameters(const Model& model);
/// LM head, h x v; counted even when tied, since a stage without the embedding holds its own copy.
[[nodiscard]] std::int64_t head_parameters(const Model& model);
/// Norm before the LM head.
[[nodiscard]] std::int64_t final_norm_parameters(const Model& model);

/// All parameters as published: a tied head counts once.
[[nodiscard]] std::int64_t total_parameters(const Model& model);

/// What one token uses: the total less the routed experts that it is not sent to. The token table
/// counts whole; some publishers leave it out.
[[nodiscard]] std::int64_t active_parameters(const Model& model);

/// Bytes that `count` parameters take: linear ones in the weight type, experts and tables in
/// theirs, others in the activation type.
[[nodiscard]] Bytes weight_bytes(ParameterCount count, Precision precision);

/// Bytes by which one token lengthens one layer's cache (while its window is not full), unsharded:
/// 2 x KV heads x head size x element; with latent attention (KV rank + rope head size) x element.
///
/// Source: a key and a value vector per KV head (Ainslie et al., GQA, arXiv:2305.13245); one latent
/// and one rotary key (DeepSeek-V2, arXiv:2405.04434, section 2.1.4).
[[nodiscard]] Bytes kv_bytes_per_token_per_layer(const Model& model, DataType type);

/// Bytes that the caches of all layers hold after `tokens` tokens of one sequence, unsharded: a
/// windowed layer holds the last `window` of them.
[[nodiscard]] Bytes kv_cache_bytes(const Model& model, std::int64_t tokens, DataType type);

} // namespace decodesim
