#include "sim/cli/commands.hpp"
#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/host/framework.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/model/parameters.hpp"
#include "sim/routing/routing.hpp"
#include "strategies/registry.hpp"
#include "topologies/machine.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>

namespace decodesim {

namespace {

struct Entry {
  std::string name;
  std::string summary;
};

std::vector<Entry> models() {
  std::vector<Entry> entries;
  for (const auto& name : data_file_names(DataKind::model)) {
    const auto model = find_model(name, name);
    std::ostringstream text;
    text << std::fixed << std::setprecision(2) << static_cast<double>(total_parameters(model)) / 1e9
         << "e9 parameters, " << model.layers << " layers, hidden size " << model.hidden_size
         << ", " << model.heads << " heads, "
         << (model.latent ? "latent attention" : std::to_string(model.kv_heads) + " KV heads");
    if (model.moe) {
      text << ", " << model.moe->experts << " experts, "
           << static_cast<double>(active_parameters(model)) / 1e9 << "e9 active";
    }
    entries.push_back({name, text.str()});
  }
  return entries;
}

std::vector<Entry> machines() {
  std::vector<Entry> entries;
  for (const auto& name : data_file_names(DataKind::machine)) {
    entries.push_back({name, find_machine(name, 1, name).summary});
  }
  return entries;
}

std::vector<Entry> networks() {
  std::vector<Entry> entries;
  for (const auto& name : data_file_names(DataKind::network)) {
    entries.push_back({name, find_network(name, name).summary});
  }
  return entries;
}

std::vector<Entry> gpus() {
  std::vector<Entry> entries;
  for (const auto& name : data_file_names(DataKind::gpu)) {
    entries.push_back({name, find_gpu(name, name).summary});
  }
  return entries;
}

std::vector<Entry> frameworks() {
  std::vector<Entry> entries{{"none", "no costs beside the GPU's own launches, no jitter"}};
  for (const auto& name : data_file_names(DataKind::framework)) {
    entries.push_back({name, find_framework(name, name).summary});
  }
  return entries;
}

std::vector<Entry> strategies() {
  std::vector<Entry> entries;
  for (const auto& info : layer_strategies()) {
    entries.push_back({info.name, info.summary});
  }
  return entries;
}

std::vector<Entry> schedules() {
  std::vector<Entry> entries;
  for (const auto& info : pipeline_schedules()) {
    entries.push_back({info.name, info.summary});
  }
  return entries;
}

std::vector<Entry> collectives() {
  std::vector<Entry> entries;
  for (const auto& algorithm : collective_algorithms()) {
    entries.push_back({algorithm.name, algorithm.summary});
  }
  return entries;
}

std::vector<Entry> routing_entries() {
  std::vector<Entry> entries;
  for (const auto& info : routings()) {
    entries.push_back(
        {info.name + (info.argument.empty() ? "" : ":" + info.argument), info.summary});
  }
  return entries;
}

struct Listing {
  const char* kind;
  std::vector<Entry> (*entries)();
};

constexpr Listing listings[] = {{"models", models},
                                {"machines", machines},
                                {"networks", networks},
                                {"gpus", gpus},
                                {"frameworks", frameworks},
                                {"strategies", strategies},
                                {"schedules", schedules},
                                {"collectives", collectives},
                                {"routings", routing_entries}};

void print(const std::vector<Entry>& entries) {
  std::size_t width = 0;
  for (const auto& entry : entries) {
    width = std::max(width, entry.name.size());
  }
  for (const auto& entry : entries) {
    std::cout << std::left << std::setw(static_cast<int>(width)) << entry.name << "  "
              << entry.summary << "\n";
  }
}

ExitCode list(const std::string& kind) {
  std::vector<std::string> kinds;
  for (const auto& listing : listings) {
    if (kind == listing.kind) {
      print(listing.entries());
      return ExitCode::success;
    }
    kinds.emplace_back(listing.kind);
  }
  throw InputError::unknown_name("list", "kind", kind, kinds);
}

} // namespace

Command add_list_command(CLI::App& program) {
  auto* app = program.add_subcommand("list", "Names that other commands take, a line each");
  app->footer("Example:\n  decodesim list models");
  auto kind = std::make_shared<std::string>();
  app->add_option(
         "KIND",
         *kind,
         "models, machines, networks, gpus, frameworks, strategies, schedules, collectives or "
         "routings")
      ->type_name("")
      ->required();
  return {app, [kind] { return list(*kind); }};
}

} // namespace decodesim
