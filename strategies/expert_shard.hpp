#pragma once

#include "sim/plan/expert_loads.hpp"
#include "strategies/program_builder.hpp"

/// Which part of a layer's experts a rank has.
namespace decodesim {

/// One rank's part of a layer with experts.
struct ExpertShard {
  std::int64_t ffn = 0;    ///< columns of each expert
  std::int64_t shared = 0; ///< columns of the shared experts together
  std::int64_t into = 0;   ///< outputs of an expert's first matrix
  int slots = 0;           ///< experts that it has room for

  explicit ExpertShard(const ProgramBuilder& builder);
};

/// @throws LayoutError when the model has no experts for ep, or ep or the slices of experts do not
///         divide what they must
void validate_experts(const Model& model, const Layout& layout, const ExpertSettings& settings);

/// Who has which tokens and experts.
/// @param sequences  [dp index][micro-batch]
[[nodiscard]] ExpertGrid expert_grid(const Layout& layout, std::vector<std::vector<int>> sequences);

/// Declares what a rank keeps of what follows attention: the norms, the router, its slices of its
/// experts with room for copies of hot ones, and its slice of the shared experts.
void declare_experts(ProgramBuilder& builder, int layer);

} // namespace decodesim
