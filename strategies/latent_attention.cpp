#include "strategies/attention_block.hpp"

namespace decodesim {

namespace {

/// Widths of one rank's latent attention.
struct LatentWidths {
  std::int64_t query_head = 0; ///< nope and rope part
  std::int64_t queries = 0;    ///< of all heads of the shard
  std::int64_t first = 0;      ///< outputs of the first product that are queries or their latent
  std::int64_t cache = 0;      ///< latent and rotary key of a token
  std::int64_t up = 0;         ///< keys without position and values of all heads of the shard

  LatentWidths(const LatentAttention& latent, const Shard& shard)
      : query_head{std::int64_t{latent.nope_head_size} + latent.rope_head_size},
        queries{shard.heads * query_head}, first{latent.query_rank > 0 ? latent.query_rank
                                                                       : queries},
        cache{latent.cache_size()}, up{shard.heads * (std::int64_t{latent.nope_head_size} +
                                                      latent.value_head_size)} {}
};

/// Norms over the latents of queries and of keys and values.
std::int64_t normed_width(const LatentAttention& latent) {
  return std::int64_t{latent.query_rank} + latent.kv_rank;
}

/// One product per head: `tokens` x `k` to `tokens` x `n`.
Gemm per_head(const ProgramBuilder& builder,
              const Shard& shard,
              std::int64_t tokens,
              std::int64_t n,
              std::int64_t k) {
  auto product = gemm(builder, tokens, n, k, false);
  product.batch = shard.heads;
  return product;
}

/// What both ways of attending start from.
struct LatentInput {
  const Pass& pass;
  int layer;
  const Shard& shard;
  BufferId queries;  ///< nope and rope part of each head
  BufferId cache;    ///< latents and rotary keys of the context
  BufferId up;       ///< kv_b_proj
  BufferId attended; ///< output
};

void absorbed_attention(ProgramBuilder& builder, const LatentInput& in) {
  const auto& latent = *builder.model().latent;
  const auto& shard = in.shard;
  const auto tokens = in.pass.tokens();
  const std::int64_t rank = latent.kv_rank;
  const auto absorbed =
      activation(builder, "absorbed_queries", tokens, shard.heads * (rank + latent.rope_head_size));
  builder.kernel("absorb_queries",
                 per_head(builder, shard, tokens, rank, latent.nope_head_size),
                 {.layer = in.layer, .reads = {in.queries, in.up}, .writes = {absorbed}});
  const auto of_latents = activation(builder, "attended_latents", tokens, shard.heads * rank);
  builder.kernel("attention",
                 Attention{.sequences = in.pass.sequences,
                           .query_tokens = in.pass.query_tokens,
                           .context_tokens = in.pass.context_tokens,
                           .heads = shard.heads,
                           .kv_heads = 1,
                           .head_size = latent.kv_rank + latent.rope_head_size,
                           .kv_cache = builder.precision().kv_cache,
                           .activations = builder.precision().activations(),
                           .value_size = latent.kv_rank,
                           .values_in_keys = true},
                 {.layer = in.layer, .reads = {absorbed, in.cache}, .writes = {of_latents}});
  builder.kernel("expand_values",
                 per_head(builder, shard, tokens, latent.value_head_size, rank),
                 {.layer = in.layer, .reads = {of_latents, in.up}, .writes = {in.attended}});
}

void expanded_attention(ProgramBuilder& builder, const LatentInput& in) {
  const auto& latent = *builder.model().latent;
  const auto& shard = in.shard;
  const LatentWidths widths{latent, shard};
  const auto tokens = in.pass.tokens();
  const auto expanded = activation(builder, "keys_and_values", tokens, widths.up);
  builder.kernel("kv_b_proj",
                 gemm(builder, tokens, widths.up, latent.kv_rank, false),
                 {.layer = in.layer, .reads = {in.cache, in.up}, .writes = {expanded}});
  builder.kernel(
      "attention",
      Attention{.sequences = in.pass.sequences,
                .query_tokens = in.pass.query_tokens,
                .context_tokens = in.pass.context_tokens,
                .heads = shard.heads,
                .kv_heads = shard.heads,
                .head_size = static_cast<int>(widths.query_head),
                .kv_cache = builder.precision().activations(),
                .activations = builder.precision().activations(),
                .value_size = latent.value_head_size},
      {.layer = in.layer, .reads = {in.queries, in.cache, expanded}, .writes = {in.attended}});
}

} // namespace

void declare_latent_attention(ProgramBuilder& builder, int layer, const Shard& shard) {
  const auto& model = builder.model();
  const auto& latent = *model.latent;
  const LatentWidths widths{latent, shard};
  const auto first = widths.first + widths.cache;
  declare_matrix(builder, layer, "qkv_a_proj", first, model.hidden_size, false);
  const auto other = builder.precision().activations();
  if (model.qkv_bias) {
    builder.weights(
        layer_name(layer, "qkv_a_proj.bias"), {latent.query_rank + latent.cache_size()}, other);
  }
  builder.weights(
      layer_name(layer, "latent_norm"),
      {norm_parameters(model, latent.query_rank) + norm_parameters(model, latent.kv_rank)},
      other);
  if (latent.query_rank > 0) {
    declare_matrix(builder, layer, "q_b_proj", widths.queries, latent.query_rank, false);
  }
  declare_matrix(builder, layer, "kv_b_proj", widths.up, latent.kv_rank, false);
}

BufferId latent_attention_kernels(ProgramBuilder& builder,
                                  const Pass& pass,
                                  int layer,
                                  const Shard& shard,
                                  const WeightBuffer& weights,
                                  BufferId normed) {
  const auto& model = builder.model();
  const auto& latent = *model.latent;
  const LatentWidths widths{latent, shard};
  const auto tokens = pass.tokens();
  // Queries (or their latent) and the latent of keys and values come from one product.
  const auto first = activation(builder, "latents", tokens, widths.first + widths.cache);
  builder.kernel(
      "qkv_a_proj",
      gemm(builder, tokens, widths.first + widths.cache, model.hidden_size, model.qkv_bias),
      {.layer = layer,
       .reads = {normed, weights(layer_name(layer, "qkv_a_proj"))},
       .writes = {first}});
  builder.kernel(
      "latent_norm",
      row_kernel(builder, RowFunction::norm, tokens, normed_width(latent), normed_width(latent)),
      {.layer = layer,
       .reads = {first, weights(layer_name(layer, "latent_norm"))},
       .writes = {first}});
  auto queries = first;
  if (latent.query_rank > 0) {
    queries = activation(builder, "queries", tokens, widths.queries);
    builder.kernel("q_b_proj",
                   gemm(builder, tokens, widths.queries, latent.query_rank, false),
                   {.layer = layer,
                    .reads = {first, weights(layer_name(layer, "q_b_proj"))},
                    .writes = {queries}});
  }
  const auto cache = builder.buffer(layer_name(layer, "kv_cache"));
  // Rotary parts of all queries, and the latent and rotary key on their way to the cache.
  const auto rotated = shard.heads * std::int64_t{latent.rope_head_size} + widths.cache;
  builder.kernel("rotary",
                 row_kernel(builder, RowFunction::rotary, tokens, rotated, rotated),
                 {.layer = layer, .reads = {first, queries}, .writes = {queries, cache}});
  const LatentInput in{
      .pass = pass,
      .layer = layer,
      .shard = shard,
      .queries = queries,
      .cache = cache,
      .up = weights(layer_name(layer, "kv_b_proj")),
      .attended = activation(
          builder, "attended", tokens, shard.heads * std::int64_t{latent.value_head_size})};
  if (pass.query_tokens == 1) {
    absorbed_attention(builder, in);
  } else {
    expanded_attention(builder, in);
  }
  return in.attended;
}

} // namespace decodesim
