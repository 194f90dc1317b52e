#pragma once

#include "sim/plan/plan.hpp"

#include <functional>
#include <vector>

namespace decodesim {

/// How long operations take when nothing else runs.
struct OperationTimes {
  std::function<Seconds(int rank, const Kernel& kernel, StepContext at)> kernel;
  std::function<Seconds(const Collective& collective, const std::vector<int>& ranks)> collective;
  std::function<Seconds(int from_rank, int to_rank, Bytes bytes)> message;
  /// @param rows  that members of the group `ranks` send each other
  std::function<Seconds(
      const Exchange& exchange, const std::vector<int>& ranks, const std::vector<SentRows>& rows)>
      exchange = {};
};

/// Instants since the batch arrived.
struct CriticalPath {
  Seconds first_token;           ///< every sequence has its first token
  Seconds end;                   ///< every sequence has its last token
  std::vector<Seconds> step_end; ///< every sequence has the token of that decode step
};

/// Longest path through a plan: order within streams, events and messages, every operation at its
/// own time. It is a lower bound for every simulated time, and equals it when nothing contends and
/// launches are free.
/// @throws SimulationError as check() does
[[nodiscard]] CriticalPath critical_path(const Plan& plan, const OperationTimes& times);

} // namespace decodesim
