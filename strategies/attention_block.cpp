#include "strategies/attention_block.hpp"

namespace decodesim {

namespace {

/// Widths of this shard's queries, and of its keys (or values).
struct Widths {
  std::int64_t q = 0;
  std::int64_t kv = 0;

  Widths(const Model& model, const Shard& shard)
      : q{std::int64_t{shard.heads} * model.head_size}, kv{std::int64_t{shard.kv_heads} *
                                                           model.head_size} {}
};

BufferId kv_attention_kernels(ProgramBuilder& builder,
                              const Pass& pass,
                              int layer,
                              const Shard& shard,
                              const WeightBuffer& weights,
                              BufferId normed) {
  const auto& model = builder.model();
  const auto [q, kv] = Widths{model, shard};
  const auto tokens = pass.tokens();
  const auto qkv = activation(builder, "qkv", tokens, q + 2 * kv);
  builder.kernel(
      "qkv_proj",
      gemm(builder, tokens, q + 2 * kv, model.hidden_size, model.qkv_bias),
      {.layer = layer, .reads = {normed, weights(layer_name(layer, "qkv_proj"))}, .writes = {qkv}});
  if (model.qk_norm) {
    builder.kernel(
        "qk_norm",
        row_kernel(builder, RowFunction::qk_norm, tokens, q + kv, q + kv),
        {.layer = layer, .reads = {qkv, weights(layer_name(layer, "qk_norm"))}, .writes = {qkv}});
  }
  const auto cache = builder.buffer(layer_name(layer, "kv_cache"));
  if (model.position == PositionKind::rotary) {
    builder.kernel("rotary",
                   row_kernel(builder, RowFunction::rotary, tokens, q + 2 * kv, q + 2 * kv),
                   {.layer = layer, .reads = {qkv}, .writes = {qkv, cache}});
  } else {
    builder.kernel("cache_write",
                   row_kernel(builder, RowFunction::cache_write, tokens, 2 * kv, 2 * kv),
                   {.layer = layer, .reads = {qkv}, .writes = {cache}});
  }
  if (builder.traits.concatenates_cache && pass.part == Part::body) {
    const auto columns = pass.mean_context_tokens * 2 * kv;
    builder.kernel("cache_concat",
                   RowKernel{.function = RowFunction::copy,
                             .rows = pass.sequences,
                             .read_columns = columns,
                             .write_columns = columns,
                             .type = builder.precision().kv_cache},
                   {.layer = layer, .reads = {cache}, .writes = {cache}});
  }
  const auto attended = activation(builder, "attended", tokens, q);
  builder.kernel("attention",
                 Attention{.sequences = pass.sequences,
                           .query_tokens = pass.query_tokens,
                           .context_tokens = pass.context_tokens,
                           .heads = shard.heads,
                           .kv_heads = shard.kv_heads,
                           .head_size = model.head_size,
                           .kv_cache = builder.precision().kv_cache,
                           .activations = builder.precision().activations(),
                           .window = model.window(layer)},
                 {.layer = layer, .reads = {qkv, cache}, .writes = {attended}});
  return attended;
}

} // namespace

void declare_attention(ProgramBuilder& builder, int layer, const Shard& shard) {
  const auto& model = builder.model();
  const auto other = builder.precision().activations();
  declare_norm(builder, layer, "attention_norm");
  if (model.latent) {
    declare_latent_attention(builder, layer, shard);
  } else {
    const auto [q, kv] = Widths{model, shard};
    declare_matrix(builder, layer, "qkv_proj", q + 2 * kv, model.hidden_size, model.qkv_bias);
    if (model.qk_norm) {
      const int heads = model.qk_norm_per_head ? shard.heads + shard.kv_heads : 2;
      builder.weights(layer_name(layer, "qk_norm"), {heads, model.head_size}, other);
    }
  }
  if (model.attention_sinks) {
    builder.weights(layer_name(layer, "sinks"), {shard.heads}, other);
  }
  declare_matrix(builder,
                 layer,
                 "o_proj",
                 model.hidden_size,
                 model.attended_size() / shard.shards,
                 model.attention_output_bias);
  if (model.post_norms) {
    declare_norm(builder, layer, "post_attention_norm");
  }
}

BufferId attention_kernels(ProgramBuilder& builder,
                           const Pass& pass,
                           int layer,
                           const Shard& shard,
                           const WeightBuffer& weights) {
  const auto& model = builder.model();
  const std::int64_t hidden = model.hidden_size;
  const auto normed = norm_kernel(
      builder, pass, "attention_norm", layer, weights(layer_name(layer, "attention_norm")));
  const auto attended = model.latent
                            ? latent_attention_kernels(builder, pass, layer, shard, weights, normed)
                            : kv_attention_kernels(builder, pass, layer, shard, weights, normed);
  // A parallel block adds the FFN to it.
  builder.hidden = model.parallel_block
                       ? activation(builder, "attention_output", pass.tokens(), hidden)
                       : hidden_states(builder, pass);
  builder.kernel("o_proj",
                 gemm(builder,
                      pass.tokens(),
                      hidden,
                      model.attended_size() / shard.shards,
                      model.attention_output_bias),
                 {.layer = layer,
                  .reads = {attended, weights(layer_name(layer, "o_proj"))},
                  .writes = {builder.hidden}});
  return normed;
}

} // namespace decodesim
