#pragma once

#include "sim/engine/simulate.hpp"
#include "sim/plan/critical_path.hpp"
#include "topologies/routes.hpp"

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace decodesim {

/// A plan's communication on a machine: which transfer each collective and message is. No SimGrid
/// here.
class Communication {
public:
  /// All arguments must outlive this.
  /// @throws InputError when there is no such collective algorithm
  Communication(const Plan& plan,
                const Machine& machine,
                const std::vector<int>& gpu_of_rank,
                const SimulationOptions& options);
  ~Communication();

  /// Ranks of a group in the order in which a ring visits them.
  [[nodiscard]] const std::vector<int>& members(const GroupAxis& axis, int group) const;

  /// The group as its collectives see it; of one rank it has no channels.
  [[nodiscard]] const GroupNetwork& network(const GroupAxis& axis, int group) const;

  /// Member indices of the flows' hops are positions in members().
  /// @throws SimulationError when the group has one rank
  /// @throws LayoutError when the algorithm cannot run on the group
  [[nodiscard]] Transfer
  collective(const GroupAxis& axis, int group, const Collective& collective) const;

  /// Rows between members of a group, all pairs at once: a piece for each.
  /// @param rows  between positions in the axis's group; may be empty, and so is the transfer then
  [[nodiscard]] Transfer exchange(const std::vector<int>& ranks,
                                  const std::vector<SentRows>& rows,
                                  Bytes row_bytes,
                                  Exchange::Direction direction) const;

  /// The same for `copies` of each row, by kernels of that name (exchange_kernel_names()).
  [[nodiscard]] Transfer exchange_by(const std::string& kernels,
                                     double copies,
                                     const std::vector<int>& ranks,
                                     const std::vector<SentRows>& rows,
                                     Bytes row_bytes,
                                     Exchange::Direction direction) const;

  [[nodiscard]] Transfer message(int from_rank, int to_rank, Bytes bytes) const;

  [[nodiscard]] const Machine& machine() const { return machine_; }

  [[nodiscard]] int gpu(int rank) const { return gpu_of_rank_[static_cast<std::size_t>(rank)]; }

private:
  class Group;

  [[nodiscard]] int compute_capability() const;

  [[nodiscard]] const Group& group(const GroupAxis& axis, int group) const;
  [[nodiscard]] std::vector<int> ring_order(const GroupAxis& axis, int group) const;

  const Plan& plan_;
  const Machine& machine_;
  const std::vector<int>& gpu_of_rank_;
  const SimulationOptions& options_;
  Routes routes_;
  std::map<Transport, TransportCost> costs_;
  const CollectiveAlgorithm& algorithm_;
  mutable std::map<std::pair<const GroupAxis*, int>, std::unique_ptr<Group>> groups_;
};

/// Longest path through a plan on a machine on which nothing contends and launches are free: a
/// lower bound for what simulate() finds.
/// @throws SimulationError as check() does
[[nodiscard]] CriticalPath critical_path(const Plan& plan,
                                         const Machine& machine,
                                         const std::vector<int>& gpu_of_rank,
                                         const SimulationOptions& options = {});

} // namespace decodesim
