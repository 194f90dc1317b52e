#include "sim/plan/expert_placement.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace decodesim {

namespace {

constexpr std::array<std::pair<PlacementKind, const char*>, 2> placements{
    {{PlacementKind::contiguous, "contiguous"}, {PlacementKind::round_robin, "round-robin"}}};

} // namespace

std::string to_string(PlacementKind kind) {
  return kind == PlacementKind::contiguous ? placements[0].second : placements[1].second;
}

std::vector<std::string> placement_names() { return {placements[0].second, placements[1].second}; }

PlacementKind placement_named(const std::string& name, const std::string& where) {
  for (const auto& [kind, known] : placements) {
    if (name == known) {
      return kind;
    }
  }
  throw InputError::unknown_name(where, "expert placement", name, placement_names());
}

ExpertPlacement::ExpertPlacement(PlacementKind kind, int experts, int ep) : ep_{ep} {
  const int share = experts / ep;
  for (int expert = 0; expert < experts; ++expert) {
    holders_.push_back({kind == PlacementKind::contiguous ? expert / share : expert % ep});
  }
}

void ExpertPlacement::replicate(const std::vector<std::int64_t>& load, int copies) {
  if (ep_ == 1) {
    return;
  }
  std::vector<int> hottest(load.size());
  std::iota(hottest.begin(), hottest.end(), 0);
  std::stable_sort(hottest.begin(), hottest.end(), [&](int a, int b) {
    return load[static_cast<std::size_t>(a)] > load[static_cast<std::size_t>(b)];
  });
  std::vector<double> load_of(static_cast<std::size_t>(ep_), 0.0);
  for (std::size_t expert = 0; expert < load.size(); ++expert) {
    load_of[static_cast<std::size_t>(holders_[expert].front())] +=
        static_cast<double>(load[expert]);
  }
  const int room = (copies + ep_ - 1) / ep_;
  std::vector<int> used(static_cast<std::size_t>(ep_), 0);
  for (int i = 0; i < copies; ++i) {
    const auto expert = static_cast<std::size_t>(hottest[static_cast<std::size_t>(i)]);
    const int home = holders_[expert].front();
    int best = -1;
    for (int index = 0; index < ep_; ++index) {
      const auto at = static_cast<std::size_t>(index);
      if (index != home && used[at] < room &&
          (best < 0 || load_of[at] < load_of[static_cast<std::size_t>(best)])) {
        best = index;
      }
    }
    const double half = static_cast<double>(load[expert]) / 2;
    if (best < 0 ||
        load_of[static_cast<std::size_t>(best)] + half >= load_of[static_cast<std::size_t>(home)]) {
      continue; // no slot is left but at home, or none that would not be busier then
    }
    load_of[static_cast<std::size_t>(home)] -= half;
    load_of[static_cast<std::size_t>(best)] += half;
    ++used[static_cast<std::size_t>(best)];
    holders_[expert].push_back(best);
  }
}

int expert_slots(int experts, int ep, int copies) {
  return experts / ep + (ep == 1 ? 0 : (copies + ep - 1) / ep);
}

} // namespace decodesim
