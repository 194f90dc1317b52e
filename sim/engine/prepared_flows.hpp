#pragma once

#include "sim/engine/communication.hpp"
#include "sim/engine/platform.hpp"

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
  /// @param shares_memory  by rank: its transfers may run beside its own kernels, so they cross the
  ///                       memory of its GPU
  PreparedFlows(const Plan& plan,
                const Communication& communication,
                const std::vector<bool>& shares_memory,
                Platform& platform);

  [[nodiscard]] const PreparedFlow&
  collective(const GroupAxis& axis, int group, const Collective& collective) const;
  [[nodiscard]] const PreparedFlow& message(int from_rank, int to_rank, Bytes bytes) const;

  [[nodiscard]] int count() const { return count_; }

private:
  [[nodiscard]] PreparedFlow ready(const Flow& flow, const std::vector<int>& ranks);

  using CollectiveKey = std::tuple<const GroupAxis*, int, CollectiveKind, double>;
  using MessageKey = std::tuple<int, int, double>;

  const Communication& communication_;
  const std::vector<bool>& shares_memory_;
  Platform& platform_;
  std::map<CollectiveKey, PreparedFlow> collectives_;
  std::map<MessageKey, PreparedFlow> messages_;
  int count_ = 0;
};

} // namespace decodesim
