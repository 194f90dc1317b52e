#include "sim/cli/commands.hpp"
#include "sim/cli/flags.hpp"
#include "sim/cli/output.hpp"
#include "sim/scenario/scenario_file.hpp"
#include "topologies/describe_machine.hpp"
#include "topologies/machine.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace decodesim {

namespace {

const std::vector<std::string> formats{"text", "dot", "json"};

struct TopologyFlags {
  std::string machine;
  Flag nodes;
  OutputFlags output;
};

ExitCode show(const TopologyFlags& flags) {
  const Output output{flags.output, formats};
  const int nodes =
      flags.nodes ? static_cast<int>(parse_count(*flags.nodes, "--nodes", most_nodes)) : 1;
  const auto machine = find_machine(flags.machine, nodes, "topology");
  output.write(output.format() == "dot"    ? machine_dot(machine)
               : output.format() == "json" ? machine_json(machine)
                                           : describe_machine(machine));
  return ExitCode::success;
}

} // namespace

Command add_topology_command(CLI::App& program) {
  auto* app = program.add_subcommand(
      "topology",
      "Show a machine (matrix, ways, ring, bisection bandwidth, sources) and check its file");
  app->footer("Examples:\n"
              "  decodesim topology dgx-a100-80g\n"
              "  decodesim topology ./my-server.json --nodes 2\n"
              "  decodesim topology pcie-2s-a100-40g --format dot | dot -Tsvg > server.svg");
  auto flags = std::make_shared<TopologyFlags>();
  app->add_option("MACHINE", flags->machine, "Preset (see `list machines`) or machine file")
      ->type_name("")
      ->required();
  app->add_option("--nodes", flags->nodes, "Copies of the machine behind one network switch [1]")
      ->type_name("N")
      ->group("Machine");
  add_output_flags(*app, flags->output, formats, false);
  return {app, [flags] { return show(*flags); }};
}

} // namespace decodesim
