#pragma once

#include "validation/comparison_report.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace decodesim {

/// What to take instead of what the file's system stands for.
struct CollectiveSystem {
  std::optional<std::string> machine; ///< preset or machine file
  std::optional<int> nodes;
  std::optional<std::string> collectives; ///< collective algorithm
};

/// Times of collectives beside their simulation.
/// @param file  nccl-tests output, or a CSV file of such results
/// @throws InputError when it is neither
[[nodiscard]] ComparisonReport validate_collectives(const std::filesystem::path& file,
                                                    const CollectiveSystem& system = {});

} // namespace decodesim
