#pragma once

#include "strategies/block_kernels.hpp"
#include "strategies/shard.hpp"

/// Dense feed-forward network of one layer, cut by its width.
namespace decodesim {

/// Declares this rank's part of the layer's dense FFN, with its norms, as resident weights.
void declare_ffn(ProgramBuilder& builder, int layer, const Shard& shard);

/// The norms of a block that follows attention, before and behind it; declared apart for blocks
/// that have experts in between.
void declare_ffn_norms(ProgramBuilder& builder, int layer);

/// Norm, up projections, activation, down projection: a partial sum when sharded.
void ffn_kernels(ProgramBuilder& builder,
                 const Pass& pass,
                 int layer,
                 const Shard& shard,
                 const WeightBuffer& weights);

/// The FFN of a parallel block (`Model::parallel_block`), after `attention_kernels`: reads the same
/// input as attention, and leaves the sum of both in the hidden states, a partial sum when sharded.
/// @param attention_input  the normalised input of attention, for models with one norm
void parallel_ffn_kernels(ProgramBuilder& builder,
                          const Pass& pass,
                          int layer,
                          const Shard& shard,
                          const WeightBuffer& weights,
                          BufferId attention_input);

} // namespace decodesim
