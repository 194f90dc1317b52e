#pragma once

#include "validation/executor/plan_executor.hpp"
#include "validation/measure/run_file.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace decodesim {

/// What one rank measured: the same plan played with events around steps alone, and around every
/// operation.
struct RankRun {
  int rank = 0;
  RankTimes totals;
  RankTimes recorded; ///< without spans when none were asked for
};

/// Durations of the decode steps, us.
[[nodiscard]] std::vector<double> step_times_us(const RankTimes& times);

/// One rank's part of a run: {rank, steps, recorded_steps, operations, spans}. Spans are rows
/// [operation, step, start_us, duration_us] of the table of operations; step is -1 in the prologue,
/// and the number of decode steps in the epilogue.
[[nodiscard]] nlohmann::ordered_json rank_run_json(const Plan& plan, const RankRun& run);

/// What is said once about a run.
struct PlanRunHead {
  std::string name;     ///< "llama-3-8b tp8 shard 0"
  std::string scenario; ///< JSON
  std::string mode;     ///< "plain", "shard" or "shared"
  bool graph = false;
  std::string not_comparable; ///< why times mean nothing; empty = they may be compared
  std::string provenance;     ///< JSON
};

/// A run file of the kind "plan" with one run. A step's time is that of the slowest rank.
/// @param ranks       rank_run_json of each
/// @param most_bytes  as of run_file_text: spans of the last steps are left out until they fit
[[nodiscard]] std::string plan_run_text(const PlanRunHead& head,
                                        const std::vector<nlohmann::ordered_json>& ranks,
                                        std::size_t most_bytes = most_run_file_bytes);

} // namespace decodesim
