#pragma once

#include "strategies/layout.hpp"
#include "strategies/program_builder.hpp"

namespace decodesim {

/// How a group of ranks runs the layers of one pipeline stage.
///
/// Contract: called in the order in which the host enqueues the work, once per pass; it must emit
/// the same operations for the same arguments, on all ranks of a tp group alike. It must not know
/// the machine. Weights are declared once, by `declare_memory`, before any pass.
class LayerStrategy {
public:
  virtual ~LayerStrategy() = default;

  /// @throws LayoutError when the degrees do not suit the model
  virtual void validate(const Model& model, const Layout& layout) const = 0;

  /// Declares what stays in memory: this rank's weights of the builder's stage, and its cache.
  /// @param sequences  whose cache the rank holds
  /// @param tokens     per sequence, at the longest
  virtual void
  declare_memory(ProgramBuilder& builder, std::int64_t sequences, std::int64_t tokens) const = 0;

  /// Token ids to hidden states; only on the first stage.
  virtual void embedding(ProgramBuilder& builder, const Pass& pass) const = 0;

  /// One layer, hidden states to hidden states.
  virtual void layer(ProgramBuilder& builder, const Pass& pass, int layer) const = 0;

  /// Rows of hidden states that each rank sends to the next stage, and has from the one before.
  [[nodiscard]] virtual std::int64_t rows_between_stages(const Layout&, const Pass& pass) const {
    return pass.tokens();
  }

  /// What is left to do before the hidden states go to the next stage; not on the last stage.
  virtual void leave_stage(ProgramBuilder&, const Pass&) const {}

  /// Final norm, LM head and sampling: hidden states to token ids; only on the last stage.
  virtual void head(ProgramBuilder& builder, const Pass& pass) const = 0;
};

} // namespace decodesim
