#pragma once

#include "validation/comparison_report.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace decodesim {

struct MeasuredOptions {
  std::optional<std::string> machine;            ///< instead of the one that runs name
  std::optional<std::filesystem::path> timeline; ///< both side by side; of a file with one run
  bool spans = false;                            ///< a row for each operation of each layer
};

/// Holds executed plans (a run file of kind "plan") against their simulation: the same scenario
/// builds the same plan, which is simulated with every span recorded. Rows, all of decode:
///
/// - "steps": the mean decode step. In shard mode both sides are the rank's own kernels alone;
/// - "kinds": a step's sum over the operations of a kind (kernel class, collective, message);
/// - "operations": a step's sum over the layers, by name;
/// - "spans", if asked for: each operation of each layer.
///
/// Means over the steps and ranks that the file has spans of. What a member of a collective spends
/// waiting for the others counts to its span, as events measure it. Runs that are not comparable
/// have one row, with the reason.
///
/// @throws InputError when the file is of probes, names another plan's operations, or the scenario
///         cannot run
[[nodiscard]] ComparisonReport validate_measured(const std::filesystem::path& file,
                                                 const MeasuredOptions& options);

} // namespace decodesim
