#include "strategies/registry.hpp"
#include "strategies/tensor_parallel.hpp"

namespace {

using namespace decodesim;

/// Tensor parallelism of a model whose attention and feed-forward network read the same input, so
/// that one all-reduce sums both: L all-reduces instead of 2 L.
/// Reference: Chowdhery et al., PaLM, arXiv 2204.02311, section 2 ("Parallel Layers").
class ParallelBlock final : public TensorParallel {
public:
  void layer(ProgramBuilder& builder, const Pass& pass, int layer) const override {
    if (pass.sequences == 0) {
      return;
    }
    const Shard shard{builder.model(), builder.layout().tp};
    attention_kernels(builder, pass, layer, shard, weight_buffer(builder));
    ffn_kernels(builder, pass, layer, shard, weight_buffer(builder));
    if (builder.layout().tp == 1) {
      return;
    }
    const auto bytes = static_cast<double>(pass.tokens()) * builder.model().hidden_size *
                       element_bytes(builder.precision().activations());
    builder.collective(0,
                       "all_reduce.block",
                       {.kind = CollectiveKind::all_reduce, .axis = "tp", .total_bytes = bytes},
                       {.layer = layer, .reads = {builder.hidden}, .writes = {builder.hidden}});
  }
};

const RegisterLayerStrategy registration{
    {.name = "parallel-block",
     .summary = "Tensor parallel with attention and FFN side by side, one all-reduce a layer",
     .reference = "Chowdhery et al., PaLM, arXiv 2204.02311",
     .splits_batch = false,
     .make = []() -> std::unique_ptr<LayerStrategy> { return std::make_unique<ParallelBlock>(); }}};

} // namespace
