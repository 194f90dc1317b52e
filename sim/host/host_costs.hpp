#pragma once

#include "sim/host/framework.hpp"

namespace decodesim {

/// A framework's durations, with what it leaves open taken from the GPU.
struct HostCosts {
  Seconds eager_launch; ///< per operation
  Seconds graph_launch; ///< per captured step
  Seconds per_layer;    ///< when eager
  Seconds per_step;
  Seconds per_sequence;
  Seconds per_stage;
  Seconds kernel_gap;
  Seconds prefill_jitter; ///< the prefill is launched eagerly
  Seconds step_jitter;

  [[nodiscard]] bool jitters() const {
    return prefill_jitter.value() > 0 || step_jitter.value() > 0;
  }
};

/// @param launch  of decode steps
[[nodiscard]] HostCosts host_costs(const Framework& framework, const Gpu& gpu, LaunchMode launch);

} // namespace decodesim
