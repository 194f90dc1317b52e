#pragma once

#include "sim/plan/plan.hpp"

#include <cstdint>
#include <vector>

namespace decodesim {

/// Where one rank is in a plan, and what follows from that: its share of weights and sequences.
struct RankPlace {
  const Plan& plan;
  int rank = 0;
  int tp = 1;
  int tp_index = 0;
  int dp_index = 0;

  RankPlace(const Plan& plan, int rank);

  [[nodiscard]] const Program& program() const { return plan.program(rank); }

  /// Sequences of each micro-batch.
  [[nodiscard]] const std::vector<std::int64_t>& micro_batches() const { return micro_batches_; }

  /// First sequence of a micro-batch among those of the rank.
  [[nodiscard]] std::int64_t first_of(int micro_batch) const;

  /// The rank's first sequence, numbered over the whole batch.
  [[nodiscard]] std::int64_t first_sequence() const { return first_sequence_; }

  /// New tokens of each sequence in a pass of the part.
  [[nodiscard]] std::int64_t new_tokens(Part part) const {
    return part == Part::prologue ? plan.prompt_tokens : 1;
  }

private:
  std::vector<std::int64_t> micro_batches_;
  std::int64_t first_sequence_ = 0;
};

} // namespace decodesim
