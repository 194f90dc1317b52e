#include "sim/model/parameters.hpp"

#include <algorithm>

namespace decodesim {

namespace {

/// Matrices and biases of a feed-forward network of that width.
struct Network {
  std::int64_t matrices = 0;
  std::int64_t biases = 0;
};

Network network(const Model& model, std::int64_t width, bool bias) {
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t into = model.gated_ffn ? 2 * width : width;
  return {.matrices = hidden * into + width * hidden, .biases = bias ? into + hidden : 0};
}

/// Matrices of latent attention and the norms over its ranks.
ParameterCount latent_parameters(const Model& model, const LatentAttention& latent) {
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t heads = model.heads;
  const std::int64_t query = latent.nope_head_size + latent.rope_head_size;
  const std::int64_t query_rank = latent.query_rank;
  const std::int64_t kv_rank = latent.kv_rank;
  const auto queries =
      query_rank > 0 ? hidden * query_rank + query_rank * heads * query : hidden * heads * query;
  ParameterCount count;
  count.linear = queries + hidden * latent.cache_size() +
                 kv_rank * heads * (latent.nope_head_size + latent.value_head_size) +
                 model.attended_size() * hidden;
  count.other = (query_rank > 0 ? norm_parameters(model, query_rank) : 0) +
                norm_parameters(model, kv_rank) +
                (model.qkv_bias ? query_rank + latent.cache_size() : 0);
  return count;
}

} // namespace

ParameterCount& ParameterCount::operator+=(const ParameterCount& more) {
  linear += more.linear;
  experts += more.experts;
  tables += more.tables;
  other += more.other;
  return *this;
}

ParameterCount operator+(ParameterCount one, const ParameterCount& more) { return one += more; }

std::int64_t norm_parameters(const Model& model, std::int64_t width) {
  return model.norm == NormKind::layer_norm ? 2 * width : width;
}

ParameterCount attention_parameters(const Model& model) {
  const std::int64_t hidden = model.hidden_size;
  ParameterCount count;
  if (model.latent) {
    count = latent_parameters(model, *model.latent);
  } else {
    const auto q = model.query_size();
    const auto kv = model.kv_size();
    const std::int64_t normed_heads = model.qk_norm_per_head ? model.heads + model.kv_heads : 2;
    count.linear = hidden * (q + 2 * kv) + q * hidden;
    count.other =
        (model.qkv_bias ? q + 2 * kv : 0) + (model.qk_norm ? normed_heads * model.head_size : 0);
  }
  count.other += (model.post_norms ? 2 : 1) * norm_parameters(model, hidden) +
                 (model.attention_output_bias ? hidden : 0) +
                 (model.attention_sinks ? model.heads : 0);
  return count;
}

ParameterCount expert_parameters(const Model& model) {
  if (!model.moe) {
    return {};
  }
  const auto expert = network(model, model.moe->expert_ffn_size, model.moe->expert_bias);
  return {.linear = 0, .experts = expert.matrices, .other = expert.biases};
}

ParameterCount router_parameters(const Model& model) {
  if (!model.moe) {
    return {};
  }
  const std::int64_t experts = model.moe->experts;
  return {.linear = 0,
          .experts = 0,
          .other = model.hidden_size * experts + (model.moe->router_bias ? experts : 0)};
}

ParameterCount shared_expert_parameters(const Model& model) {
  if (!model.moe || model.moe->shared_ffn_size == 0) {
    return {};
  }
  return {.linear = network(model, model.moe->shared_ffn_size, false).matrices,
          .experts = 0,
          .other = model.moe->shared_expert_gate ? model.hidden_size : 0};
}

ParameterCount ffn_parameters(const Model& model, int layer) {
  const int norms = (model.parallel_block && model.one_block_norm ? 0 : 1) + //
                    (model.post_norms ? 1 : 0);
  ParameterCount count{
      .linear = 0, .experts = 0, .other = norms * norm_parameters(model, model.hidden_size)};
  if (!model.has_experts(layer)) {
    const auto dense = network(model, model.ffn_size, model.ffn_bias);
    return count + ParameterCount{.linear = dense.matrices, .experts = 0, .other = dense.biases};
  }
  const auto expert = expert_parameters(model);
  const std::int64_t experts = model.moe->experts;
  count.experts = experts * expert.experts;
  count.other += experts * expert.other;
  return count + router_parameters(model) + shared_expert_parameters(model);
}

ParameterCount layer_parameters(const Model& model, int layer) {
  return attention_parameters(model) + ffn_parameters(model, layer);
}

std::int64_t embedding_parameters(const Model& model) {
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t positions = std::int64_t{model.max_positions} + model.extra_positions;
  return hidden * model.vocabulary_size +
         (model.position == PositionKind::learned ? hidden * positions : 0) +
         (model.embedding_norm ? norm_parameters(model, hidden) : 0);
}

std::int64_t head_parameters(const Model& model) {
  return std::int64_t{model.hidden_size} * model.vocabulary_size;
}

std::int64_t final_norm_parameters(const Model& model) {
  return norm_parameters(model, model.hidden_size);
}

std::int64_t total_parameters(const Model& model) {
  auto total = embedding_parameters(model) + final_norm_parameters(model) +
               (model.tied_embeddings ? 0 : head_parameters(model));
  for (int layer = 0; layer < model.layers; ++layer) {
    total += layer_parameters(model, layer).total();
  }
  return total;
}

std::int64_t active_parameters(const Model& model) {
  auto active = total_parameters(model);
  if (model.moe) {
    const auto idle =
        (model.moe->experts - model.moe->experts_per_token) * expert_parameters(model).total();
    for (int layer = 0; layer < model.layers; ++layer) {
      active -= model.has_experts(layer) ? idle : 0;
    }
  }
  return active;
}

Bytes weight_bytes(ParameterCount count, Precision precision) {
  return static_cast<double>(count.linear) * element_bytes(precision.weights) +
         static_cast<double>(count.experts) * element_bytes(precision.expert_weights()) +
         static_cast<double>(count.tables) * element_bytes(precision.tables()) +
         static_cast<double>(count.other) * element_bytes(precision.activations());
}

Bytes kv_bytes_per_token_per_layer(const Model& model, DataType type) {
  const auto elements = model.latent ? model.latent->cache_size() : 2 * model.kv_size();
  return static_cast<double>(elements) * element_bytes(type);
}

Bytes kv_cache_bytes(const Model& model, std::int64_t tokens, DataType type) {
  std::int64_t held = 0;
  for (int layer = 0; layer < model.layers; ++layer) {
    const std::int64_t window = model.window(layer);
    held += window > 0 ? std::min(window, tokens) : tokens;
  }
  return static_cast<double>(held) * kv_bytes_per_token_per_layer(model, type);
}

} // namespace decodesim
