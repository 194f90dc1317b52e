#pragma once

#include "sim/engine/simulate.hpp"
#include "sim/plan/critical_path.hpp"
#include "topologies/routes.hpp"

#include <map>
#include <utility>
#include <vector>

namespace decodesim {

/// A plan's communication on a machine: which flow each collective and message is. No SimGrid here.
class Communication {
public:
  /// All arguments must outlive this.
  Communication(const Plan& plan,
                const Machine& machine,
                const std::vector<int>& gpu_of_rank,
                const SimulationOptions& options);

  /// Ranks of a group in the order in which a ring visits them.
  [[nodiscard]] const std::vector<int>& members(const GroupAxis& axis, int group) const;

  /// Member indices of the flow's hops are positions in members().
  /// @throws SimulationError when the group has one rank
  [[nodiscard]] Flow
  collective(const GroupAxis& axis, int group, const Collective& collective) const;

  [[nodiscard]] Flow message(int from_rank, int to_rank, Bytes bytes) const;

  [[nodiscard]] const Machine& machine() const { return machine_; }

  [[nodiscard]] int gpu(int rank) const { return gpu_of_rank_[static_cast<std::size_t>(rank)]; }

private:
  const Plan& plan_;
  const Machine& machine_;
  const std::vector<int>& gpu_of_rank_;
  const SimulationOptions& options_;
  Routes routes_;
  std::map<Transport, TransportCost> costs_;
  mutable std::map<std::pair<const GroupAxis*, int>, std::vector<int>> rings_;
};

/// Longest path through a plan on a machine on which nothing contends and launches are free: a
/// lower bound for what simulate() finds.
/// @throws SimulationError as check() does
[[nodiscard]] CriticalPath critical_path(const Plan& plan,
                                         const Machine& machine,
                                         const std::vector<int>& gpu_of_rank,
                                         const SimulationOptions& options = {});

} // namespace decodesim
