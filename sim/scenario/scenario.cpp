#include "sim/scenario/scenario.hpp"

#include "topologies/machine.hpp"

namespace decodesim {

Machine machine_of(const Scenario& scenario, const std::string& where) {
  return find_machine(scenario.machine, scenario.nodes, where, scenario.fabric);
}

} // namespace decodesim
