#pragma once

#include "sim/engine/simulate.hpp"
#include "sim/scenario/scenario.hpp"

#include <optional>
#include <string>
#include <vector>

namespace decodesim {

/// Memory of the fullest GPU, with the cache at its longest.
struct MemoryUse {
  Bytes weights;
  Bytes kv_cache;
  Bytes activations; ///< peak, from the lifetimes of the plan's buffers
  Bytes buffers;     ///< gathered weights
  Bytes capacity;    ///< usable: the driver's figure less the reserve

  [[nodiscard]] Bytes total() const { return weights + kv_cache + activations + buffers; }
};

enum class Status { ok, does_not_fit, invalid };

[[nodiscard]] std::string to_string(Status status);

/// Shares of the GPUs' time in decode; compute + communication + waiting + other = 1.
struct Breakdown {
  double compute_ratio = 0;
  double communication_ratio = 0; ///< exposed: no kernel runs meanwhile
  double waiting_ratio = 0;       ///< for a late member or, in a bubble, for work
  double other_ratio = 0;         ///< launch gaps
};

/// Experts of a layout, for models that have some. Means over decode steps (the prefill without
/// any) and layers.
struct ExpertUse {
  Bytes weights;            ///< of routed experts, on the GPU that has most
  double hit = 0;           ///< distinct experts that a micro-batch reads in a layer
  double busiest_ratio = 1; ///< rows of the busiest rank over the mean rank's
  Bytes exchanged;          ///< rows of dispatch and combine, of one step, all ranks together
};

/// What one layout achieves. Times and rates are absent unless status is ok.
struct LayoutResult {
  Layout layout;
  std::string tag;
  Status status = Status::ok;
  std::string reason; ///< why it is not ok; empty otherwise
  int gpus = 0;
  std::optional<MemoryUse> memory; ///< absent when invalid
  double ttft_s = 0;
  std::optional<double> tpot_s; ///< (end - first token) / (osl - 1); absent when osl is 1
  double end_to_end_s = 0;
  double tokens_per_s = 0; ///< all output tokens over end-to-end time
  Traffic traffic;         ///< of one decode step; received is the sum over GPUs
  Breakdown breakdown;
  std::optional<ExpertUse> experts; ///< absent without experts, or when invalid
  double bubble_ratio = 0;          ///< part of waiting_ratio in which the stage has no work
  std::vector<LinkUse> links;       ///< busiest first
  std::vector<std::string> assumed; ///< "gpu a100-sxm4-80g: eager_launch = 2.2 us (reason)"
  Timeline timeline;
  int simulated_ranks = 0; ///< that were played; the others do the same as one of them
  int simulated_steps = 0; ///< decode steps that were played; the others are interpolated
  double wall_s = 0; ///< goes to stderr and --stats, never into results
};

/// Results of a scenario, one per layout, in the scenario's order.
struct Report {
  Scenario scenario;
  std::vector<LayoutResult> results;
  bool compares = false; ///< shown as a table, even of one row
};

} // namespace decodesim
