#pragma once

#include "sim/plan/expert_loads.hpp"
#include "strategies/ffn_block.hpp"

/// Layers with experts: a router, the experts that it chooses, and shared ones.
/// docs/models/experts.md
namespace decodesim {

/// @throws LayoutError when the model has no experts for ep, or ep or the slices of experts do not
///         divide what they must
void validate_experts(const Model& model, const Layout& layout, const ExpertSettings& settings);

/// Who has which tokens and experts.
/// @param sequences  [dp index][micro-batch]
[[nodiscard]] ExpertGrid expert_grid(const Layout& layout, std::vector<std::vector<int>> sequences);

/// Declares what a rank keeps of what follows attention: the norms, the router, its slices of its
/// experts with room for copies of hot ones, and its slice of the shared experts.
void declare_experts(ProgramBuilder& builder, int layer);

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
