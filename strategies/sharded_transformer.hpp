#pragma once

#include "strategies/attention_block.hpp"
#include "strategies/ffn_block.hpp"
#include "strategies/shard.hpp"

#include <cstdint>

/// The kernels of a transformer whose matrices are cut column-then-row over `shards` ranks
/// (Shoeybi et al., Megatron-LM, arXiv 1909.08053, section 3): QKV, gate and up by columns,
/// attention by heads, output and down by rows, embedding and LM head by vocabulary. With one shard
/// it is the whole layer. The communication between the blocks is the strategies' own. Here are
/// both ends of the model; the blocks have files of their own.
namespace decodesim {

/// Declares this rank's shard of everything its stage holds as resident weights.
void declare_sharded_weights(ProgramBuilder& builder, const Shard& shard);

/// The parts of it: embedding, one layer, final norm and LM head.
/// @param has_table  whether the LM head is a matrix of its own, not the embedding's table
void declare_embedding(ProgramBuilder& builder, const Shard& shard);
void declare_layer(ProgramBuilder& builder, int layer, const Shard& shard);
void declare_head(ProgramBuilder& builder, const Shard& shard, bool has_table);

/// Declares the cache of the stage's layers.
void declare_cache(ProgramBuilder& builder,
                   const Shard& shard,
                   std::int64_t sequences,
                   std::int64_t tokens);

/// Token table (or its part) to hidden states: a partial sum when sharded.
void embedding_kernels(ProgramBuilder& builder,
                       const Pass& pass,
                       const Shard& shard,
                       const WeightBuffer& weights);

/// What follows the summed embedding: the norm of BLOOM; nothing in other models.
void after_embedding(ProgramBuilder& builder, const Pass& pass, const WeightBuffer& weights);

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
