#pragma once

#include "sim/result/result.hpp"
#include "sim/scenario/scenario.hpp"

#include <functional>
#include <string>

namespace decodesim {

struct Plan;
struct Machine;

struct RunOptions {
  bool record_timeline = false;

  /// Called with the layout's tag and the decode step reached; may be empty.
  std::function<void(const std::string& layout, int step, int steps)> on_progress;

  /// Called with every result that has a plan (status ok or does_not_fit), its timeline included,
  /// in the process that found it. Under run_scenario that is a child process: what the function
  /// writes to files stays, what it changes in memory is lost. May be empty.
  std::function<void(const Plan& plan, const Machine& machine, const LayoutResult& result)>
      on_result;

  /// A layout of more GPUs is invalid, as if the machine had no more; 0 = all the machine's.
  int gpu_limit = 0;

  /// Layouts that run_scenario simulates at once; 0 = as many as there are processors.
  int processes = 0;
};

/// Simulates one layout of a scenario in this process: builds the plan, gives the memory verdict,
/// simulates when it fits. A layout that cannot run is a result of status `invalid` or
/// `does_not_fit`, not an error.
///
/// @throws InputError when the scenario itself is wrong (unknown model, machine, mapping)
/// @throws SimulationError when the plan cannot finish
[[nodiscard]] LayoutResult
run_layout(const Scenario& scenario, const Layout& layout, const RunOptions& options = {});

/// The same for a model and a machine that are loaded already; the scenario's names are not looked
/// at.
[[nodiscard]] LayoutResult run_layout(const Model& model,
                                      const Machine& machine,
                                      const Scenario& scenario,
                                      const Layout& layout,
                                      const RunOptions& options = {});

/// Simulates every layout of a scenario, each in a child process of its own (SimGrid's engine is
/// one per process), so that no result depends on its neighbours. The results have no timelines:
/// take them in `on_result`. When one layout fails, the others are stopped. Call it from a process
/// of one thread.
///
/// @throws InputError, SimulationError as run_layout, naming the layout
/// @throws std::runtime_error when a child process crashes, naming the layout and the signal
[[nodiscard]] Report run_scenario(const Scenario& scenario, const RunOptions& options = {});

} // namespace decodesim
