#include "sim/scenario/scenario_json.hpp"

#include <nlohmann/json.hpp>

namespace decodesim {

std::string to_string(RingOrder order) {
  return order == RingOrder::searched ? "searched" : "ranks";
}

std::string to_string(Folding folding) { return folding == Folding::none ? "none" : "auto"; }

nlohmann::ordered_json layout_to_json(const Layout& layout) {
  nlohmann::ordered_json json;
  json["tag"] = layout.tag();
  json["strategy"] = layout.strategy;
  json["tp"] = layout.tp;
  json["pp"] = layout.pp;
  json["dp"] = layout.dp;
  json["ep"] = layout.ep;
  json["schedule"] = layout.schedule;
  json["micro_batches"] = layout.micro_batches;
  json["virtual_stages"] = layout.virtual_stages;
  json["prefetch"] = layout.prefetch;
  json["stage_layers"] = layout.stage_layers;
  return json;
}

nlohmann::ordered_json scenario_to_json(const Scenario& scenario) {
  const Workload& workload = scenario.workload;
  nlohmann::ordered_json json;
  json["model"] = scenario.model;
  json["machine"] = scenario.machine;
  json["nodes"] = scenario.nodes;
  json["fabric"] = to_string(scenario.fabric);
  json["batch_size"] = workload.batch_size;
  json["isl"] = workload.input_tokens;
  json["osl"] = workload.output_tokens;
  json["dtype"] = to_string(workload.precision.weights);
  if (workload.precision.experts) {
    json["expert_dtype"] = to_string(*workload.precision.experts);
  }
  json["kv_cache_dtype"] = to_string(workload.precision.kv_cache);
  json["routing"] = workload.experts.routing;
  json["seed"] = workload.experts.seed;
  json["expert_placement"] = to_string(workload.experts.placement);
  json["replicated_experts"] = workload.experts.copies;
  json["moe_exchange"] = to_string(workload.experts.exchange);
  json["moe_kernels"] = workload.experts.kernels;
  json["mapping"] = scenario.mapping;
  json["collectives"] = scenario.collectives;
  json["fidelity"] = to_string(scenario.fidelity);
  json["framework"] = scenario.framework.reference;
  json["launch"] = to_string(scenario.launch);
  json["ring_order"] = to_string(scenario.ring_order);
  json["fold"] = to_string(scenario.fold);
  json["every_token"] = scenario.every_token;
  json["layouts"] = nlohmann::ordered_json::array();
  for (const Layout& layout : scenario.layouts) {
    json["layouts"].push_back(layout_to_json(layout));
  }
  return json;
}

} // namespace decodesim
