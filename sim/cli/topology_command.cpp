#include "sim/cli/commands.hpp"
#include "sim/cli/flags.hpp"
#include "sim/cli/output.hpp"
#include "sim/data_files.hpp"
#include "sim/scenario/scenario_file.hpp"
#include "topologies/describe_machine.hpp"
#include "topologies/draw_machine.hpp"
#include "topologies/import_topology.hpp"
#include "topologies/machine.hpp"
#include "topologies/machine_graph_text.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace decodesim {

namespace {

const std::vector<std::string> formats{"text", "markdown", "dot", "json"};

struct TopologyFlags {
  std::string machine;
  Flag import;
  Flag gpu;
  Flag nodes;
  Flag fabric;
  OutputFlags output;
};

/// A machine file from the output of nvidia-smi.
std::string import_file(const TopologyFlags& flags) {
  if (!flags.gpu) {
    throw UsageError{"--import needs --gpu: nvidia-smi topo -m does not name the GPU"};
  }
  (void)find_gpu(*flags.gpu, "--gpu");
  const bool preset = !find_data_file(DataKind::gpu, *flags.gpu).empty();
  const std::filesystem::path path{*flags.import};
  return import_topology(read_text(path),
                         *flags.import,
                         preset ? *flags.gpu : std::filesystem::absolute(*flags.gpu).string(),
                         path.stem().string());
}

ExitCode show(const TopologyFlags& flags) {
  if (flags.import ? !flags.machine.empty() : flags.machine.empty()) {
    throw UsageError{"give a MACHINE or --import, one of them"};
  }
  if (flags.gpu && !flags.import) {
    throw UsageError{"--gpu needs --import: a machine file names its GPU"};
  }
  const Output output{flags.output, formats};
  const int nodes =
      flags.nodes ? static_cast<int>(parse_count(*flags.nodes, "--nodes", most_nodes)) : 1;
  const auto fabric = fabric_from(flags.fabric).value_or(Fabric{});
  const auto file = flags.import ? import_file(flags) : "";
  const auto machine =
      flags.import ? parse_machine(JsonReader::parse(file, *flags.import), "", nodes, fabric)
                   : find_machine(flags.machine, nodes, "topology", fabric);
  output.write(output.format() == "dot"        ? machine_dot(machine)
               : output.format() == "json"     ? (flags.import ? file : machine_json(machine))
               : output.format() == "markdown" ? machine_markdown(machine)
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
              "  decodesim topology --import topo.txt --gpu a100-pcie-80g --format json\n"
              "  decodesim topology pcie-2s-a100-40g --format dot | dot -Tsvg > server.svg");
  auto flags = std::make_shared<TopologyFlags>();
  app->add_option("MACHINE", flags->machine, "Preset (see `list machines`) or machine file")
      ->type_name("");
  app->add_option("--import",
                  flags->import,
                  "Output of `nvidia-smi topo -m`; --format json prints it as a machine file")
      ->type_name("FILE")
      ->group("Machine");
  app->add_option("--gpu", flags->gpu, "GPU of the import: preset (see `list gpus`) or GPU file")
      ->type_name("NAME|PATH")
      ->group("Machine");
  add_cluster_flags(*app, flags->nodes, flags->fabric);
  add_output_flags(*app, flags->output, formats, false);
  return {app, [flags] { return show(*flags); }};
}

} // namespace decodesim
