#include "sim/host/host_costs.hpp"

namespace decodesim {

HostCosts host_costs(const Framework& framework, const Gpu& gpu, LaunchMode launch) {
  const auto given = [](const std::optional<Sourced<Seconds>>& number, Seconds otherwise = {}) {
    return number ? number->value : otherwise;
  };
  return {.eager_launch = given(framework.eager_launch, gpu.eager_launch.value),
          .graph_launch = given(framework.graph_launch, gpu.graph_launch.value),
          .per_layer = given(framework.per_layer),
          .per_step = given(framework.per_step),
          .per_sequence = given(framework.per_sequence),
          .per_stage = given(framework.per_stage),
          .kernel_gap = given(framework.kernel_gap),
          .prefill_jitter = given(framework.jitter_eager),
          .step_jitter =
              given(launch == LaunchMode::eager ? framework.jitter_eager : framework.jitter_graph)};
}

} // namespace decodesim
