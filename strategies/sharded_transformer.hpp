#pragma once

#include "sim/model/parameters.hpp"
#include "strategies/program_builder.hpp"

#include <cstdint>
#include <functional>
#include <string>

/// The kernels of a transformer whose matrices are cut column-then-row over `shards` ranks
/// (Shoeybi et al., Megatron-LM, arXiv 1909.08053, section 3): QKV, gate and up by columns,
/// attention by heads, output and down by rows, embedding and LM head by vocabulary. With one shard
/// it is the whole layer. The communication between the blocks is the strategies' own.
namespace decodesim {

/// Sizes of one rank's part.
struct Shard {
  int shards = 1;
  int heads = 0;
  int kv_heads = 0; ///< at least 1: KV heads are replicated when shards > KV heads
  std::int64_t ffn = 0;
  std::int64_t vocabulary = 0; ///< rounded up: the table is padded

  Shard(const Model& model, int shards);
};

/// @throws LayoutError when heads, KV heads or the FFN cannot be divided
void validate_shards(const Model& model, int shards);

/// Names the buffer that a matrix is read from: resident, or gathered for the moment.
using WeightBuffer = std::function<BufferId(const std::string& name)>;

/// Declares this rank's shard of everything its stage holds as resident weights.
void declare_sharded_weights(ProgramBuilder& builder, const Shard& shard);

/// Declares the cache of the stage's layers.
void declare_cache(ProgramBuilder& builder,
                   const Shard& shard,
                   std::int64_t sequences,
                   std::int64_t tokens);

/// Parameters of one layer in one shard, norms whole.
[[nodiscard]] ParameterCount layer_parameters(const Model& model, const Shard& shard);

/// Token table (or its part) to hidden states: a partial sum when sharded.
void embedding_kernels(ProgramBuilder& builder,
                       const Pass& pass,
                       const Shard& shard,
                       const WeightBuffer& weights);

/// What follows the summed embedding: the norm of BLOOM; nothing in other models.
void after_embedding(ProgramBuilder& builder, const Pass& pass);

/// Norm, QKV, rotary embedding and cache write, attention, output projection: a partial sum when
/// sharded.
void attention_kernels(ProgramBuilder& builder,
                       const Pass& pass,
                       int layer,
                       const Shard& shard,
                       const WeightBuffer& weights);

/// Norm, up projections, activation, down projection: a partial sum when sharded.
void ffn_kernels(ProgramBuilder& builder,
                 const Pass& pass,
                 int layer,
                 const Shard& shard,
                 const WeightBuffer& weights);

/// Adds the residual stream to the hidden states, which then are all that the next stage needs.
void residual_kernel(ProgramBuilder& builder, const Pass& pass);

/// Final norm and LM head over the last token of each sequence: this shard's logits, in the
/// activation "logits".
void head_kernels(ProgramBuilder& builder,
                  const Pass& pass,
                  const Shard& shard,
                  const WeightBuffer& weights);

/// Arg max over the whole vocabulary; the pass's tokens are out when it ends.
void sampling_kernel(ProgramBuilder& builder, const Pass& pass, BufferId logits);

} // namespace decodesim
