#pragma once

#include "sim/plan/operation.hpp"
#include "sim/plan/workload.hpp"
#include "sim/routing/routing.hpp"

#include <memory>
#include <vector>

namespace decodesim {

/// What a model with experts routes in a run.
[[nodiscard]] RoutedTokens routed_tokens(const Model& model, const Workload& workload);

/// Who has which tokens and which experts. Position of a rank in its stage = dp index x tp + tp
/// index. With ep = 0 every dp index has all experts, each sliced over its tp ranks; else the tp x
/// dp positions of a stage are one group, in which tp x dp / ep neighbours have slices of the same
/// experts.
struct ExpertGrid {
  int tp = 1;
  int pp = 1;
  int dp = 1;
  int ep = 0; ///< divides tp x dp and the experts
  /// [dp index][micro-batch]; sequences are numbered through in this order.
  std::vector<std::vector<int>> sequences;

  /// Positions that exchange tokens: tp x dp, or tp when ep is 0.
  [[nodiscard]] int members() const { return ep > 0 ? tp * dp : tp; }

  /// Groups of a stage.
  [[nodiscard]] int groups() const { return ep > 0 ? 1 : dp; }

  /// Neighbours that share each expert.
  [[nodiscard]] int shards() const { return ep > 0 ? tp * dp / ep : tp; }
};

/// What the routing gives one group to do in one layer, in one pass of one micro-batch.
struct ExpertLoad {
  std::vector<RoutedWork> work; ///< by member
  std::vector<SentRows> sent;   ///< pairs with rows, by sender, then receiver
  int experts_hit = 0;          ///< distinct experts over the group

  [[nodiscard]] std::int64_t rows_sent() const;
  /// Pairs of the busiest member over the mean; 1 = balanced, or nothing to do.
  [[nodiscard]] double imbalance() const;
};

/// One token and one of its experts.
struct RoutedPair {
  int dp = 0;             ///< dp index whose micro-batch the token is in
  std::int64_t token = 0; ///< in that micro-batch: sequence x new tokens + which of them
  int owner = 0;          ///< member that sends it
  int expert = 0;
  int index = 0; ///< ep index whose copy of the expert it goes to

  bool operator==(const RoutedPair&) const = default;
};

/// The routing table of a run, counted for a layout.
///
/// A rank that has an expert, or a slice of one, that a token goes to needs the token once, however
/// many of its experts the token hits. A rank of the token's own tp group has it already. To others
/// it is sent by its owner: the tokens of a tp group are cut into tp slices of neighbours, as equal
/// as possible, the first ones larger, and tp index i sends slice i. An expert with two copies gets
/// its tokens in turn.
///
/// Loads are worked out when asked for; of each layer, micro-batch and group the latest step is
/// kept.
class ExpertLoads {
public:
  /// @throws InputError when the routing does not suit the model
  ExpertLoads(const Model& model, ExpertGrid grid, const Workload& workload);

  /// @param step   decode step; 0 in the prologue
  /// @param layer  one with experts
  [[nodiscard]] const ExpertLoad&
  at(Part part, int step, int layer, int micro_batch, int group) const;

  /// The table itself: pairs by dp index, token and choice.
  [[nodiscard]] std::vector<RoutedPair>
  pairs(Part part, int step, int layer, int micro_batch, int group) const;

  /// Where the experts of a layer are.
  [[nodiscard]] const ExpertPlacement& placement(int layer) const {
    return placements_[placements_.size() == 1 ? 0 : static_cast<std::size_t>(layer)];
  }

  /// First sequence of a dp index's micro-batch, in the numbering over the whole batch.
  [[nodiscard]] std::int64_t first_sequence(int dp, int micro_batch) const {
    return first_sequence_[static_cast<std::size_t>(dp)][static_cast<std::size_t>(micro_batch)];
  }

  [[nodiscard]] const ExpertGrid& grid() const { return grid_; }

  [[nodiscard]] const ExpertSettings& settings() const { return settings_; }

  [[nodiscard]] int experts() const { return tokens_.experts; }

  [[nodiscard]] int experts_per_token() const { return tokens_.experts_per_token; }

  /// The group of a rank's stage that the rank is in, and its index there. Rank = (dp index x pp +
  /// stage) x tp + tp index.
  [[nodiscard]] int group_of(int rank) const;
  [[nodiscard]] int member_of(int rank) const;

  /// Largest over all members, layers and micro-batches of a part and all its steps, number by
  /// number.
  [[nodiscard]] const RoutedWork& most(Part part) const {
    return most_[part == Part::prologue ? 0 : 1];
  }

  /// Rows that the members of a group send in a dispatch, in the mean decode step; 0 without one.
  [[nodiscard]] double mean_rows_sent(int layer, int micro_batch, int group) const;

  /// Distinct experts hit in a layer by a pass, mean over decode steps (the prefill without any),
  /// layers, micro-batches and groups.
  [[nodiscard]] double mean_experts_hit() const { return mean_experts_hit_; }

  /// Load of the busiest member over the mean, mean over the same.
  [[nodiscard]] double mean_imbalance() const { return mean_imbalance_; }

private:
  struct Slot {
    int step = -1;
    ExpertLoad load;
  };

  void place_experts();
  void sum_up();
  [[nodiscard]] std::size_t slot_of(Part part, int layer, int micro_batch, int group) const;
  template <class Visit>
  void visit_pairs(Part part, int step, int layer, int micro_batch, int group, Visit visit) const;
  [[nodiscard]] ExpertLoad count(Part part, int step, int layer, int micro_batch, int group) const;

  ExpertSettings settings_;
  RoutedTokens tokens_;
  int layers_;
  ExpertGrid grid_;
  int micro_batches_;
  std::unique_ptr<Routing> routing_;
  std::vector<std::vector<std::int64_t>> first_sequence_; ///< [dp index][micro-batch]
  std::vector<ExpertPlacement> placements_;               ///< by layer; one for all without copies
  mutable std::vector<Slot> slots_;
  RoutedWork most_[2];
  std::vector<double> mean_rows_sent_; ///< by slot of the body, less those of the prologue
  double mean_experts_hit_ = 0;
  double mean_imbalance_ = 1;
};

} // namespace decodesim
