#pragma once

#include "sim/scenario/scenario.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
}

/// Flags that several subcommands share. They hold what was written; nothing is a number before
/// `scenario_from` has checked it, so that every wrong value is reported in one form.
namespace decodesim {

using Flag = std::optional<std::string>;

/// What is run on what.
struct ScenarioFlags {
  Flag file; ///< scenario file; flags override what it says
  Flag model;
  Flag machine;
  Flag nodes;
  Flag fabric;
  Flag batch_size;
  Flag isl;
  Flag osl;
  Flag dtype;
  Flag expert_dtype;
  Flag kv_cache_dtype;
  Flag routing;
  Flag seed;
  Flag expert_placement;
  Flag replicate_experts;
  Flag moe_exchange;
  Flag moe_kernels;
  Flag mapping;
  Flag collectives;
  Flag fidelity;
  Flag framework;
  Flag launch;
  Flag ring_order;
  Flag fold;
  bool every_token = false;
};

/// One layout, degree by degree.
struct LayoutFlags {
  Flag tp;
  Flag pp;
  Flag dp;
  Flag ep;
  bool zero3 = false;
  bool prefetch = false;
  Flag strategy;
  Flag schedule;
  Flag micro_batches;
  Flag virtual_stages;
  Flag stage_layers;

  [[nodiscard]] bool any_given() const;
};

void add_model_and_workload_flags(CLI::App& app, ScenarioFlags& flags);
void add_expert_flags(CLI::App& app, ScenarioFlags& flags);
void add_machine_flags(CLI::App& app, ScenarioFlags& flags);
void add_simulation_flags(CLI::App& app, ScenarioFlags& flags);
void add_layout_flags(CLI::App& app, LayoutFlags& flags);

/// The scenario of file and flags, without layouts unless the file has some. Model and machine
/// exist; sizes are in range.
/// @throws UsageError when neither file nor flag names a model or a machine
/// @throws InputError naming the flag, or file and JSON pointer
[[nodiscard]] Scenario scenario_from(const ScenarioFlags& flags);

/// Model and workload alone; a machine is optional.
[[nodiscard]] Scenario scenario_without_machine(const ScenarioFlags& flags);

/// Adds --nodes and --fabric.
void add_cluster_flags(CLI::App& app, Flag& nodes, Flag& fabric);

/// The fabric of the flag, or none. @throws InputError naming --fabric
[[nodiscard]] std::optional<Fabric> fabric_from(const Flag& fabric);

/// GPUs of the scenario's machine.
[[nodiscard]] int gpu_count_of(const Scenario& scenario);

/// The layout of the flags. The own degree of a strategy that is named without it (--zero3 without
/// --dp, --strategy tp without --tp) takes all GPUs that the others leave.
/// @param gpus  what it takes from
/// @throws UsageError when flags exclude each other
/// @throws InputError naming the flag
[[nodiscard]] Layout layout_from(const LayoutFlags& flags, int gpus);

/// A whole number from 1 to `most`.
/// @param where  the flag
/// @throws InputError with what was found and what is allowed
[[nodiscard]] std::int64_t
parse_count(const std::string& text, const std::string& where, std::int64_t most);

} // namespace decodesim
