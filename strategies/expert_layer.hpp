#pragma once

#include "strategies/block_kernels.hpp"
#include "strategies/expert_shard.hpp"

/// Layers with experts: a router, the experts that it chooses, and shared ones.
/// docs/models/experts.md
namespace decodesim {

/// Whether the ranks of a stage exchange tokens: they have different ones, and share the experts.
[[nodiscard]] bool exchanges_tokens(const ProgramBuilder& builder);

/// Norm, router, experts and shared experts of one layer; with the exchange of tokens where there
/// is one, in which ranks without a sequence take part. Not for those where there is none.
///
/// @return whether the hidden states are partial sums over the tp group, for an all-reduce to
///         follow; false when they are whole
bool expert_kernels(ProgramBuilder& builder,
                    const Pass& pass,
                    int layer,
                    const WeightBuffer& weights);

} // namespace decodesim
