#include "sim/cli/commands.hpp"
#include "sim/cli/flags.hpp"
#include "sim/cli/simulation.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace decodesim {

namespace {

struct RunFlags {
  ScenarioFlags scenario;
  LayoutFlags layout;
  SimulationFlags simulation;
};

ExitCode run(const RunFlags& flags) {
  auto scenario = scenario_from(flags.scenario);
  if (flags.layout.any_given() || scenario.layouts.empty()) {
    scenario.layouts = {layout_from(flags.layout, gpu_count_of(scenario))};
  }
  const bool alone = scenario.layouts.size() == 1;
  if (!alone && flags.simulation.timeline) {
    throw UsageError{"--timeline takes one layout, the scenario file has " +
                     std::to_string(scenario.layouts.size()) + "; use --timeline-dir"};
  }
  return simulate_and_report(scenario, flags.simulation, 0, alone);
}

} // namespace

Command add_run_command(CLI::App& program) {
  auto* app = program.add_subcommand(
      "run", "Simulate one layout, or a scenario file; exit code 3 when the layout cannot run");
  app->footer("Examples:\n"
              "  decodesim run --model llama-3-70b --machine dgx-a100-80g --tp 8 --batch-size 32\n"
              "  decodesim run --model llama-3-70b --machine dgx-a100-80g --pp 8 --schedule 1f1b "
              "--timeline t.json\n"
              "  decodesim run --model llama-3-70b --machine dgx-h100 --zero3 --dump-scenario > "
              "s.json\n"
              "  decodesim run s.json --format json --output result.json");
  auto flags = std::make_shared<RunFlags>();
  app->add_option("SCENARIO", flags->scenario.file, "Scenario file; flags override what it says")
      ->type_name("");
  add_model_and_workload_flags(*app, flags->scenario);
  add_expert_flags(*app, flags->scenario);
  add_machine_flags(*app, flags->scenario);
  add_layout_flags(*app, flags->layout);
  add_simulation_flags(*app, flags->scenario);
  add_result_flags(*app, flags->simulation, true);
  return {app, [flags] { return run(*flags); }};
}

} // namespace decodesim
