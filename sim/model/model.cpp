#include "sim/model/model.hpp"

namespace decodesim {

namespace {

std::int64_t norm_parameters(const Model& model, std::int64_t width) {
  return model.norm == NormKind::layer_norm ? 2 * width : width;
}

} // namespace

ParameterCount attention_parameters(const Model& model) {
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t q = model.query_size();
  const std::int64_t kv = model.kv_size();
  ParameterCount count;
  count.linear = hidden * (q + 2 * kv) + q * hidden;
  count.other = norm_parameters(model, hidden) + (model.qkv_bias ? q + 2 * kv : 0) +
                (model.attention_output_bias ? hidden : 0) +
                (model.qk_norm ? 2 * std::int64_t{model.head_size} : 0);
  return count;
}

ParameterCount ffn_parameters(const Model& model) {
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t ffn = model.ffn_size;
  const std::int64_t into = model.gated_ffn ? 2 * ffn : ffn;
  ParameterCount count;
  count.linear = hidden * into + ffn * hidden;
  count.other = norm_parameters(model, hidden) + (model.ffn_bias ? into + hidden : 0);
  return count;
}

ParameterCount layer_parameters(const Model& model) {
  const auto attention = attention_parameters(model);
  const auto ffn = ffn_parameters(model);
  return {.linear = attention.linear + ffn.linear, .other = attention.other + ffn.other};
}

std::int64_t embedding_parameters(const Model& model) {
  const std::int64_t hidden = model.hidden_size;
  return hidden * model.vocabulary_size +
         (model.position == PositionKind::learned ? hidden * model.max_positions : 0) +
         (model.embedding_norm ? norm_parameters(model, hidden) : 0);
}

std::int64_t head_parameters(const Model& model) {
  return std::int64_t{model.hidden_size} * model.vocabulary_size;
}

std::int64_t final_norm_parameters(const Model& model) {
  return norm_parameters(model, model.hidden_size);
}

std::int64_t total_parameters(const Model& model) {
  return embedding_parameters(model) + model.layers * layer_parameters(model).total() +
         final_norm_parameters(model) + (model.tied_embeddings ? 0 : head_parameters(model));
}

DataType Precision::activations() const { return is_quantised(weights) ? DataType::bf16 : weights; }

Bytes weight_bytes(ParameterCount count, Precision precision) {
  return static_cast<double>(count.linear) * element_bytes(precision.weights) +
         static_cast<double>(count.other) * element_bytes(precision.activations());
}

Bytes kv_bytes_per_token_per_layer(const Model& model, DataType type) {
  return 2.0 * static_cast<double>(model.kv_size()) * element_bytes(type);
}

} // namespace decodesim
