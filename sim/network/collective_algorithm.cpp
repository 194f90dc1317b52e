#include "sim/network/collective_algorithm.hpp"

#include "sim/registry.hpp"

namespace decodesim {

std::string to_string(Fidelity fidelity) { return fidelity == Fidelity::flow ? "flow" : "step"; }

Fidelity fidelity_named(const std::string& name, const std::string& where) {
  for (const auto fidelity : {Fidelity::flow, Fidelity::step}) {
    if (name == to_string(fidelity)) {
      return fidelity;
    }
  }
  throw InputError::unknown_name(where, "fidelity", name, {"flow", "step"});
}

RegisterCollectiveAlgorithm::RegisterCollectiveAlgorithm(CollectiveAlgorithm algorithm) {
  Registry<CollectiveAlgorithm>::add(std::move(algorithm));
}

std::vector<CollectiveAlgorithm> collective_algorithms() {
  return Registry<CollectiveAlgorithm>::all();
}

const CollectiveAlgorithm& collective_algorithm_named(const std::string& name,
                                                      const std::string& where) {
  return Registry<CollectiveAlgorithm>::named(name, where, "collective algorithm");
}

} // namespace decodesim
