#pragma once

#include <string>
#include <vector>

namespace decodesim {

/// How the model is spread over GPUs: which layer strategy, its degrees, and the pipeline schedule.
/// GPUs used = tp x pp x dp. Rank = (dp index x pp + stage) x tp + tp index.
struct Layout {
  std::string strategy = "tp"; ///< registered layer strategy; "tp" with degree 1 is a whole GPU
  int tp = 1;
  int pp = 1;
  int dp = 1; ///< replicas; for zero3 the ranks that share the weights
  /// Of the tp x dp ranks of a stage, how many parts have different experts; the tp x dp / ep ranks
  /// of a part slice theirs. 0: each replica has all experts, sliced over its tp ranks.
  int ep = 0;
  std::string schedule = "naive"; ///< registered pipeline schedule; matters when pp > 1
  int micro_batches = 0;          ///< per replica; 0 = the schedule's default
  int virtual_stages = 0;         ///< chunks of layers per GPU; 0 = the schedule's default
  bool prefetch = false;          ///< zero3: gather the next layer while this one computes
  /// Layers of each stage ("20,20,20,20"), with virtual stages of each of these in the order in
  /// which the layers are passed; empty = as equal as possible, early stages first.
  std::vector<int> stage_layers = {};

  [[nodiscard]] int ranks() const { return tp * pp * dp; }

  /// The dp that ep asks for where none is given: attention in as many groups as ep ranks need.
  [[nodiscard]] static int dp_for_experts(int ep, int tp) { return ep > tp ? ep / tp : 1; }

  /// "single", "tp8", "zero3x8", "pp8-gpipe", "tp4pp2-1f1b", "dp8", "tp4ep8" (dp 2), "ep8" (dp 8)
  [[nodiscard]] std::string tag() const;

  bool operator==(const Layout&) const = default;
};

} // namespace decodesim
