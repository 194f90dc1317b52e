#pragma once

#include "sim/scenario/scenario.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace decodesim {

/// "graph", "eager": the names used in flags and files.

/// "searched", "ranks": the names used in flags and files.
[[nodiscard]] std::string to_string(RingOrder order);
[[nodiscard]] std::string to_string(Folding folding);

/// The scenario with every default filled in, under the keys of a scenario file (docs/formats.md).
/// Each layout also has its tag, which a scenario file leaves out.
[[nodiscard]] nlohmann::ordered_json scenario_to_json(const Scenario& scenario);

/// The object that stands for one layout in a scenario file.
[[nodiscard]] nlohmann::ordered_json layout_to_json(const Layout& layout);

} // namespace decodesim
