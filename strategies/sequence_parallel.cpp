#include "sim/error.hpp"
#include "strategies/registry.hpp"
#include "strategies/tensor_parallel.hpp"

namespace decodesim {

namespace {

/// Tensor parallelism whose ranks keep only their part of the rows between the blocks: norms and
/// residual additions work on tokens / tp rows (rounded up), an all-gather in front of each block
/// and a reduce-scatter behind it take the place of the all-reduce. Same bytes over a ring, smaller
/// activations; between pipeline stages each rank sends its own rows alone.
///
/// Bytes of one decode step of b sequences, with r = tp x ceil(b / tp) rows, h = hidden size, L =
/// layers, V = vocabulary, e = element: (2 L + 1) r h e in reduce-scatters, as much in all-gathers
/// (the last one in front of the LM head), b V e in the gather of the logits.
/// Reference: Korthikanti et al., arXiv 2205.05198, section 4.2.2.
class SequenceParallel final : public TensorParallel {
public:
  void validate(const Model& model, const Layout& layout) const override {
    if (model.moe) {
      throw LayoutError{"sp does not cut the rows of " + model.name +
                        ", which has experts; use tp"};
    }
    TensorParallel::validate(model, layout);
  }

  void declare_memory(ProgramBuilder& builder,
                      std::int64_t sequences,
                      std::int64_t tokens) const override {
    builder.row_shards = builder.layout().tp;
    TensorParallel::declare_memory(builder, sequences, tokens);
  }

  [[nodiscard]] std::int64_t rows_between_stages(const Layout& layout,
                                                 const Pass& pass) const override {
    return (pass.tokens() + layout.tp - 1) / layout.tp;
  }

protected:
  void sum_hidden(ProgramBuilder& builder,
                  const Pass& pass,
                  const char* block,
                  int layer) const override {
    if (builder.row_shards == 1) {
      return;
    }
    const std::int64_t hidden = builder.model().hidden_size;
    const auto type = builder.precision().activations();
    const auto rows = stream_rows(builder, pass);
    const auto part =
        builder.activation(per_micro_batch("hidden_rows", pass), {rows, hidden}, type);
    const auto bytes =
        static_cast<double>(rows * builder.row_shards * hidden) * element_bytes(type);
    builder.collective(0,
                       std::string{"reduce_scatter."} + block,
                       {.kind = CollectiveKind::reduce_scatter, .axis = "tp", .total_bytes = bytes},
                       {.layer = layer, .reads = {builder.hidden}, .writes = {part}});
    builder.hidden = part;
  }
};

const RegisterLayerStrategy registration{
    {.name = "sp",
     .summary = "Tensor parallel with rows cut between the blocks: reduce-scatter and all-gather",
     .reference = "Korthikanti et al., arXiv 2205.05198",
     .splits_batch = false,
     .make = []() -> std::unique_ptr<LayerStrategy> {
       return std::make_unique<SequenceParallel>();
     }}};

} // namespace

} // namespace decodesim
