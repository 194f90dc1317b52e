#include "tests/support/one_kernel_strategy.hpp"

#include "strategies/registry.hpp"
#include "tests/support/hand_plan.hpp"

namespace decodesim::testing {

double one_kernel_bytes = 1e6;

Model one_kernel_model(int layers) {
  Model model;
  model.name = "one-kernel";
  model.layers = layers;
  model.hidden_size = 2;
  model.heads = 1;
  model.kv_heads = 1;
  model.head_size = 2;
  model.ffn_size = 2;
  model.vocabulary_size = 2;
  return model;
}

namespace {

class OneKernel final : public LayerStrategy {
public:
  void validate(const Model&, const Layout&) const override {}

  void declare_memory(ProgramBuilder&, std::int64_t, std::int64_t) const override {}

  void embedding(ProgramBuilder& builder, const Pass& pass) const override {
    builder.hidden =
        builder.activation("hidden", {pass.tokens(), builder.model().hidden_size}, DataType::bf16);
  }

  void layer(ProgramBuilder& builder, const Pass&, int layer) const override {
    const bool last =
        builder.stage().last() && layer + 1 == builder.stage().first_layer + builder.stage().layers;
    builder.kernel("work",
                   moving(one_kernel_bytes),
                   {.layer = layer, .reads = {builder.hidden}, .writes = {}, .samples = last});
  }

  void head(ProgramBuilder&, const Pass&) const override {}
};

const RegisterLayerStrategy registration{
    {.name = "one_kernel",
     .summary = "A layer is one kernel (for tests)",
     .reference = "",
     .splits_batch = false,
     .make = []() -> std::unique_ptr<LayerStrategy> { return std::make_unique<OneKernel>(); }}};

} // namespace

} // namespace decodesim::testing
