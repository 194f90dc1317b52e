#pragma once

#include "sim/engine/communication.hpp"
#include "sim/engine/fold.hpp"
#include "sim/engine/platform.hpp"
#include "sim/plan/program_index.hpp"

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace decodesim {

/// A piece that is ready to be started: its latency is slept, then its bytes cross the route.
struct PreparedPiece {
  int id = 0; ///< counts from 0 over all transfers
  double latency_s = 0;
  Bytes bytes;
  RouteId route = 0;
  /// Of all pieces that it stands for, with repetition.
  std::shared_ptr<const std::vector<LinkDirection>> links;
  int after = 0;         ///< pieces of the transfer that must be through before
  std::vector<int> next; ///< pieces of the transfer that wait for this one
};

/// It stands for all transfers like it.
struct PreparedTransfer {
  std::vector<PreparedPiece> pieces;
};

/// Where ranks meet for collectives: the same for all members that are played.
struct CommunicatorEnd {
  std::size_t communicator = 0; ///< counts from 0
  const PreparedTransfer* transfer = nullptr;
};

/// Where the ranks of a group meet for exchanges.
struct ExchangeEnd {
  std::size_t communicator = 0; ///< counts on from those of collectives
  std::size_t group = 0;        ///< counts from 0 over groups that exchange
};

/// Where a sender and a receiver meet.
struct ChannelEnd {
  std::size_t channel = 0; ///< counts from 0
  const PreparedTransfer* transfer = nullptr;
};

/// Every transfer of a plan, worked out on the machine's graph before the platform is sealed; which
/// ranks are played; and where these meet.
class PreparedTransfers {
public:
  /// @param indices        by program
  /// @param shares_memory  by program: its transfers may run beside its own kernels, so they cross
  ///                       the memory of its GPU
  PreparedTransfers(const Plan& plan,
                    const std::vector<ProgramIndex>& indices,
                    const Communication& communication,
                    const std::vector<bool>& shares_memory,
                    Folding folding,
                    Platform& platform);

  [[nodiscard]] const Fold& fold() const { return fold_; }

  /// By entry in ProgramIndex::collectives of a played rank's program.
  [[nodiscard]] const std::vector<CommunicatorEnd>& collectives(int rank) const {
    return ends_[static_cast<std::size_t>(rank)].collectives;
  }

  /// By entry in ProgramIndex::messages of a played rank's program.
  [[nodiscard]] const std::vector<ChannelEnd>& messages(int rank) const {
    return ends_[static_cast<std::size_t>(rank)].messages;
  }

  /// By entry in ProgramIndex::exchanges of a rank's program. Plans with exchanges do not fold.
  [[nodiscard]] const std::vector<ExchangeEnd>& exchanges(int rank) const {
    return ends_[static_cast<std::size_t>(rank)].exchanges;
  }

  /// What an exchange moves in one step.
  /// @param group  ExchangeEnd::group
  /// @param rows   between positions in the group
  [[nodiscard]] PreparedTransfer
  exchange(std::size_t group, const std::vector<SentRows>& rows, Bytes row_bytes) const;

  /// Played ranks that meet in each communicator.
  [[nodiscard]] const std::vector<int>& communicator_sizes() const { return communicator_sizes_; }

  /// (sender, receiver) of all that each channel stands for.
  [[nodiscard]] const std::vector<std::vector<std::pair<int, int>>>& channel_pairs() const {
    return channel_pairs_;
  }

  /// Pieces of all transfers that are played.
  [[nodiscard]] int piece_count() const { return piece_count_; }

private:
  struct Ends {
    std::vector<CommunicatorEnd> collectives;
    std::vector<ChannelEnd> messages;
    std::vector<ExchangeEnd> exchanges;
  };

  /// Ways between the members of a group, without bytes.
  struct ExchangeGroup {
    std::size_t members = 0;
    std::vector<PreparedPiece> pieces; ///< by sender x members + receiver
  };

  class Writer;

  void prepare_exchanges(const Plan& plan,
                         const std::vector<ProgramIndex>& indices,
                         const Communication& communication,
                         const std::vector<bool>& shares_memory,
                         Platform& platform);
  [[nodiscard]] ExchangeGroup ways_between(const std::vector<int>& ranks,
                                           int tp,
                                           Exchange::Direction direction,
                                           bool share_memory,
                                           const Communication& communication,
                                           Platform& platform);

  [[nodiscard]] PreparedTransfer ready(const Writer& writer, int transfer, Platform& platform);

  PreparedTransfers(const Plan& plan,
                    const std::vector<ProgramIndex>& indices,
                    const Writer& writer,
                    Folding folding,
                    Platform& platform);

  Fold fold_;
  std::vector<PreparedTransfer> transfers_; ///< that are played
  int piece_count_ = 0;
  std::vector<ExchangeGroup> exchange_groups_;
  std::vector<Ends> ends_; ///< by rank
  std::vector<int> communicator_sizes_;
  std::vector<std::vector<std::pair<int, int>>> channel_pairs_;
};

} // namespace decodesim
