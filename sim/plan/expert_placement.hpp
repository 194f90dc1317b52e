#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace decodesim {

/// Which ep index has which expert. Enumerators (with hyphens) are the names used in flags and
/// files.
enum class PlacementKind {
  contiguous, ///< experts 0 to E/ep - 1 on ep index 0, and so on
  round_robin ///< expert e on ep index e mod ep
};

[[nodiscard]] std::string to_string(PlacementKind kind);
[[nodiscard]] std::vector<std::string> placement_names();
/// @throws InputError naming `where` and the known names
[[nodiscard]] PlacementKind placement_named(const std::string& name, const std::string& where);

/// The experts of one layer on the ep indices of a group.
class ExpertPlacement {
public:
  /// @param ep  divides the experts
  ExpertPlacement(PlacementKind kind, int experts, int ep);

  /// Gives each of the `copies` experts with the highest load one more copy, hottest first, on the
  /// ep index with the least load that does not have it and has a slot free, unless that would then
  /// be busier than the expert's home was. A copy takes half of its expert's load. No ep index gets
  /// more than `copies` / ep of them, rounded up, so that all reserve the same memory. Ties go to
  /// the lower number.
  ///
  /// The greedy rule of expert balancers (DeepSeek-AI, DeepSeek-V3, arXiv 2412.19437, section
  /// 3.4: redundant experts).
  /// @param load    of each expert
  /// @param copies  at most the number of experts; nothing happens when ep is 1
  void replicate(const std::vector<std::int64_t>& load, int copies);

  /// Ep indices that have the expert, its first home first.
  [[nodiscard]] const std::vector<int>& holders(int expert) const {
    return holders_[static_cast<std::size_t>(expert)];
  }

private:
  int ep_;
  std::vector<std::vector<int>> holders_; ///< by expert
};

/// Experts that each ep index has room for: its share and its share of the copies, rounded up.
[[nodiscard]] int expert_slots(int experts, int ep, int copies);

} // namespace decodesim
