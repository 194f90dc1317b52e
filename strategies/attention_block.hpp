#pragma once

#include "strategies/block_kernels.hpp"
#include "strategies/shard.hpp"

/// Attention of one layer, cut by heads.
namespace decodesim {

/// Declares this rank's part of the layer's attention, with its norms, as resident weights.
void declare_attention(ProgramBuilder& builder, int layer, const Shard& shard);

/// Norm, QKV, rotary embedding and cache write, attention, output projection: a partial sum when
/// sharded. Latent attention has projections to the latents and back instead of QKV.
/// @return  the normalised input, which the FFN of a parallel block may share
BufferId attention_kernels(ProgramBuilder& builder,
                           const Pass& pass,
                           int layer,
                           const Shard& shard,
                           const WeightBuffer& weights);

// latent_attention.cpp

/// Matrices and norms of latent attention but for the output projection.
void declare_latent_attention(ProgramBuilder& builder, int layer, const Shard& shard);

/// Kernels of latent attention between the norm and the output projection. Every rank makes the
/// latents of all tokens and caches them: they belong to no head.
///
/// Decode (one new token) absorbs the up-projections into queries and outputs: each head's query is
/// brought into the latent space, attention reads the cached latents once for all heads, and each
/// head's result is brought back. Prefill expands keys and values of every token and attends as
/// usual. Source: DeepSeek-V2, arXiv:2405.04434, section 2.1.
/// @return  each head's output
BufferId latent_attention_kernels(ProgramBuilder& builder,
                                  const Pass& pass,
                                  int layer,
                                  const Shard& shard,
                                  const WeightBuffer& weights,
                                  BufferId normed);

} // namespace decodesim
