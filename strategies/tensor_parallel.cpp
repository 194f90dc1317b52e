#include "strategies/tensor_parallel.hpp"

#include "strategies/expert_layer.hpp"
#include "strategies/registry.hpp"

namespace decodesim {

WeightBuffer TensorParallel::weight_buffer(const ProgramBuilder& builder) const {
  return [&builder](const std::string& name) { return builder.buffer(name); };
}

void TensorParallel::sum_hidden(ProgramBuilder& builder,
                                const Pass& pass,
                                const char* block,
                                int layer) const {
  if (builder.layout().tp == 1) {
    return;
  }
  const auto bytes = static_cast<double>(pass.tokens()) * builder.model().hidden_size *
                     element_bytes(builder.precision().activations());
  builder.collective(0,
                     std::string{"all_reduce."} + block,
                     {.kind = CollectiveKind::all_reduce, .axis = "tp", .total_bytes = bytes},
                     {.layer = layer, .reads = {builder.hidden}, .writes = {builder.hidden}});
}

bool TensorParallel::has_whole_vocabulary(const ProgramBuilder& builder) {
  return builder.layout().tp == 1 || (builder.traits.whole_vocabulary && builder.row_shards == 1);
}

Shard TensorParallel::shard_of(const ProgramBuilder& builder) {
  Shard shard{builder.model(), builder.layout().tp};
  if (has_whole_vocabulary(builder)) {
    shard.vocabulary = builder.model().vocabulary_size;
  }
  return shard;
}

void TensorParallel::validate(const Model& model, const Layout& layout) const {
  validate_shards(model, layout.tp);
}

void TensorParallel::declare_memory(ProgramBuilder& builder,
                                    std::int64_t sequences,
                                    std::int64_t tokens) const {
  const auto shard = shard_of(builder);
  declare_sharded_weights(builder, shard);
  declare_cache(builder, shard, sequences, tokens);
}

void TensorParallel::embedding(ProgramBuilder& builder, const Pass& pass) const {
  if (pass.sequences == 0) {
    return;
  }
  embedding_kernels(builder, pass, shard_of(builder), weight_buffer(builder));
  if (!has_whole_vocabulary(builder)) {
    sum_hidden(builder, pass, "embedding", -1);
  }
  after_embedding(builder, pass, weight_buffer(builder));
}

void TensorParallel::layer(ProgramBuilder& builder, const Pass& pass, int layer) const {
  const bool has_experts = builder.model().has_experts(layer);
  if (pass.sequences == 0) {
    if (has_experts && exchanges_tokens(builder)) {
      (void)expert_kernels(builder, pass, layer, weight_buffer(builder));
    }
    return;
  }
  const auto shard = shard_of(builder);
  const auto weights = weight_buffer(builder);
  const auto input = attention_kernels(builder, pass, layer, shard, weights);
  if (builder.model().parallel_block) {
    parallel_ffn_kernels(builder, pass, layer, shard, weights, input);
    sum_hidden(builder, pass, "block", layer);
    return;
  }
  sum_hidden(builder, pass, "attention", layer);
  post_norm_kernel(builder, pass, "post_attention_norm", layer, weights);
  bool sums_are_partial = true;
  if (has_experts) {
    sums_are_partial = expert_kernels(builder, pass, layer, weights);
  } else {
    ffn_kernels(builder, pass, layer, shard, weights);
  }
  if (sums_are_partial) {
    sum_hidden(builder, pass, "ffn", layer);
  }
  post_norm_kernel(builder, pass, "post_ffn_norm", layer, weights);
}

void TensorParallel::leave_stage(ProgramBuilder& builder, const Pass& pass) const {
  if (pass.sequences > 0) {
    residual_kernel(builder, pass);
  }
}

void TensorParallel::head(ProgramBuilder& builder, const Pass& pass) const {
  if (pass.sequences == 0) {
    return;
  }
  const int tp = builder.layout().tp;
  const auto shard = shard_of(builder);
  head_kernels(builder, pass, shard, weight_buffer(builder));
  const auto type = builder.precision().activations();
  auto logits = builder.activation("logits", {pass.sequences, shard.vocabulary}, type);
  if (!has_whole_vocabulary(builder)) {
    const auto part = logits;
    logits = builder.activation("all_logits", {pass.sequences, shard.vocabulary * tp}, type);
    const auto bytes = static_cast<double>(pass.sequences) *
                       static_cast<double>(shard.vocabulary * tp) * element_bytes(type);
    builder.collective(0,
                       "all_gather.logits",
                       {.kind = CollectiveKind::all_gather, .axis = "tp", .total_bytes = bytes},
                       {.reads = {part}, .writes = {logits}});
  }
  sampling_kernel(builder, pass, logits);
}

namespace {

const RegisterLayerStrategy registration{
    {.name = "tp",
     .summary = "Tensor parallel: every matrix cut column-then-row, two all-reduces a layer",
     .reference = "Shoeybi et al., Megatron-LM, arXiv 1909.08053",
     .splits_batch = false,
     .make = []() -> std::unique_ptr<LayerStrategy> {
       return std::make_unique<TensorParallel>();
     }}};

} // namespace

} // namespace decodesim
