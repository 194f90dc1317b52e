#include "validation/layout_ranking.hpp"

#include <algorithm>
#include <map>

namespace decodesim {

namespace {

/// What two cases share that differ in their layout, and perhaps in their engine.
std::string workload_key(const Case& one) {
  std::string key;
  for (const auto& part : {one.source,
                           one.model,
                           one.gpu,
                           one.batch,
                           one.prompt_tokens,
                           one.output_tokens,
                           one.metric,
                           one.unit}) {
    key += part + "\n";
  }
  return key;
}

bool same_layout(const Case& a, const Case& b) {
  return a.tp == b.tp && a.pp == b.pp && a.ep == b.ep && a.dp == b.dp && a.nodes == b.nodes &&
         a.strategy == b.strategy;
}

} // namespace

LayoutRanking rank_layouts(const std::vector<Case>& cases, const std::vector<Comparison>& rows) {
  constexpr double least_gap = 1.1;
  std::map<std::string, std::vector<std::size_t>> alike;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].in_overall && rows[i].simulated) {
      alike[workload_key(cases[i])].push_back(i);
    }
  }
  LayoutRanking ranking;
  for (const auto& [key, members] : alike) {
    for (std::size_t a = 0; a < members.size(); ++a) {
      for (std::size_t b = a + 1; b < members.size(); ++b) {
        const auto& first = rows[members[a]];
        const auto& second = rows[members[b]];
        const auto [least, most] = std::minmax(first.measured, second.measured);
        if (most < least_gap * least || same_layout(cases[members[a]], cases[members[b]])) {
          continue;
        }
        ++ranking.pairs;
        if ((first.measured < second.measured) != (*first.simulated < *second.simulated)) {
          ranking.wrong.emplace_back(first.id, second.id);
        }
      }
    }
  }
  return ranking;
}

} // namespace decodesim
