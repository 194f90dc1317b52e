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

Machine machine_of(const Scenario& scenario, const std::string& where) {
  return find_machine(scenario.machine, scenario.nodes, where, scenario.fabric);
}

} // namespace decodesim
