#include "sim/host/launch_mode.hpp"

#include "sim/error.hpp"

namespace decodesim {

std::string to_string(LaunchMode mode) { return mode == LaunchMode::graph ? "graph" : "eager"; }

LaunchMode launch_mode_named(const std::string& name, const std::string& where) {
  for (const auto mode : {LaunchMode::graph, LaunchMode::eager}) {
    if (name == to_string(mode)) {
      return mode;
    }
  }
  throw InputError::unknown_name(
      where, "launch mode", name, {to_string(LaunchMode::graph), to_string(LaunchMode::eager)});
}

} // namespace decodesim
