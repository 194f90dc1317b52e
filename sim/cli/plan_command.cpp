#include "sim/cli/commands.hpp"
#include "sim/cli/flags.hpp"
#include "sim/cli/output.hpp"
#include "sim/engine/communication.hpp"
#include "sim/error.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/plan/plan_text.hpp"
#include "sim/scenario/mapping.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "topologies/machine.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <iomanip>
#include <memory>
#include <sstream>

namespace decodesim {

namespace {

const std::vector<std::string> formats{"text", "json"};

struct PlanFlags {
  ScenarioFlags scenario;
  LayoutFlags layout;
  OutputFlags output;
  Flag gpus;
  bool every_layer = false;
};

struct PathOnMachine {
  std::string machine;
  CriticalPath path;
  int steps = 0;
};

PathOnMachine path_on_machine(const Plan& plan, const Scenario& scenario, const Layout& layout) {
  const auto machine = machine_of(scenario, "--machine");
  const auto mapped = gpu_of_rank(scenario.mapping, layout, machine.gpu_count(), "--mapping");
  const SimulationOptions options{.collectives = scenario.collectives,
                                  .kernels = scenario.framework.library(),
                                  .ring_order = scenario.ring_order};
  return {.machine = machine.name,
          .path = critical_path(plan, machine, mapped, options),
          .steps = plan.decode_steps};
}

std::string text_of(const PathOnMachine& found) {
  std::ostringstream text;
  text << "critical path on " << found.machine << ": first token " << std::setprecision(6)
       << found.path.first_token.value() * 1e3 << " ms, end " << found.path.end.value() * 1e3
       << " ms";
  if (found.steps > 0) {
    text << ", " << (found.path.end - found.path.first_token).value() * 1e3 / found.steps
         << " ms a decode step";
  }
  text << "; no simulated time is less\n";
  return text.str();
}

/// GPUs that an open degree takes from: --gpus, else the machine's.
int available_gpus(const PlanFlags& flags, const Scenario& scenario) {
  if (flags.gpus) {
    return static_cast<int>(parse_count(*flags.gpus, "--gpus", most_ranks));
  }
  return scenario.machine.empty() ? 0 : gpu_count_of(scenario);
}

ExitCode print_plan(const PlanFlags& flags) {
  const Output output{flags.output, formats};
  auto scenario = scenario_without_machine(flags.scenario);
  if (flags.layout.any_given() || scenario.layouts.empty()) {
    const int gpus = available_gpus(flags, scenario);
    const bool open = (flags.layout.zero3 && !flags.layout.dp) ||
                      (flags.layout.strategy && !flags.layout.dp && !flags.layout.tp);
    if (open && gpus == 0) {
      throw UsageError{"--gpus or --machine is required for a strategy without its degree"};
    }
    scenario.layouts = {layout_from(flags.layout, std::max(1, gpus))};
  }
  const auto model = find_model(scenario.model, "--model");
  std::string text;
  auto json = nlohmann::ordered_json::array();
  for (const auto& layout : scenario.layouts) {
    Plan plan;
    std::optional<PathOnMachine> found;
    try {
      plan = build_plan(model, layout, scenario.workload);
      check(plan);
      if (!scenario.machine.empty()) {
        found = path_on_machine(plan, scenario, layout);
      }
    } catch (const LayoutError& problem) {
      throw LayoutError{layout.tag() + ": " + problem.what()};
    }
    if (output.format() == "json") {
      json.push_back(plan_to_json(plan));
      if (found) {
        json.back()["critical_path"] = {{"machine", found->machine},
                                        {"first_token_s", found->path.first_token.value()},
                                        {"end_s", found->path.end.value()}};
      }
    } else {
      text += (text.empty() ? "" : "\n") + plan_text(plan, flags.every_layer) +
              (found ? text_of(*found) : "");
    }
  }
  output.write(output.format() == "json"
                   ? nlohmann::ordered_json{{"format_version", 1}, {"plans", json}}.dump(1) + "\n"
                   : text);
  return ExitCode::success;
}

} // namespace

Command add_plan_command(CLI::App& program) {
  auto* app = program.add_subcommand(
      "plan",
      "Print what every GPU has to do, operation by operation; with --machine the critical path");
  app->footer("Examples:\n"
              "  decodesim plan --model llama-3-8b --tp 2 --batch-size 4\n"
              "  decodesim plan --model llama-3-8b --zero3 --gpus 8 --format json\n"
              "  decodesim plan --model llama-3-70b --tp 4 --pp 2 --machine dgx-a100-80g");
  auto flags = std::make_shared<PlanFlags>();
  app->add_option("SCENARIO", flags->scenario.file, "Scenario file; flags override what it says")
      ->type_name("");
  add_model_and_workload_flags(*app, flags->scenario);
  add_expert_flags(*app, flags->scenario);
  add_layout_flags(*app, flags->layout);
  app->add_option(
         "--gpus", flags->gpus, "GPUs that --zero3 without --dp takes from [all of the machine]")
      ->type_name("N")
      ->group("Machine");
  add_machine_flags(*app, flags->scenario);
  add_simulation_flags(*app, flags->scenario);
  add_output_flags(*app, flags->output, formats, false);
  app->add_flag(
         "--every-layer", flags->every_layer, "Print layers that only differ in their number, too")
      ->group("Output");
  return {app, [flags] { return print_plan(*flags); }};
}

} // namespace decodesim
