// Definitions that belong to the engine (to_string(CollectiveAlgorithm)) and to the strategies
// (Layout::tag), so that this branch links by itself. Delete this file when those arrive.
#include "sim/engine/simulate.hpp"
#include "strategies/layout.hpp"

namespace decodesim {

std::string to_string(CollectiveAlgorithm algorithm) {
  switch (algorithm) {
  case CollectiveAlgorithm::ring:
    return "ring";
  case CollectiveAlgorithm::one_shot:
    return "one-shot";
  case CollectiveAlgorithm::two_shot:
    return "two-shot";
  case CollectiveAlgorithm::ideal:
    return "ideal";
  }
  return "?";
}

std::string Layout::tag() const {
  if (ranks() == 1) {
    return "single";
  }
  if (strategy == "zero3") {
    return "zero3x" + std::to_string(dp);
  }
  std::string text = (dp > 1 ? "dp" + std::to_string(dp) : "") +
                     (tp > 1 ? "tp" + std::to_string(tp) : "") +
                     (pp > 1 ? "pp" + std::to_string(pp) : "");
  return pp > 1 ? text + "-" + schedule : text;
}

} // namespace decodesim
