#pragma once

#include "validation/case_file.hpp"
#include "validation/error_summary.hpp"

#include <string>
#include <utility>
#include <vector>

namespace decodesim {

/// Whether the simulation orders layouts as the measurements do.
struct LayoutRanking {
  int pairs =
      0; ///< of cases that differ in nothing but their layout, measured more than 10 % apart
  std::vector<std::pair<std::string, std::string>> wrong; ///< ids of those in the other order
};

/// @param cases  those of the rows, in their order; rows that are not in_overall do not count
[[nodiscard]] LayoutRanking rank_layouts(const std::vector<Case>& cases,
                                         const std::vector<Comparison>& rows);

} // namespace decodesim
