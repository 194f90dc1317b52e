#pragma once

#include "sim/engine/simulate.hpp"
#include "sim/plan/workload.hpp"
#include "strategies/layout.hpp"
#include "topologies/fabric.hpp"

#include <string>
#include <vector>

namespace decodesim {

struct Machine;

/// One input: a model, a machine, a workload and the layouts to simulate it with.
struct Scenario {
  std::string model;   ///< preset name, config.json or its folder
  std::string machine; ///< preset name or machine file
  int nodes = 1;
  Fabric fabric; ///< between the nodes
  Workload workload;
  std::vector<Layout> layouts; ///< one for `run`, several for `compare`
  /// "tp,pp,dp" in any order, innermost first, or GPU indices "0,4,1,5"
  std::string mapping = "tp,pp,dp";
  std::string collectives = "ring"; ///< a registered collective algorithm
  Fidelity fidelity = Fidelity::flow;
  Framework framework; ///< set by use_framework
  LaunchMode launch = LaunchMode::graph;
  RingOrder ring_order = RingOrder::searched;
  Folding fold = Folding::automatic;
  bool every_token = false; ///< no decode step is interpolated
};

/// Sets the framework, launch mode and collectives to what it uses, and what its programs do.
/// @throws InputError naming `where` when it names no known collectives
void use_framework(Scenario& scenario, Framework framework, const std::string& where);

/// Puts the cache in fp8 where weights are, if the framework does that (fp8_cache). For scenarios
/// that name no type of cache.
void take_cache_of_framework(Scenario& scenario);

/// The machine of a scenario. @throws InputError as find_machine, naming `where`
[[nodiscard]] Machine machine_of(const Scenario& scenario, const std::string& where);

} // namespace decodesim
