#pragma once

#include "sim/result/format.hpp"
#include "validation/error_summary.hpp"
#include "validation/layout_ranking.hpp"

#include <optional>
#include <string>
#include <vector>

namespace decodesim {

inline constexpr int comparison_format_version = 1;

/// Measurements beside their simulations, as one command reports them.
struct ComparisonReport {
  std::string title; ///< "cases.csv: 274 cases"
  std::vector<Comparison> rows;
  std::vector<std::string> notes; ///< what was assumed for many rows at once; may be empty
  std::optional<LayoutRanking> ranking = {}; ///< of cases
};

/// Every row with its signed error, then errors per group and overall; rows that could not be
/// simulated stand with the reason. JSON: docs/formats.md.
[[nodiscard]] std::string
render(const ComparisonReport& report, OutputFormat format, bool colour = false);

} // namespace decodesim
