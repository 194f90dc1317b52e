#pragma once

#include "sim/result/result.hpp"
#include "sim/scenario/scenario.hpp"

#include <functional>
#include <string>

namespace decodesim {

struct RunOptions {
  bool record_timeline = false;
  /// Called with the layout's tag and the decode step reached; may be empty.
  std::function<void(const std::string& layout, int step, int steps)> on_progress;
};

/// Simulates one layout of a scenario: builds the plan, gives the memory verdict, simulates when it
/// fits. A layout that cannot run is a result of status `invalid` or `does_not_fit`, not an error.
///
/// @throws InputError when the scenario itself is wrong (unknown model, machine, mapping)
/// @throws SimulationError when the plan cannot finish
[[nodiscard]] LayoutResult
run_layout(const Scenario& scenario, const Layout& layout, const RunOptions& options = {});

/// Simulates every layout of a scenario, each in a process of its own (SimGrid's engine is one per
/// process), so that results do not depend on their neighbours.
[[nodiscard]] Report run_scenario(const Scenario& scenario, const RunOptions& options = {});

} // namespace decodesim
