#include "sim/cli/commands.hpp"
#include "sim/cli/flags.hpp"
#include "sim/cli/simulation.hpp"
#include "sim/error.hpp"
#include "strategies/layout_spec.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace decodesim {

namespace {

struct CompareFlags {
  ScenarioFlags scenario;
  SimulationFlags simulation;
  Flag gpus;
  Flag strategies;
};

ExitCode compare(const CompareFlags& flags) {
  auto scenario = scenario_from(flags.scenario);
  const int all = gpu_count_of(scenario);
  int limit = all;
  if (flags.gpus) {
    limit = static_cast<int>(parse_count(*flags.gpus, "--gpus", most_ranks));
    if (limit > all) {
      throw InputError::at("--gpus",
                           "is " + *flags.gpus,
                           "the machine has " + std::to_string(all) + "; see --nodes for more");
    }
  }
  if (flags.strategies) {
    scenario.layouts = parse_layout_specs(*flags.strategies, limit, "--strategies");
  }
  if (scenario.layouts.empty()) {
    throw UsageError{"--strategies is required"};
  }
  return simulate_and_report(scenario, flags.simulation, limit, false);
}

} // namespace

Command add_compare_command(CLI::App& program) {
  auto* app = program.add_subcommand(
      "compare", "Simulate several layouts on one workload; a row each, with what cannot run");
  app->footer(
      "Example:\n"
      "  decodesim compare --model llama-3-70b --machine dgx-a100-80g --gpus 8 --batch-size 32 \\\n"
      "      --strategies zero3,tp,pp:naive,pp:gpipe,pp:1f1b,tp4pp2:1f1b,tp2zero3x4");
  auto flags = std::make_shared<CompareFlags>();
  app->add_option("SCENARIO", flags->scenario.file, "Scenario file; flags override what it says")
      ->type_name("");
  const auto* layouts = "Layouts";
  app->add_option("--strategies",
                  flags->strategies,
                  "NAME[N]...[:OPTION]... each: NAME is tp, pp, dp, ep or a strategy, without N it "
                  "takes the GPUs that are left; OPTION is a schedule, m4 (micro-batches), "
                  "prefetch or layers20+12 (of stages)")
      ->type_name("SPEC,SPEC,...")
      ->group(layouts);
  app->add_option("--gpus", flags->gpus, "GPUs that a layout may use [all of the machine]")
      ->type_name("N")
      ->group(layouts);
  add_model_and_workload_flags(*app, flags->scenario);
  add_expert_flags(*app, flags->scenario);
  add_machine_flags(*app, flags->scenario);
  add_simulation_flags(*app, flags->scenario);
  add_result_flags(*app, flags->simulation, false);
  return {app, [flags] { return compare(*flags); }};
}

} // namespace decodesim
