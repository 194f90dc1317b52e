#include "sim/scenario/scenario.hpp"

#include "topologies/machine.hpp"

#include <utility>

namespace decodesim {

void use_framework(Scenario& scenario, Framework framework, const std::string& where) {
  scenario.launch = framework.launch;
  scenario.collectives = collective_algorithm_named(framework.collectives, where).name;
  scenario.workload.traits = framework.program();
  scenario.framework = std::move(framework);
}

void take_cache_of_framework(Scenario& scenario) {
  auto& precision = scenario.workload.precision;
  if (scenario.workload.traits.fp8_cache && precision.weights == DataType::fp8) {
    precision.kv_cache = DataType::fp8;
  }
}

Machine machine_of(const Scenario& scenario, const std::string& where) {
  return find_machine(scenario.machine, scenario.nodes, where, scenario.fabric);
}

} // namespace decodesim
