#include "sim/cli/commands.hpp"
#include "sim/cli/describe_model.hpp"
#include "sim/cli/output.hpp"
#include "sim/cli/parameter_table.hpp"
#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/host/framework.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/network/collective_algorithm.hpp"
#include "sim/quantity_text.hpp"
#include "sim/sourced_json.hpp"
#include "strategies/registry.hpp"
#include "topologies/describe_machine.hpp"
#include "topologies/machine.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>

namespace decodesim {

namespace {

void row(const std::string& name, const std::string& text) {
  std::cout << "  " << std::left << std::setw(20) << name << text << "\n";
}

template <class T> void number_row(const std::string& name, const Sourced<T>& number) {
  std::cout << "  " << std::left << std::setw(36) << name << std::setw(14) << to_text(number.value)
            << std::setw(11) << to_string(number.kind) << number.source << "\n";
}

void describe(const Gpu& gpu) {
  std::cout << "gpu " << gpu.name << ": " << gpu.summary << "\n";
  row("compute capability", to_string(gpu.compute_capability));
  if (!gpu.kernels_of.value.empty()) {
    row("kernels", "those of " + gpu.kernels_of.value + " (" + gpu.kernels_of.source + ")");
  }
  number_row("sm_count", gpu.sm_count);
  number_row("l2_cache", gpu.l2_cache);
  number_row("memory_capacity", gpu.memory_capacity);
  number_row("memory_reserve", gpu.memory_reserve);
  number_row("memory_bandwidth", gpu.memory_bandwidth);
  for (const auto& [type, peak] : gpu.peak) {
    number_row("peak/" + to_string(type), peak);
  }
  number_row("eager_launch", gpu.eager_launch);
  number_row("graph_launch", gpu.graph_launch);
  for (const auto& [kernel_class, cost] : gpu.kernels) {
    const auto kernels = "kernels/" + to_string(kernel_class) + "/";
    for_each_parameter(cost, [&](const std::string& parameter, const auto& number) {
      number_row(kernels + parameter, number);
    });
  }
}

void describe(const Framework& framework) {
  std::cout << "framework " << framework.name << ": " << framework.summary << "\n";
  row("launch", to_string(framework.launch));
  row("collectives", framework.collectives);
  for (const auto& alias : framework.aliases) {
    row("alias", alias);
  }
  for (const auto& [trait, source] : framework.traits) {
    row(trait, source);
  }
  for (const auto& duration : framework_durations()) {
    if (const auto& number = framework.*duration.member) {
      number_row(duration.name, *number);
    }
  }
  if (framework.unfused_kernels) {
    number_row("unfused_kernels", *framework.unfused_kernels);
  }
  for (const auto& [kernel_class, kernel] : framework.kernels) {
    const auto kernels = "kernels/" + to_string(kernel_class) + "/";
    if (kernel.fixed) {
      number_row(kernels + "fixed", *kernel.fixed);
    }
    if (kernel.byte_efficiency_ratio) {
      number_row(kernels + "byte_efficiency", *kernel.byte_efficiency_ratio);
    }
  }
}

void describe(const Machine& machine) {
  std::cout << "machine " << machine.name << ": " << machine.summary << "\n";
  row("GPUs", std::to_string(machine.gpu_count()) + " x " + machine.gpu.name);
  row("layout", machine.source);
  std::cout << "\n" << describe_numbers(machine);
}

void describe(const Network& network) {
  std::cout << "network " << network.name << ": " << network.summary << "\n";
  row("ports of a leaf switch", std::to_string(network.switch_ports));
  number_row("bandwidth", network.bandwidth);
  number_row("latency", network.latency);
  number_row("switch_latency", network.switch_latency);
  number_row("transport/base", network.transport.base);
  number_row("transport/hop", network.transport.hop);
  number_row("transport/bandwidth", network.transport.bandwidth);
}

template <class Info> void describe_plugin(const std::string& kind, const Info& info) {
  std::cout << kind << " " << info.name << "\n";
  row("summary", info.summary);
  row("reference", info.reference);
}

template <class Info> const Info* find(const std::vector<Info>& all, const std::string& name) {
  for (const auto& info : all) {
    if (info.name == name) {
      return &info;
    }
  }
  return nullptr;
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const auto kind : {DataKind::model,
                          DataKind::machine,
                          DataKind::network,
                          DataKind::gpu,
                          DataKind::framework}) {
    for (const auto& name : data_file_names(kind)) {
      names.push_back(name);
    }
  }
  for (const auto& info : layer_strategies()) {
    names.push_back(info.name);
  }
  for (const auto& info : pipeline_schedules()) {
    names.push_back(info.name);
  }
  for (const auto& algorithm : collective_algorithms()) {
    names.push_back(algorithm.name);
  }
  return names;
}

ExitCode describe_named(const std::string& name) {
  const auto strategies = layer_strategies();
  const auto schedules = pipeline_schedules();
  const auto collectives = collective_algorithms();
  if (!find_data_file(DataKind::model, name).empty()) {
    std::cout << model_text(find_model(name, "describe"));
  } else if (!find_data_file(DataKind::machine, name).empty()) {
    describe(find_machine(name, 1, "describe"));
  } else if (!find_data_file(DataKind::network, name).empty()) {
    describe(find_network(name, "describe"));
  } else if (!find_data_file(DataKind::gpu, name).empty()) {
    describe(find_gpu(name, "describe"));
  } else if (!find_data_file(DataKind::framework, name).empty()) {
    describe(find_framework(name, "describe"));
  } else if (const auto* strategy = find(strategies, name)) {
    describe_plugin("strategy", *strategy);
    row("own degree",
        strategy->splits_batch ? "dp (its ranks divide the batch)"
                               : "tp (its ranks share each sequence)");
  } else if (const auto* schedule = find(schedules, name)) {
    describe_plugin("schedule", *schedule);
  } else if (const auto* algorithm = find(collectives, name)) {
    describe_plugin("collectives", *algorithm);
  } else if (std::filesystem::exists(name)) {
    std::cout << model_text(find_model(name, "describe"));
  } else {
    throw InputError::unknown_name("describe", "name", name, all_names());
  }
  return ExitCode::success;
}

const std::vector<std::string> table_formats{"text", "csv", "json"};

struct DescribeFlags {
  std::optional<std::string> name;
  std::optional<std::string> parameters;
  OutputFlags output;
};

ExitCode describe(const DescribeFlags& flags) {
  if (flags.name.has_value() == flags.parameters.has_value()) {
    throw UsageError{flags.name ? "NAME and --params exclude each other"
                                : "NAME or --params is required"};
  }
  if (flags.name) {
    if (flags.output.format || flags.output.file) {
      throw UsageError{"--format and --output need --params"};
    }
    return describe_named(*flags.name);
  }
  const Output output{flags.output, table_formats};
  output.write(parameter_table(parse_parameters(*flags.parameters, "--params"), output.format()));
  return ExitCode::success;
}

} // namespace

Command add_describe_command(CLI::App& program) {
  auto* app = program.add_subcommand(
      "describe",
      "All numbers of one model, machine, network, GPU, framework, strategy or schedule, with "
      "sources");
  app->footer("Examples:\n"
              "  decodesim describe llama-3-70b\n"
              "  decodesim describe dgx-a100-80g\n"
              "  decodesim describe ./my-model/config.json\n"
              "  decodesim describe --params 1.8e12");
  auto flags = std::make_shared<DescribeFlags>();
  app->add_option(
         "NAME", flags->name, "A name that `list` shows, or a model's config.json or folder")
      ->type_name("");
  app->add_option("--params",
                  flags->parameters,
                  "Memory of the weights of so many parameters, by type and number of GPUs: all "
                  "that is known of a model without a published shape")
      ->type_name("N")
      ->group("Model");
  add_output_flags(*app, flags->output, table_formats, false);
  return {app, [flags] { return describe(*flags); }};
}

} // namespace decodesim
