#pragma once

#include "sim/engine/timeline.hpp"
#include "validation/measure/run_file.hpp"

namespace decodesim {

/// One operation of a plan, played once: where its spans are looked up.
struct PlayedOperation {
  int rank = 0;
  int step = -1; ///< decode step; -1 in the prologue, the number of steps in the epilogue
  Part part = Part::prologue;
  int operation = 0; ///< index in the part of the rank's program

  auto operator<=>(const PlayedOperation&) const = default;
};

/// A measured span, and the operation that it measured.
struct MatchedSpan {
  PlayedOperation played;
  MeasuredSpan span;
};

/// Finds the operation of every measured span: by rank, part, name, layer, micro-batch and, where
/// several are the same in these, by order.
/// @throws InputError naming the run and the span when the plan has no such operation: the file and
///         the plan are not of one strategy
[[nodiscard]] std::vector<MatchedSpan> match(const Plan& plan, const PlanRun& run);

/// A plan each of whose streams is there twice, and a timeline that shows the simulation on the
/// first and the measurement on the second ("compute, measured"). Both begin at 0.
struct SideBySide {
  Plan plan;
  Timeline timeline;
};

[[nodiscard]] SideBySide
side_by_side(const Plan& plan, const Timeline& simulated, const std::vector<MatchedSpan>& measured);

} // namespace decodesim
