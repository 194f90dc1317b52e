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
  int dp = 1;                     ///< replicas; for zero3 the ranks that share the weights
  std::string schedule = "naive"; ///< registered pipeline schedule; matters when pp > 1
  int micro_batches = 0;          ///< per replica; 0 = the schedule's default
  int virtual_stages = 0;         ///< chunks of layers per GPU; 0 = the schedule's default
  bool prefetch = false;          ///< zero3: gather the next layer while this one computes
  /// Layers of each stage ("20,20,20,20"), with virtual stages of each of these in the order in
  /// which the layers are passed; empty = as equal as possible, early stages first.
  std::vector<int> stage_layers = {};

  [[nodiscard]] int ranks() const { return tp * pp * dp; }

  /// "single", "tp8", "zero3x8", "pp8-gpipe", "tp4pp2-1f1b", "dp8"
  [[nodiscard]] std::string tag() const;

  bool operator==(const Layout&) const = default;
};

} // namespace decodesim
