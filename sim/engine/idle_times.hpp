#pragma once

#include "sim/engine/simulate.hpp"
#include "sim/plan/critical_path.hpp"
#include "topologies/machine.hpp"

#include <vector>

namespace decodesim {

/// How long each operation takes on an otherwise idle machine: kernels by their roofline, transfers
/// by Flow::idle_time. What `critical_path` needs to bound the simulated times of a plan from
/// below.
///
/// @param machine      must outlive the result
/// @param gpu_of_rank  machine GPU index of each rank
/// @param options      collectives and ring_order are used
[[nodiscard]] OperationTimes
idle_times(const Machine& machine, std::vector<int> gpu_of_rank, const SimulationOptions& options);

} // namespace decodesim
