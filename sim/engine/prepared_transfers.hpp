#pragma once

#include "sim/engine/communication.hpp"
#include "sim/engine/platform.hpp"

#include <map>
#include <tuple>
#include <vector>

namespace decodesim {

/// A piece that is ready to be started: its latency is slept, then its bytes cross the route.
struct PreparedPiece {
  int id = 0; ///< counts from 0 over all transfers
  double latency_s = 0;
  Bytes bytes;
  RouteId route = 0;
  std::vector<LinkDirection> links; ///< with repetition
  int after = 0;                    ///< pieces of the transfer that must be through before
  std::vector<int> next;            ///< pieces of the transfer that wait for this one
};

struct PreparedTransfer {
  std::vector<PreparedPiece> pieces;
};

/// Every transfer of a plan, worked out on the machine's graph before the platform is sealed.
class PreparedTransfers {
public:
  /// @param shares_memory  by rank: its transfers may run beside its own kernels, so they cross the
  ///                       memory of its GPU
  PreparedTransfers(const Plan& plan,
                    const Communication& communication,
                    const std::vector<bool>& shares_memory,
                    Platform& platform);

  [[nodiscard]] const PreparedTransfer&
  collective(const GroupAxis& axis, int group, const Collective& collective) const;
  [[nodiscard]] const PreparedTransfer& message(int from_rank, int to_rank, Bytes bytes) const;

  /// Pieces of all transfers.
  [[nodiscard]] int piece_count() const { return piece_count_; }

private:
  [[nodiscard]] PreparedTransfer ready(const Transfer& transfer, const std::vector<int>& ranks);

  using CollectiveKey = std::tuple<const GroupAxis*, int, CollectiveKind, double>;
  using MessageKey = std::tuple<int, int, double>;

  const Communication& communication_;
  const std::vector<bool>& shares_memory_;
  Platform& platform_;
  std::map<CollectiveKey, PreparedTransfer> collectives_;
  std::map<MessageKey, PreparedTransfer> messages_;
  int piece_count_ = 0;
};

} // namespace decodesim
