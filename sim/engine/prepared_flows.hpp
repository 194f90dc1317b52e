#pragma once

#include "sim/engine/platform.hpp"
#include "sim/engine/simulate.hpp"
#include "sim/error.hpp"
#include "topologies/routes.hpp"

#include <map>
#include <tuple>
#include <vector>

namespace decodesim {

/// A transfer that is ready to be started: its latency is slept, then its bytes cross the route.
struct PreparedFlow {
  int id = 0; ///< counts from 0
  double latency_s = 0;
  Bytes bytes;
  RouteId route = 0;
  std::vector<LinkDirection> links; ///< with repetition
};

/// Every transfer of a plan, worked out on the machine's graph before the platform is sealed.
class PreparedFlows {
public:
  /// @param shares_memory  by rank: its transfers may run beside its own kernels, so that they
  /// cross
  ///                       the GPU's memory
  PreparedFlows(const Plan& plan,
                const Machine& machine,
                const std::vector<int>& gpu_of_rank,
                const std::vector<bool>& shares_memory,
                const SimulationOptions& options,
                Platform& platform);

  [[nodiscard]] const PreparedFlow&
  collective(const GroupAxis& axis, int group, const Collective& collective) const;
  [[nodiscard]] const PreparedFlow& message(int from_rank, int to_rank, Bytes bytes) const;

  [[nodiscard]] int count() const { return count_; }

private:
  void prepare(const GroupAxis& axis, int group, const Collective& collective);
  void prepare(int from_rank, int to_rank, Bytes bytes);
  PreparedFlow ready(const Flow& flow, const std::vector<int>& ranks);
  const std::vector<int>& ring(const GroupAxis& axis, int group);

  using CollectiveKey = std::tuple<const GroupAxis*, int, CollectiveKind, double>;
  using MessageKey = std::tuple<int, int, double>;

  const Plan& plan_;
  const Machine& machine_;
  Routes routes_;
  const std::vector<int>& gpu_of_rank_;
  const std::vector<bool>& shares_memory_;
  const SimulationOptions& options_;
  Platform& platform_;
  std::map<Transport, TransportCost> costs_;
  std::map<std::pair<const GroupAxis*, int>, std::vector<int>> rings_; ///< ranks in ring order
  std::map<CollectiveKey, PreparedFlow> collectives_;
  std::map<MessageKey, PreparedFlow> messages_;
  int count_ = 0;
};

} // namespace decodesim
