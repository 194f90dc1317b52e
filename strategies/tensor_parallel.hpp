#pragma once

#include "strategies/layer_strategy.hpp"
#include "strategies/sharded_transformer.hpp"

namespace decodesim {

/// Tensor parallelism: column-then-row shards, one all-reduce after attention and one after the FFN
/// of every layer (one after both in a parallel block), one after the vocabulary-parallel embedding
/// and one gather of the logits.
///
/// With degree 1 it is a whole GPU and communicates nothing. A layer with experts has these in
/// place of the FFN: sliced over the tp group, or with ep spread over the tp x dp ranks of the
/// stage, which then exchange tokens between their dp groups (docs/models/experts.md). Bytes of one
/// decode step of b sequences, h = hidden size, L = layers, V = vocabulary, e = element: (2 L + 1)
/// b h e in all-reduces (L + 1 with parallel blocks), b V e (V padded to the degree) in the gather.
/// Reference: Shoeybi et al., Megatron-LM, arXiv 1909.08053, section 3.
class TensorParallel : public LayerStrategy {
public:
  void validate(const Model& model, const Layout& layout) const override;
  void declare_memory(ProgramBuilder& builder,
                      std::int64_t sequences,
                      std::int64_t tokens) const override;
  void embedding(ProgramBuilder& builder, const Pass& pass) const override;
  void layer(ProgramBuilder& builder, const Pass& pass, int layer) const override;
  void leave_stage(ProgramBuilder& builder, const Pass& pass) const override;
  void head(ProgramBuilder& builder, const Pass& pass) const override;

protected:
  /// This rank's part of the model; with all of the vocabulary where the framework does not cut it.
  [[nodiscard]] static Shard shard_of(const ProgramBuilder& builder);
  [[nodiscard]] static bool has_whole_vocabulary(const ProgramBuilder& builder);

  /// Sums the partial hidden states of the tp ranks: an all-reduce here; nothing when tp is 1.
  virtual void
  sum_hidden(ProgramBuilder& builder, const Pass& pass, const char* block, int layer) const;

  /// Where a matrix is read from; resident here.
  [[nodiscard]] virtual WeightBuffer weight_buffer(const ProgramBuilder& builder) const;
};

} // namespace decodesim
