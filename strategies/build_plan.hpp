#pragma once

#include "sim/model/model.hpp"
#include "sim/plan/plan.hpp"
#include "sim/plan/workload.hpp"
#include "strategies/layout.hpp"

namespace decodesim {

/// What every rank does to prefill and decode the workload under a layout. Pure: knows neither
/// machine nor clock.
///
/// @throws LayoutError when the layout cannot run the model (heads not divisible by tp, more stages
///         than layers, more micro-batches than sequences of a replica, ...), naming the numbers
[[nodiscard]] Plan build_plan(const Model& model, const Layout& layout, const Workload& workload);

} // namespace decodesim
