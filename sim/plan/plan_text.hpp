#pragma once

#include "sim/plan/plan.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace decodesim {

/// A plan for the eye: each program's operations in the order of issue with stream, flop and bytes,
/// sums per part, and the traffic of a decode step. Operations of the body are those of decode
/// step 0.
///
/// @param every_layer  print runs of layers that only differ in their number in full, not once
[[nodiscard]] std::string plan_text(const Plan& plan, bool every_layer = false);

/// The whole plan, every operation with its events and buffers. Keys: docs/formats.md.
[[nodiscard]] nlohmann::ordered_json plan_to_json(const Plan& plan);

/// "141.1 GB": three or four significant digits and a decimal prefix (1 GB = 1e9 B).
/// @param unit  "B", "flop"
[[nodiscard]] std::string with_prefix(double value, const std::string& unit);

} // namespace decodesim
