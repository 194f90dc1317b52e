#include "sim/cli/flags.hpp"

#include "sim/cli/commands.hpp"
#include "sim/error.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/plan/expert_loads.hpp"
#include "sim/scenario/mapping.hpp"
#include "sim/scenario/scenario_file.hpp"
#include "strategies/layout_spec.hpp"
#include "strategies/registry.hpp"
#include "topologies/machine.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>

namespace decodesim {

namespace {

std::string joined(const std::vector<std::string>& names, const std::string& separator) {
  std::string text;
  for (const auto& name : names) {
    text += (text.empty() ? "" : separator) + name;
  }
  return text;
}

int as_int(const Flag& flag, const std::string& where, std::int64_t most, int otherwise) {
  return flag ? static_cast<int>(parse_count(*flag, where, most)) : otherwise;
}

/// Where a value comes from, for messages about it: the flag, else the file's member.
std::string
origin(const Flag& flag, const std::string& name, const Flag& file, const std::string& key) {
  return flag || !file ? name : *file + ": /" + key;
}

std::uint64_t parse_seed(const std::string& text) {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number < 0 || number > most_seed) {
    throw InputError::at("--seed",
                         "is \"" + text + "\"",
                         "a whole number from 0 to " + std::to_string(most_seed) + " is expected");
  }
  return static_cast<std::uint64_t>(number);
}

void read_experts(const ScenarioFlags& flags, const Model& model, Workload& workload) {
  auto& experts = workload.experts;
  if (flags.routing) {
    experts.routing = *flags.routing;
  }
  const auto where = origin(flags.routing, "--routing", flags.file, "routing");
  check_routing(experts.routing, where);
  experts.seed = flags.seed ? parse_seed(*flags.seed) : experts.seed;
  if (flags.expert_placement) {
    experts.placement = placement_named(*flags.expert_placement, "--expert-placement");
  }
  if (flags.replicate_experts) {
    experts.copies = static_cast<int>(
        parse_count(*flags.replicate_experts, "--replicate-experts", most_expert_copies));
  }
  if (flags.moe_exchange) {
    experts.exchange = moe_exchange_named(*flags.moe_exchange, "--moe-exchange");
  }
  if (model.moe) {
    (void)make_routing(experts.routing, routed_tokens(model, workload), experts.seed, where);
  }
}

Scenario read(const ScenarioFlags& flags) {
  const MachineChoice choice{
      .machine = flags.machine,
      .nodes =
          flags.nodes ? std::optional{as_int(flags.nodes, "--nodes", most_nodes, 1)} : std::nullopt,
      .fabric = fabric_from(flags.fabric),
      .model = flags.model,
      .framework = flags.framework};
  Scenario scenario;
  if (flags.file) {
    scenario = load_scenario(*flags.file, choice);
  }
  if (flags.framework && !flags.file) {
    use_framework(scenario, find_framework(*flags.framework, "--framework"), "--framework");
  }
  scenario.machine = choice.machine.value_or(scenario.machine);
  scenario.nodes = choice.nodes.value_or(scenario.nodes);
  scenario.fabric = choice.fabric.value_or(scenario.fabric);
  if (flags.model) {
    scenario.model = *flags.model;
  }
  if (scenario.model.empty() && !flags.model) {
    throw UsageError{"--model is required"};
  }
  const auto model =
      find_model(scenario.model, origin(flags.model, "--model", flags.file, "model"));
  auto& workload = scenario.workload;
  workload.batch_size =
      as_int(flags.batch_size, "--batch-size", most_sequences, workload.batch_size);
  if (flags.isl) {
    workload.input_tokens = parse_count(*flags.isl, "--isl", most_input_tokens);
  }
  if (flags.osl) {
    workload.output_tokens = parse_count(*flags.osl, "--osl", most_output_tokens);
  }
  if (!flags.file) {
    workload.precision = stored_precision(model);
  }
  if (flags.dtype) {
    workload.precision = {.weights = data_type_named(*flags.dtype, "--dtype")};
    workload.precision.kv_cache = workload.precision.activations();
  }
  if (flags.expert_dtype) {
    workload.precision.experts = data_type_named(*flags.expert_dtype, "--expert-dtype");
  }
  if (workload.precision.experts && !model.moe) {
    throw InputError::at(origin(flags.expert_dtype, "--expert-dtype", flags.file, "expert_dtype"),
                         "is " + to_string(*workload.precision.experts) + ", but " + model.name +
                             " has no experts",
                         "leave it out");
  }
  if (!flags.file || flags.dtype) {
    take_cache_of_framework(scenario);
  }
  if (flags.kv_cache_dtype) {
    workload.precision.kv_cache = data_type_named(*flags.kv_cache_dtype, "--kv-cache-dtype");
  }
  if (flags.collectives) {
    scenario.collectives = collective_algorithm_named(*flags.collectives, "--collectives").name;
  }
  if (flags.fidelity) {
    scenario.fidelity = fidelity_named(*flags.fidelity, "--fidelity");
  }
  if (flags.launch) {
    scenario.launch = launch_mode_named(*flags.launch, "--launch");
  }
  if (flags.ring_order) {
    scenario.ring_order = ring_order_named(*flags.ring_order, "--ring-order");
  }
  if (flags.fold) {
    scenario.fold = folding_named(*flags.fold, "--fold");
  }
  scenario.every_token = scenario.every_token || flags.every_token;
  if (flags.mapping) {
    scenario.mapping = *flags.mapping;
  }
  read_experts(flags, model, workload);
  return scenario;
}

} // namespace

bool LayoutFlags::any_given() const {
  return tp || pp || dp || ep || zero3 || prefetch || strategy || schedule || micro_batches ||
         virtual_stages || stage_layers;
}

void add_model_and_workload_flags(CLI::App& app, ScenarioFlags& flags) {
  const auto* model = "Model";
  app.add_option("--model", flags.model, "Preset (see `list models`), config.json or its folder")
      ->type_name("NAME|PATH")
      ->group(model);
  app.add_option("--dtype",
                 flags.dtype,
                 "Type of the weights: " + joined(data_type_names(), ", ") +
                     " [that of the model's file, else bf16]")
      ->type_name("TYPE")
      ->group(model);
  app.add_option("--expert-dtype",
                 flags.expert_dtype,
                 "Type of the weights of experts [--dtype, else that of the model's file]")
      ->type_name("TYPE")
      ->group(model);
  app.add_option(
         "--kv-cache-dtype", flags.kv_cache_dtype, "Type of the KV cache [that of activations]")
      ->type_name("TYPE")
      ->group(model);
  const auto* workload = "Workload";
  app.add_option(
         "--batch-size",
         flags.batch_size,
         "Sequences in flight on the whole layout; replicas and zero3 ranks divide them [1]")
      ->type_name("N")
      ->group(workload);
  app.add_option("--isl", flags.isl, "Prompt tokens of each sequence [512]")
      ->type_name("N")
      ->group(workload);
  app.add_option("--osl", flags.osl, "Output tokens of each sequence [32]")
      ->type_name("N")
      ->group(workload);
}

void add_expert_flags(CLI::App& app, ScenarioFlags& flags) {
  const auto* experts = "Experts (models that have some)";
  app.add_option("--routing",
                 flags.routing,
                 "Which experts tokens go to (see `list routings`): uniform, zipf:1.2, fixed:0,1, "
                 "trace:FILE [uniform]")
      ->type_name("NAME[:ARG]")
      ->group(experts);
  app.add_option(
         "--seed", flags.seed, "Of the routing's draws, and of delays under --framework [0]")
      ->type_name("N")
      ->group(experts);
  app.add_option("--expert-placement",
                 flags.expert_placement,
                 "Experts to the ranks of ep: " + joined(placement_names(), ", ") + " [contiguous]")
      ->type_name("NAME")
      ->group(experts);
  app.add_option("--replicate-experts",
                 flags.replicate_experts,
                 "Hottest experts of each layer that get a second copy [none]")
      ->type_name("N")
      ->group(experts);
  app.add_option("--moe-exchange",
                 flags.moe_exchange,
                 "How tokens reach experts of other dp groups: all-to-all, or all-gather and "
                 "reduce-scatter [all-to-all]")
      ->type_name("all-to-all|all-gather")
      ->group(experts);
}

void add_machine_flags(CLI::App& app, ScenarioFlags& flags) {
  const auto* machine = "Machine";
  app.add_option("--machine", flags.machine, "Preset (see `list machines`) or machine file")
      ->type_name("NAME|PATH")
      ->group(machine);
  add_cluster_flags(app, flags.nodes, flags.fabric);
}

void add_cluster_flags(CLI::App& app, Flag& nodes, Flag& fabric) {
  const auto* machine = "Machine";
  app.add_option("--nodes", nodes, "Copies of the machine, joined by --fabric [1]")
      ->type_name("N")
      ->group(machine);
  app.add_option(
         "--fabric",
         fabric,
         joined(fabric_names(), ", ") +
             "; with options \":hdr\" (see `list networks`), \":ports40\" of a leaf switch, "
             "\":2to1\" oversubscription [single-switch]")
      ->type_name("NAME[:OPTION]...")
      ->group(machine);
}

std::optional<Fabric> fabric_from(const Flag& fabric) {
  return fabric ? std::optional{parse_fabric(*fabric, "--fabric")} : std::nullopt;
}

void add_simulation_flags(CLI::App& app, ScenarioFlags& flags) {
  const auto* simulation = "Simulation";
  std::vector<std::string> collective_names;
  for (const auto& algorithm : collective_algorithms()) {
    collective_names.push_back(algorithm.name);
  }
  app.add_option("--mapping",
                 flags.mapping,
                 "Ranks to GPUs: the axes from the innermost, or one GPU index per rank "
                 "(\"0,4,1,5\") [tp,pp,dp]")
      ->type_name("AXES|GPUS")
      ->group(simulation);
  app.add_option("--collectives",
                 flags.collectives,
                 "How collectives move data: " + joined(collective_names, ", ") +
                     " [the framework's, else ring]")
      ->type_name("NAME")
      ->group(simulation);
  app.add_option("--fidelity",
                 flags.fidelity,
                 "flow: a collective is one fluid flow; step: every chunk is a message [flow]")
      ->type_name("flow|step")
      ->group(simulation);
  app.add_option("--framework",
                 flags.framework,
                 "Serving framework (see `list frameworks`): costs of its host, launch mode, "
                 "collectives, kernels beside the model's own [none]")
      ->type_name("NAME|PATH")
      ->group(simulation);
  app.add_option("--launch",
                 flags.launch,
                 "graph: one launch per decode step; eager: one per kernel [the framework's, else "
                 "graph]")
      ->type_name("graph|eager")
      ->group(simulation);
  app.add_option("--ring-order",
                 flags.ring_order,
                 "searched: the best ring found on the machine; ranks: in the order of the ranks "
                 "[searched]")
      ->type_name("searched|ranks")
      ->group(simulation);
  app.add_option("--fold",
                 flags.fold,
                 "auto: ranks that provably do the same are simulated once, with the same result; "
                 "none: every rank is simulated [auto]")
      ->type_name("auto|none")
      ->group(simulation);
  app.add_flag("--every-token",
               flags.every_token,
               "Simulate every decode step; otherwise long runs interpolate between some of them")
      ->group(simulation);
}

void add_layout_flags(CLI::App& app, LayoutFlags& flags) {
  const auto* layout = "Layout (GPUs used = tp x pp x dp)";
  app.add_option("--tp,--tensor-parallel-size", flags.tp, "GPUs that share each layer [1]")
      ->type_name("N")
      ->group(layout);
  app.add_option("--pp,--pipeline-parallel-size", flags.pp, "Pipeline stages [1]")
      ->type_name("N")
      ->group(layout);
  app.add_option("--dp,--data-parallel-size", flags.dp, "Replicas, or zero3 ranks [1]")
      ->type_name("N")
      ->group(layout);
  app.add_option("--ep,--expert-parallel-size",
                 flags.ep,
                 "Parts of the tp x dp GPUs of a stage that have different experts; without --dp, "
                 "dp = ep / tp [all experts on every replica]")
      ->type_name("N")
      ->group(layout);
  app.add_flag("--zero3",
               flags.zero3,
               "Share the weights over the dp ranks and gather them layer by layer; without --dp, "
               "over all GPUs that tp and pp leave")
      ->group(layout);
  app.add_flag("--prefetch", flags.prefetch, "zero3: gather the next layer during this one")
      ->group(layout);
  app.add_option("--strategy", flags.strategy, "Layer strategy (see `list strategies`) [tp]")
      ->type_name("NAME")
      ->group(layout);
  app.add_option("--schedule", flags.schedule, "Pipeline schedule (see `list schedules`) [naive]")
      ->type_name("NAME")
      ->group(layout);
  app.add_option("--micro-batches",
                 flags.micro_batches,
                 "Parts that each replica's batch is cut into [the schedule's default]")
      ->type_name("N")
      ->group(layout);
  app.add_option("--virtual-stages",
                 flags.virtual_stages,
                 "interleaved: chunks of layers per GPU [the schedule's default]")
      ->type_name("N")
      ->group(layout);
  app.add_option(
         "--stage-layers", flags.stage_layers, "Layers of each stage (\"20,20,20,20\") [equal]")
      ->type_name("N,N,...")
      ->group(layout);
}

std::int64_t parse_count(const std::string& text, const std::string& where, std::int64_t most) {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number < 1 || number > most) {
    throw InputError::at(where,
                         "is \"" + text + "\"",
                         "a whole number from 1 to " + std::to_string(most) + " is expected");
  }
  return number;
}

Scenario scenario_from(const ScenarioFlags& flags) {
  auto scenario = read(flags);
  if (scenario.machine.empty() && !flags.machine) {
    throw UsageError{"--machine is required"};
  }
  const auto machine =
      machine_of(scenario, origin(flags.machine, "--machine", flags.file, "machine"));
  check_mapping(scenario.mapping,
                machine.gpu_count(),
                origin(flags.mapping, "--mapping", flags.file, "mapping"));
  return scenario;
}

Scenario scenario_without_machine(const ScenarioFlags& flags) {
  return flags.machine ? scenario_from(flags) : read(flags);
}

int gpu_count_of(const Scenario& scenario) { return machine_of(scenario, "--machine").gpu_count(); }

Layout layout_from(const LayoutFlags& flags, int gpus) {
  if (flags.zero3 && flags.strategy && *flags.strategy != "zero3") {
    throw UsageError{"--zero3 and --strategy " + *flags.strategy + " exclude each other"};
  }
  if (flags.schedule && !flags.pp) {
    throw UsageError{"--schedule needs --pp"};
  }
  Layout layout;
  layout.tp = as_int(flags.tp, "--tp", most_of_a_degree, 1);
  layout.pp = as_int(flags.pp, "--pp", most_of_a_degree, 1);
  layout.ep = as_int(flags.ep, "--ep", most_of_a_degree, 0);
  layout.dp =
      as_int(flags.dp, "--dp", most_of_a_degree, Layout::dp_for_experts(layout.ep, layout.tp));
  if (flags.zero3) {
    layout.strategy = "zero3";
  } else if (flags.strategy) {
    layout.strategy = layer_strategy_named(*flags.strategy, "--strategy").name;
  }
  if (layout.strategy != "tp") {
    const bool splits = layer_strategy_named(layout.strategy, "--strategy").splits_batch;
    const auto& own = splits ? flags.dp : flags.tp;
    if (!own) {
      const auto others = std::int64_t{layout.pp} * (splits ? layout.tp : layout.dp);
      (splits ? layout.dp : layout.tp) = static_cast<int>(std::max<std::int64_t>(1, gpus / others));
    }
  }
  if (flags.schedule) {
    layout.schedule = pipeline_schedule_named(*flags.schedule, "--schedule").name;
  }
  layout.micro_batches = as_int(flags.micro_batches, "--micro-batches", most_of_a_degree, 0);
  layout.virtual_stages = as_int(flags.virtual_stages, "--virtual-stages", most_of_a_degree, 0);
  layout.prefetch = flags.prefetch;
  if (flags.stage_layers) {
    layout.stage_layers = parse_stage_layers(*flags.stage_layers, "--stage-layers");
  }
  const auto* where = layout.prefetch        ? "--prefetch"
                      : flags.stage_layers   ? "--stage-layers"
                      : flags.virtual_stages ? "--virtual-stages"
                                             : "--tp, --pp, --dp";
  return settled(std::move(layout), where);
}

} // namespace decodesim
