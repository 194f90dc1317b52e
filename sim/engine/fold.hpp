#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace decodesim {

/// What a plan's communication uses on a machine, without times: ranks, transfers and resources
/// (directions of links, memories of GPUs) by number.
struct CommunicationGraph {
  struct Transfer {
    std::int64_t shape =
        0; ///< equal for transfers of equal latencies, bytes, caps and order of pieces
    bool message = false;   ///< ranks are sender and receiver; else the members of a group
    std::vector<int> ranks; ///< of a message
    std::vector<std::vector<int>> resources; ///< of each piece: what it crosses, with repetition
  };

  /// Messages between two ranks that match in order.
  struct Channel {
    std::int64_t communicator = 0; ///< axis and name
    int from = 0;
    int to = 0;
  };

  std::vector<int> role_of_rank;
  /// Of each rank, in an order that ranks of one role share: ranks of a role do the same with the
  /// transfers at the same place.
  std::vector<std::vector<int>> transfers_of_rank;
  std::vector<std::int64_t> kind_of_resource; ///< equal for equal bandwidths
  std::vector<int> rank_of_resource;          ///< whose GPU's memory it is; -1 for links
  std::vector<Transfer> transfers;
  std::vector<Channel> channels;
};

/// Ranks that do the same at the same times, so that one of them can be played for all.
///
/// Ranks, transfers and resources are divided into classes such that the members of a class see the
/// same: ranks of a class have one role, their transfers are of equal classes and so is their
/// memory; transfers of a class have one shape, equally many ranks of each class take part, as the
/// same of their transfers, and equally many resources of each class are crossed; resources of a
/// class are as wide, and equally many pieces of each class cross them. Such a division keeps
/// itself up: as long as members of each class are in equal states, their next arrivals are at
/// equal instants, and max-min sharing gives their flows equal rates, since it freezes flows link
/// by link in an order that depends on these counts alone. So members of a class never come apart,
/// whether or not they share links.
///
/// The classes are the largest that hold (found by refinement until nothing splits), so that they
/// need no knowledge of axes: ranks of a tensor-parallel group, replicas and ZeRO ranks fold alike.
///
/// Reference: equitable partitions, e.g. Godsil and Royle, Algebraic Graph Theory, section 9.3.
class Fold {
public:
  /// @param fold  false: every rank stands for itself
  Fold(const CommunicationGraph& graph, bool fold);

  /// The first of the rank's class, which is played.
  [[nodiscard]] int rank(int number) const { return first(rank_classes_, number); }

  [[nodiscard]] int transfer(int number) const { return first(transfer_classes_, number); }

  [[nodiscard]] int resource(int number) const { return first(resource_classes_, number); }

  /// Ranks of the class of a rank, itself included, ascending.
  [[nodiscard]] const std::vector<int>& ranks_like(int number) const {
    return rank_classes_.members[class_of(rank_classes_, number)];
  }

  [[nodiscard]] const std::vector<int>& transfers_like(int number) const {
    return transfer_classes_.members[class_of(transfer_classes_, number)];
  }

  /// What all pieces of this class together put on one resource of each class that they cross: the
  /// class's first resource, as often as each of its members is crossed.
  [[nodiscard]] std::vector<int>
  load(const CommunicationGraph& graph, int transfer, std::size_t piece) const;

  [[nodiscard]] int played_ranks() const { return static_cast<int>(rank_classes_.members.size()); }

private:
  struct Classes {
    std::vector<int> of;                   ///< class by number
    std::vector<std::vector<int>> members; ///< numbers by class, ascending
  };

  static std::size_t class_of(const Classes& classes, int number) {
    return static_cast<std::size_t>(classes.of[static_cast<std::size_t>(number)]);
  }

  static int first(const Classes& classes, int number) {
    return classes.members[class_of(classes, number)].front();
  }

  [[nodiscard]] bool channels_pair_up(const CommunicationGraph& graph) const;
  void refine(const CommunicationGraph& graph);
  void stand_alone(const CommunicationGraph& graph);

  Classes rank_classes_;
  Classes transfer_classes_;
  Classes resource_classes_;
};

} // namespace decodesim
