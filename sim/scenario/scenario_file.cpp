#include "sim/scenario/scenario_file.hpp"

#include "sim/data_files.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/routing/routing.hpp"
#include "sim/scenario/mapping.hpp"
#include "sim/scenario/scenario_json.hpp"
#include "strategies/layout_spec.hpp"
#include "strategies/registry.hpp"
#include "topologies/machine.hpp"

#include <optional>
#include <set>

namespace decodesim {

namespace fs = std::filesystem;

namespace {

int read_int(const JsonReader& file, const std::string& key, int otherwise, std::int64_t most) {
  const auto member = file.find(key);
  return member ? static_cast<int>(member->as_integer(1, most)) : otherwise;
}

std::vector<int> read_stage_layers(const JsonReader& value) {
  if (value.is_string()) {
    return parse_stage_layers(value.as_string(), value.where());
  }
  std::vector<int> layers;
  for (const auto& element : value.elements()) {
    layers.push_back(static_cast<int>(element.as_integer(1, most_of_a_degree)));
  }
  return layers;
}

Layout read_layout_object(const JsonReader& object) {
  object.allow_only({"tag",
                     "strategy",
                     "tp",
                     "pp",
                     "dp",
                     "ep",
                     "schedule",
                     "micro_batches",
                     "virtual_stages",
                     "prefetch",
                     "stage_layers"});
  Layout layout;
  if (const auto strategy = object.find("strategy")) {
    layout.strategy = layer_strategy_named(strategy->as_string(), strategy->where()).name;
  }
  layout.tp = read_int(object, "tp", 1, most_of_a_degree);
  layout.pp = read_int(object, "pp", 1, most_of_a_degree);
  if (const auto ep = object.find("ep")) {
    layout.ep = static_cast<int>(ep->as_integer(0, most_of_a_degree));
  }
  layout.dp =
      read_int(object, "dp", Layout::dp_for_experts(layout.ep, layout.tp), most_of_a_degree);
  if (const auto schedule = object.find("schedule")) {
    layout.schedule = pipeline_schedule_named(schedule->as_string(), schedule->where()).name;
  }
  if (const auto micro_batches = object.find("micro_batches")) {
    layout.micro_batches = static_cast<int>(micro_batches->as_integer(0, most_of_a_degree));
  }
  if (const auto prefetch = object.find("prefetch")) {
    layout.prefetch = prefetch->as_bool();
  }
  if (const auto chunks = object.find("virtual_stages")) {
    layout.virtual_stages = static_cast<int>(chunks->as_integer(0, most_of_a_degree));
  }
  if (const auto layers = object.find("stage_layers")) {
    layout.stage_layers = read_stage_layers(*layers);
  }
  layout = settled(std::move(layout), object.where());
  if (const auto tag = object.find("tag"); tag && tag->as_string() != layout.tag()) {
    throw tag->error("is \"" + tag->as_string() + "\", but the layout is " + layout.tag(),
                     "leave the tag out or correct it");
  }
  return layout;
}

void read_experts(const JsonReader& file, const fs::path& folder, ExpertSettings& experts) {
  if (const auto routing = file.find("routing")) {
    check_routing(routing->as_string(), routing->where());
    experts.routing = routing_from(routing->as_string(), folder);
  }
  if (const auto seed = file.find("seed")) {
    experts.seed = static_cast<std::uint64_t>(seed->as_integer(0, most_seed));
  }
  if (const auto placement = file.find("expert_placement")) {
    experts.placement = placement_named(placement->as_string(), placement->where());
  }
  if (const auto copies = file.find("replicated_experts")) {
    experts.copies = static_cast<int>(copies->as_integer(0, most_expert_copies));
  }
  if (const auto exchange = file.find("moe_exchange")) {
    experts.exchange = moe_exchange_named(exchange->as_string(), exchange->where());
  }
}

std::vector<Layout> read_layouts(const JsonReader& list, const Scenario& scenario) {
  std::optional<int> gpus;
  std::vector<Layout> layouts;
  std::set<std::string> tags;
  for (const auto& element : list.elements()) {
    if (element.is_string()) {
      const auto spec = element.as_string();
      if (!gpus && leaves_a_degree_open(spec, element.where())) {
        gpus = machine_of(scenario, list.where()).gpu_count();
      }
      layouts.push_back(parse_layout_spec(spec, gpus.value_or(1), element.where()));
    } else if (element.is_object()) {
      layouts.push_back(read_layout_object(element));
    } else {
      throw element.error("is no layout", "use a spec such as \"tp8\" or an object");
    }
    if (const auto tag = layouts.back().tag(); !tags.insert(tag).second) {
      throw element.error("means " + tag + ", which is listed already", "list it once");
    }
  }
  if (layouts.empty()) {
    throw list.error("is empty", "list at least one layout, or leave the key out");
  }
  return layouts;
}

Precision
read_precision(const JsonReader& file, const std::string& model, const MachineChoice& choice) {
  const auto named = [&](const char* key) -> std::optional<DataType> {
    const auto type = file.find(key);
    return type ? std::optional{data_type_named(type->as_string(), type->where())} : std::nullopt;
  };
  Precision precision;
  if (const auto weights = named("dtype")) {
    precision.weights = *weights;
    precision.kv_cache = precision.activations();
  } else {
    precision =
        stored_precision(find_model(model, choice.model ? "--model" : file.at("model").where()));
  }
  if (const auto experts = named("expert_dtype")) {
    precision.experts = experts;
  }
  precision.kv_cache = named("kv_cache_dtype").value_or(precision.kv_cache);
  return precision;
}

} // namespace

RingOrder ring_order_named(const std::string& name, const std::string& where) {
  for (const auto order : {RingOrder::searched, RingOrder::ranks}) {
    if (name == to_string(order)) {
      return order;
    }
  }
  throw InputError::unknown_name(
      where, "ring order", name, {to_string(RingOrder::searched), to_string(RingOrder::ranks)});
}

Folding folding_named(const std::string& name, const std::string& where) {
  for (const auto folding : {Folding::automatic, Folding::none}) {
    if (name == to_string(folding)) {
      return folding;
    }
  }
  throw InputError::unknown_name(
      where, "folding", name, {to_string(Folding::automatic), to_string(Folding::none)});
}

std::string
absolute_unless_preset(const std::string& name_or_path, bool is_model, const fs::path& folder) {
  if (!find_data_file(is_model ? DataKind::model : DataKind::machine, name_or_path).empty()) {
    return name_or_path;
  }
  const auto path = fs::absolute(folder / name_or_path).lexically_normal();
  // A name that is neither stays as it is, for the message that says so.
  return fs::exists(path) ? path.string() : name_or_path;
}

std::string framework_from(const std::string& name_or_path, const fs::path& folder) {
  const bool is_path =
      name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".json");
  return is_path ? fs::absolute(folder / name_or_path).lexically_normal().string() : name_or_path;
}

std::string routing_from(const std::string& spec, const fs::path& folder) {
  const std::string trace = "trace:";
  return spec.starts_with(trace)
             ? trace + fs::absolute(folder / spec.substr(trace.size())).lexically_normal().string()
             : spec;
}

Scenario load_scenario(const fs::path& path, const MachineChoice& choice) {
  return parse_scenario(JsonReader::open(path), path.parent_path(), choice);
}

Scenario
parse_scenario(const JsonReader& file, const fs::path& folder, const MachineChoice& choice) {
  file.allow_only({"format_version",
                   "model",
                   "machine",
                   "nodes",
                   "fabric",
                   "batch_size",
                   "isl",
                   "osl",
                   "dtype",
                   "expert_dtype",
                   "kv_cache_dtype",
                   "routing",
                   "seed",
                   "expert_placement",
                   "replicated_experts",
                   "moe_exchange",
                   "mapping",
                   "collectives",
                   "fidelity",
                   "framework",
                   "launch",
                   "ring_order",
                   "fold",
                   "every_token",
                   "layouts"});
  if (const auto version = file.find("format_version")) {
    (void)version->as_integer(scenario_format_version, scenario_format_version);
  }
  Scenario scenario;
  scenario.model = absolute_unless_preset(file.at("model").as_string(), true, folder);
  scenario.machine = absolute_unless_preset(file.at("machine").as_string(), false, folder);
  scenario.nodes = read_int(file, "nodes", scenario.nodes, most_nodes);
  scenario.model = choice.model.value_or(scenario.model);
  if (const auto fabric = file.find("fabric")) {
    scenario.fabric = parse_fabric(fabric->as_string(), fabric->where());
  }
  scenario.machine = choice.machine.value_or(scenario.machine);
  scenario.nodes = choice.nodes.value_or(scenario.nodes);
  scenario.fabric = choice.fabric.value_or(scenario.fabric);

  auto& workload = scenario.workload;
  workload.batch_size = read_int(file, "batch_size", workload.batch_size, most_sequences);
  if (const auto isl = file.find("isl")) {
    workload.input_tokens = isl->as_integer(1, most_input_tokens);
  }
  if (const auto osl = file.find("osl")) {
    workload.output_tokens = osl->as_integer(1, most_output_tokens);
  }
  workload.precision = read_precision(file, scenario.model, choice);

  read_experts(file, folder, workload.experts);
  if (const auto mapping = file.find("mapping")) {
    scenario.mapping = mapping->as_string();
  }
  if (choice.framework) {
    use_framework(scenario, find_framework(*choice.framework, "--framework"), "--framework");
  } else if (const auto framework = file.find("framework")) {
    const auto name = framework_from(framework->as_string(), folder);
    use_framework(scenario, find_framework(name, framework->where()), framework->where());
  }
  if (!file.has("kv_cache_dtype")) {
    take_cache_of_framework(scenario);
  }
  if (const auto collectives = file.find("collectives")) {
    scenario.collectives =
        collective_algorithm_named(collectives->as_string(), collectives->where()).name;
  }
  if (const auto fidelity = file.find("fidelity")) {
    scenario.fidelity = fidelity_named(fidelity->as_string(), fidelity->where());
  }
  if (const auto launch = file.find("launch")) {
    scenario.launch = launch_mode_named(launch->as_string(), launch->where());
  }
  if (const auto order = file.find("ring_order")) {
    scenario.ring_order = ring_order_named(order->as_string(), order->where());
  }
  if (const auto fold = file.find("fold")) {
    scenario.fold = folding_named(fold->as_string(), fold->where());
  }
  if (const auto every = file.find("every_token")) {
    scenario.every_token = every->as_bool();
  }
  if (const auto layouts = file.find("layouts")) {
    scenario.layouts = read_layouts(*layouts, scenario);
  }
  return scenario;
}

} // namespace decodesim
