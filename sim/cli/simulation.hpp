#pragma once

#include "sim/cli/commands.hpp"
#include "sim/cli/flags.hpp"
#include "sim/cli/output.hpp"
#include "sim/scenario/scenario.hpp"

namespace CLI {
class App;
}

/// What `run` and `compare` have in common: simulating the layouts of a scenario and reporting.
namespace decodesim {

struct SimulationFlags {
  OutputFlags output;
  Flag timeline;
  Flag timeline_folder;
  bool stats = false;
  bool dump_scenario = false;
};

/// @param one_layout  whether the command has --timeline for its only layout
void add_result_flags(CLI::App& app, SimulationFlags& flags, bool one_layout);

/// Simulates the scenario's layouts, writes timelines and the report.
///
/// @param gpu_limit  layouts of more GPUs are invalid; 0 = no limit beside the machine
/// @return success; bad_input when the only layout of the scenario cannot run and `alone` is set
ExitCode simulate_and_report(const Scenario& scenario,
                             const SimulationFlags& flags,
                             int gpu_limit,
                             bool alone);

} // namespace decodesim
