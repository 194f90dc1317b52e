#include "strategies/sharded_transformer.hpp"

#include "sim/error.hpp"
#include "strategies/expert_layer.hpp"
#include "strategies/layer_kernels.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace decodesim {

std::string layer_name(int layer, const char* what) {
  return "L" + std::to_string(layer) + "." + what;
}

namespace {

std::int64_t divided_up(std::int64_t whole, std::int64_t parts) {
  return (whole + parts - 1) / parts;
}

} // namespace

Gemm gemm(
    const ProgramBuilder& builder, std::int64_t m, std::int64_t n, std::int64_t k, bool bias) {
  return {.m = m,
          .n = n,
          .k = k,
          .weights = builder.precision().weights,
          .activations = builder.precision().activations(),
          .bias = bias};
}

RowKernel row_kernel(const ProgramBuilder& builder,
                     RowFunction function,
                     std::int64_t rows,
                     std::int64_t read_columns,
                     std::int64_t write_columns) {
  return {.function = function,
          .rows = rows,
          .read_columns = read_columns,
          .write_columns = write_columns,
          .type = builder.precision().activations()};
}

BufferId
activation(ProgramBuilder& builder, const char* name, std::int64_t rows, std::int64_t columns) {
  return builder.activation(name, {rows, columns}, builder.precision().activations());
}

BufferId hidden_states(ProgramBuilder& builder, const Pass& pass) {
  return builder.activation(per_micro_batch("hidden", pass),
                            {pass.tokens(), builder.model().hidden_size},
                            builder.precision().activations());
}

BufferId norm_kernel(
    ProgramBuilder& builder, const Pass& pass, const char* name, int layer, BufferId weights) {
  const std::int64_t hidden = builder.model().hidden_size;
  const auto residual = activation(builder, "residual", pass.tokens(), hidden);
  const auto normed = activation(builder, "normed", pass.tokens(), hidden);
  const bool starts =
      layer == builder.stage().first_layer && std::string_view{name} == "attention_norm";
  auto reads = starts ? std::vector{builder.hidden, weights}
                      : std::vector{builder.hidden, residual, weights};
  builder.kernel(
      name,
      row_kernel(builder, RowFunction::norm, pass.tokens(), (starts ? 1 : 2) * hidden, 2 * hidden),
      {.layer = layer, .reads = std::move(reads), .writes = {normed, residual}});
  return normed;
}

Shard::Shard(const Model& model, int count)
    : shards{count}, heads{model.heads / count}, kv_heads{std::max(1, model.kv_heads / count)},
      ffn{model.ffn_size / count}, vocabulary{divided_up(model.vocabulary_size, count)} {}

void validate_shards(const Model& model, int shards) {
  const auto require = [&](int value, const char* what) {
    if (value % shards != 0) {
      throw LayoutError{model.name + " has " + std::to_string(value) + " " + what +
                        ", which tp = " + std::to_string(shards) + " does not divide"};
    }
  };
  if (model.latent || model.parallel_block || model.post_norms) {
    throw LayoutError{model.name + " has latent attention, parallel blocks or norms behind "
                                   "blocks, which are not planned yet"};
  }
  require(model.heads, "attention heads");
  require(model.ffn_size, "FFN columns");
  if (model.kv_heads % shards != 0 && shards % model.kv_heads != 0) {
    throw LayoutError{model.name + " has " + std::to_string(model.kv_heads) +
                      " KV heads, which can be neither divided by nor replicated over tp = " +
                      std::to_string(shards)};
  }
}

ParameterCount layer_parameters(const Model& model, const Shard& shard) {
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t q = std::int64_t{shard.heads} * model.head_size;
  const std::int64_t kv = std::int64_t{shard.kv_heads} * model.head_size;
  const std::int64_t into = (model.gated_ffn ? 2 : 1) * shard.ffn;
  ParameterCount count;
  count.linear = hidden * (q + 2 * kv) + q * hidden + hidden * into + shard.ffn * hidden;
  count.other = (model.norm == NormKind::layer_norm ? 4 : 2) * hidden +
                (model.qkv_bias ? q + 2 * kv : 0) + (model.attention_output_bias ? hidden : 0) +
                (model.qk_norm ? 2 * std::int64_t{model.head_size} : 0) +
                (model.ffn_bias ? into + hidden : 0);
  return count;
}

void declare_sharded_weights(ProgramBuilder& builder, const Shard& shard) {
  const auto& model = builder.model();
  const auto& stage = builder.stage();
  const auto linear = builder.precision().weights;
  const auto other = builder.precision().activations();
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t q = std::int64_t{shard.heads} * model.head_size;
  const std::int64_t kv = std::int64_t{shard.kv_heads} * model.head_size;
  const std::int64_t into = (model.gated_ffn ? 2 : 1) * shard.ffn;
  const std::int64_t norm = (model.norm == NormKind::layer_norm ? 2 : 1) * hidden;
  if (stage.first()) {
    builder.weights("embedding", {shard.vocabulary, hidden}, other);
    if (model.position == PositionKind::learned) {
      builder.weights("positions", {model.max_positions, hidden}, other);
    }
    if (model.embedding_norm) {
      builder.weights("embedding_norm", {norm}, other);
    }
  }
  for (int layer = stage.first_layer; layer < stage.first_layer + stage.layers; ++layer) {
    const auto matrix = [&](const char* name, std::int64_t n, std::int64_t k, bool bias) {
      builder.weights(layer_name(layer, name), {n, k}, linear);
      if (bias) {
        builder.weights(layer_name(layer, name) + ".bias", {n}, other);
      }
    };
    builder.weights(layer_name(layer, "attention_norm"), {norm}, other);
    matrix("qkv_proj", q + 2 * kv, hidden, model.qkv_bias);
    if (model.qk_norm) {
      builder.weights(layer_name(layer, "qk_norm"), {2, model.head_size}, other);
    }
    matrix("o_proj", hidden, q, model.attention_output_bias);
    builder.weights(layer_name(layer, "ffn_norm"), {norm}, other);
    if (model.has_experts(layer)) {
      declare_expert_weights(builder, layer);
    } else {
      matrix(model.gated_ffn ? "gate_up_proj" : "up_proj", into, hidden, model.ffn_bias);
      matrix("down_proj", hidden, shard.ffn, model.ffn_bias);
    }
  }
  if (stage.last()) {
    builder.weights("final_norm", {norm}, other);
    if (!(model.tied_embeddings && stage.first())) {
      builder.weights("lm_head", {shard.vocabulary, hidden}, other);
    }
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

void after_embedding(ProgramBuilder& builder, const Pass& pass) {
  if (!builder.model().embedding_norm) {
    return;
  }
  const std::int64_t hidden = builder.model().hidden_size;
  builder.kernel("embedding_norm",
                 row_kernel(builder, RowFunction::norm, pass.tokens(), hidden, hidden),
                 {.reads = {builder.hidden}, .writes = {builder.hidden}});
}

void attention_kernels(ProgramBuilder& builder,
                       const Pass& pass,
                       int layer,
                       const Shard& shard,
                       const WeightBuffer& weights) {
  const auto& model = builder.model();
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t q = std::int64_t{shard.heads} * model.head_size;
  const std::int64_t kv = std::int64_t{shard.kv_heads} * model.head_size;
  const auto tokens = pass.tokens();
  const auto normed = norm_kernel(
      builder, pass, "attention_norm", layer, weights(layer_name(layer, "attention_norm")));
  const auto qkv = activation(builder, "qkv", tokens, q + 2 * kv);
  builder.kernel(
      "qkv_proj",
      gemm(builder, tokens, q + 2 * kv, hidden, model.qkv_bias),
      {.layer = layer, .reads = {normed, weights(layer_name(layer, "qkv_proj"))}, .writes = {qkv}});
  if (model.qk_norm) {
    builder.kernel("qk_norm",
                   row_kernel(builder, RowFunction::qk_norm, tokens, q + kv, q + kv),
                   {.layer = layer, .reads = {qkv}, .writes = {qkv}});
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
  const auto attended = activation(builder, "attended", tokens, q);
  builder.kernel("attention",
                 Attention{.sequences = pass.sequences,
                           .query_tokens = pass.query_tokens,
                           .context_tokens = pass.context_tokens,
                           .heads = shard.heads,
                           .kv_heads = shard.kv_heads,
                           .head_size = model.head_size,
                           .kv_cache = builder.precision().kv_cache,
                           .activations = builder.precision().activations()},
                 {.layer = layer, .reads = {qkv, cache}, .writes = {attended}});
  builder.hidden = hidden_states(builder, pass);
  builder.kernel("o_proj",
                 gemm(builder, tokens, hidden, q, model.attention_output_bias),
                 {.layer = layer,
                  .reads = {attended, weights(layer_name(layer, "o_proj"))},
                  .writes = {builder.hidden}});
}

void ffn_kernels(ProgramBuilder& builder,
                 const Pass& pass,
                 int layer,
                 const Shard& shard,
                 const WeightBuffer& weights) {
  const auto& model = builder.model();
  const std::int64_t hidden = model.hidden_size;
  const auto tokens = pass.tokens();
  const std::int64_t into = (model.gated_ffn ? 2 : 1) * shard.ffn;
  const char* up = model.gated_ffn ? "gate_up_proj" : "up_proj";
  const auto normed =
      norm_kernel(builder, pass, "ffn_norm", layer, weights(layer_name(layer, "ffn_norm")));
  const auto raised = activation(builder, up, tokens, into);
  builder.kernel(
      up,
      gemm(builder, tokens, into, hidden, model.ffn_bias),
      {.layer = layer, .reads = {normed, weights(layer_name(layer, up))}, .writes = {raised}});
  const auto activated = activation(builder, "activated", tokens, shard.ffn);
  builder.kernel(
      "activation",
      row_kernel(builder,
                 model.gated_ffn ? RowFunction::gated_activation : RowFunction::activation,
                 tokens,
                 into,
                 shard.ffn),
      {.layer = layer, .reads = {raised}, .writes = {activated}});
  builder.hidden = hidden_states(builder, pass);
  builder.kernel("down_proj",
                 gemm(builder, tokens, hidden, shard.ffn, model.ffn_bias),
                 {.layer = layer,
                  .reads = {activated, weights(layer_name(layer, "down_proj"))},
                  .writes = {builder.hidden}});
}

void residual_kernel(ProgramBuilder& builder, const Pass& pass) {
  const std::int64_t hidden = builder.model().hidden_size;
  const auto residual = activation(builder, "residual", pass.tokens(), hidden);
  builder.kernel("residual_add",
                 row_kernel(builder, RowFunction::residual_add, pass.tokens(), 2 * hidden, hidden),
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
  const auto normed = activation(builder, "head_normed", rows, hidden);
  const auto residual = activation(builder, "residual", pass.tokens(), hidden);
  builder.kernel("final_norm",
                 row_kernel(builder, RowFunction::norm, rows, 2 * hidden, hidden),
                 {.reads = {builder.hidden, residual, weights("final_norm")}, .writes = {normed}});
  const bool shares_table = model.tied_embeddings && builder.stage().first();
  auto product = gemm(builder, rows, shard.vocabulary, hidden, false);
  product.weights = builder.precision().activations();
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
