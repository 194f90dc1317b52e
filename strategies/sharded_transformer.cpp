#include "strategies/sharded_transformer.hpp"

#include "strategies/expert_shard.hpp"

namespace decodesim {

void declare_embedding(ProgramBuilder& builder, const Shard& shard) {
  const auto& model = builder.model();
  const auto other = builder.precision().activations();
  const std::int64_t hidden = model.hidden_size;
  const bool on_host = builder.traits.host_embedding;
  builder.weights(
      "embedding", {on_host ? 0 : shard.vocabulary, hidden}, builder.precision().tables());
  if (model.position == PositionKind::learned) {
    const std::int64_t positions = std::int64_t{model.max_positions} + model.extra_positions;
    builder.weights("positions", {positions, hidden}, other);
  }
  if (model.embedding_norm) {
    builder.weights("embedding_norm", {norm_parameters(model, hidden)}, other);
  }
}

void declare_layer(ProgramBuilder& builder, int layer, const Shard& shard) {
  declare_attention(builder, layer, shard);
  if (builder.model().has_experts(layer)) {
    declare_experts(builder, layer);
  } else {
    declare_ffn(builder, layer, shard);
  }
}

void declare_head(ProgramBuilder& builder, const Shard& shard, bool has_table) {
  const auto& model = builder.model();
  const std::int64_t hidden = model.hidden_size;
  builder.weights(
      "final_norm", {norm_parameters(model, hidden)}, builder.precision().activations());
  if (has_table) {
    builder.weights("lm_head", {shard.vocabulary, hidden}, builder.precision().tables());
  }
}

void declare_sharded_weights(ProgramBuilder& builder, const Shard& shard) {
  const auto& stage = builder.stage();
  if (stage.first()) {
    declare_embedding(builder, shard);
  }
  for (int layer = stage.first_layer; layer < stage.first_layer + stage.layers; ++layer) {
    declare_layer(builder, layer, shard);
  }
  if (stage.last()) {
    const bool tied_here = builder.model().tied_embeddings && stage.first();
    declare_head(builder, shard, !tied_here || builder.traits.host_embedding);
  }
}

void declare_cache(ProgramBuilder& builder,
                   const Shard& shard,
                   std::int64_t sequences,
                   std::int64_t tokens) {
  const auto& stage = builder.stage();
  for (int layer = stage.first_layer; layer < stage.first_layer + stage.layers; ++layer) {
    builder.kv_cache(layer, shard.kv_heads, sequences, tokens);
  }
}

void embedding_kernels(ProgramBuilder& builder,
                       const Pass& pass,
                       const Shard&,
                       const WeightBuffer& weights) {
  const auto& model = builder.model();
  const std::int64_t hidden = model.hidden_size;
  const bool learned = model.position == PositionKind::learned;
  const auto tokens =
      builder.activation(per_micro_batch("tokens", pass), {pass.tokens()}, DataType::fp32);
  builder.hidden = hidden_states(builder, pass);
  std::vector<BufferId> reads{tokens, weights("embedding")};
  if (learned) {
    reads.push_back(weights("positions"));
  }
  builder.kernel(
      "embedding",
      row_kernel(
          builder, RowFunction::embedding, pass.tokens(), learned ? 2 * hidden : hidden, hidden),
      {.reads = reads, .writes = {builder.hidden}});
}

void after_embedding(ProgramBuilder& builder, const Pass& pass, const WeightBuffer& weights) {
  if (!builder.model().embedding_norm) {
    return;
  }
  const std::int64_t hidden = builder.model().hidden_size;
  builder.kernel(
      "embedding_norm",
      row_kernel(builder, RowFunction::norm, stream_rows(builder, pass), hidden, hidden),
      {.reads = {builder.hidden, weights("embedding_norm")}, .writes = {builder.hidden}});
}

void residual_kernel(ProgramBuilder& builder, const Pass& pass) {
  const std::int64_t hidden = builder.model().hidden_size;
  const auto rows = stream_rows(builder, pass);
  const auto residual = activation(builder, "residual", rows, hidden);
  builder.kernel("residual_add",
                 row_kernel(builder, RowFunction::residual_add, rows, 2 * hidden, hidden),
                 {.reads = {builder.hidden, residual}, .writes = {builder.hidden}});
}

void head_kernels(ProgramBuilder& builder,
                  const Pass& pass,
                  const Shard& shard,
                  const WeightBuffer& weights) {
  // Prefill needs the logits of the last prompt token alone.
  Pass last_tokens = pass;
  last_tokens.query_tokens = 1;
  const auto& model = builder.model();
  const auto rows = last_tokens.tokens();
  const std::int64_t hidden = model.hidden_size;
  // Which rank has the last rows is not known: where rows are cut all of them are normalised.
  const auto kept = stream_rows(builder, pass);
  const auto normed_rows = builder.row_shards == 1 ? rows : kept;
  const auto part = activation(builder, "head_normed", normed_rows, hidden);
  const auto residual = activation(builder, "residual", kept, hidden);
  builder.kernel("final_norm",
                 row_kernel(builder, RowFunction::norm, normed_rows, 2 * hidden, hidden),
                 {.reads = {builder.hidden, residual, weights("final_norm")}, .writes = {part}});
  const auto normed = gather_rows(builder, pass, "final_norm", -1, part);
  const bool shares_table =
      model.tied_embeddings && builder.stage().first() && !builder.traits.host_embedding;
  auto product = gemm(builder, rows, shard.vocabulary, hidden, false);
  product.weights = builder.precision().tables();
  builder.kernel("lm_head",
                 product,
                 {.reads = {normed, weights(shares_table ? "embedding" : "lm_head")},
                  .writes = {activation(builder, "logits", rows, shard.vocabulary)}});
}

void sampling_kernel(ProgramBuilder& builder, const Pass& pass, BufferId logits) {
  const auto sampled =
      builder.activation(per_micro_batch("sampled", pass), {pass.sequences}, DataType::fp32);
  builder.kernel(
      "sampling",
      row_kernel(
          builder, RowFunction::sampling, pass.sequences, builder.model().vocabulary_size, 1),
      {.reads = {logits}, .writes = {sampled}, .samples = true});
}

} // namespace decodesim
