#include "strategies/ffn_block.hpp"

namespace decodesim {

namespace {

std::int64_t columns_into(const Model& model, const Shard& shard) {
  return (model.gated_ffn ? 2 : 1) * shard.ffn;
}

const char* up_name(const Model& model) { return model.gated_ffn ? "gate_up_proj" : "up_proj"; }

/// Products and activation: normalised input to the pass's hidden states.
void network_kernels(ProgramBuilder& builder,
                     const Pass& pass,
                     int layer,
                     const Shard& shard,
                     const WeightBuffer& weights,
                     BufferId normed) {
  const auto& model = builder.model();
  const std::int64_t hidden = model.hidden_size;
  const auto tokens = pass.tokens();
  const auto into = columns_into(model, shard);
  const char* up = up_name(model);
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

/// A second norm of the input that attention has: of the residual stream as it is.
BufferId second_norm_kernel(ProgramBuilder& builder,
                            const Pass& pass,
                            int layer,
                            const WeightBuffer& weights) {
  const std::int64_t hidden = builder.model().hidden_size;
  const auto rows = stream_rows(builder, pass);
  const auto residual = activation(builder, "residual", rows, hidden);
  const auto normed = activation(builder, "normed", rows, hidden);
  builder.kernel("ffn_norm",
                 row_kernel(builder, RowFunction::norm, rows, hidden, hidden),
                 {.layer = layer,
                  .reads = {residual, weights(layer_name(layer, "ffn_norm"))},
                  .writes = {normed}});
  return gather_rows(builder, pass, "ffn_norm", layer, normed);
}

} // namespace

void declare_ffn_norms(ProgramBuilder& builder, int layer) {
  const auto& model = builder.model();
  if (!(model.parallel_block && model.one_block_norm)) {
    declare_norm(builder, layer, "ffn_norm");
  }
  if (model.post_norms) {
    declare_norm(builder, layer, "post_ffn_norm");
  }
}

void declare_ffn(ProgramBuilder& builder, int layer, const Shard& shard) {
  const auto& model = builder.model();
  const std::int64_t hidden = model.hidden_size;
  declare_ffn_norms(builder, layer);
  declare_matrix(
      builder, layer, up_name(model), columns_into(model, shard), hidden, model.ffn_bias);
  declare_matrix(builder, layer, "down_proj", hidden, shard.ffn, model.ffn_bias);
}

void ffn_kernels(ProgramBuilder& builder,
                 const Pass& pass,
                 int layer,
                 const Shard& shard,
                 const WeightBuffer& weights) {
  const auto normed =
      norm_kernel(builder, pass, "ffn_norm", layer, weights(layer_name(layer, "ffn_norm")));
  network_kernels(builder, pass, layer, shard, weights, normed);
}

void parallel_ffn_kernels(ProgramBuilder& builder,
                          const Pass& pass,
                          int layer,
                          const Shard& shard,
                          const WeightBuffer& weights,
                          BufferId attention_input) {
  const std::int64_t hidden = builder.model().hidden_size;
  const auto attended = builder.hidden;
  const auto normed = builder.model().one_block_norm
                          ? attention_input
                          : second_norm_kernel(builder, pass, layer, weights);
  network_kernels(builder, pass, layer, shard, weights, normed);
  builder.kernel("block_sum",
                 row_kernel(builder, RowFunction::residual_add, pass.tokens(), 2 * hidden, hidden),
                 {.layer = layer, .reads = {attended, builder.hidden}, .writes = {builder.hidden}});
}

} // namespace decodesim
