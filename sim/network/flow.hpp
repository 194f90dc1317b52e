#pragma once

#include "sim/network/collective_kind.hpp"
#include "sim/network/path.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace decodesim {

/// A transfer as the network sees it: a latency, then one fluid flow over a list of links that all
/// carry the same rate. A link that is listed twice carries the flow twice.
struct Flow {
  Seconds latency;
  Bytes bytes;                       ///< over each listed link
  std::optional<BytesPerSecond> cap; ///< most that software moves; none = the links alone decide
  std::vector<LinkDirection> links;
  /// (sender, receiver) member indices of every hop, for the device memory they read and write.
  std::vector<std::pair<int, int>> hops;

  /// Time on otherwise idle links: latency + bytes x max over links of (times listed / bandwidth).
  [[nodiscard]] Seconds
  idle_time(const std::function<BytesPerSecond(LinkDirection)>& bandwidth) const;
};

/// How collectives move their data. Enumerators (with hyphens) are the names used in flags and
/// files.
enum class CollectiveAlgorithm {
  ring,     ///< ring in the order found on the machine; broadcast as a chain
  one_shot, ///< every rank reads the whole array of every peer (direct all-reduce)
  two_shot, ///< direct reduce-scatter, then direct all-gather
  ideal     ///< bytes over bandwidth on the ring: no latency, no limit but the links
};

[[nodiscard]] std::string to_string(CollectiveAlgorithm algorithm);
[[nodiscard]] CollectiveAlgorithm collective_algorithm_named(const std::string& name,
                                                             const std::string& where);
[[nodiscard]] std::vector<std::string> collective_algorithm_names();

/// Way from member `from` to member `to` of a group.
using PathBetween = std::function<const Path&(int from, int to)>;
/// Software costs of a transport.
using CostOf = std::function<const TransportCost&(Transport)>;

/// One collective among `members` of a group (member order = ring order, member 0 is the root).
///
/// With S = total bytes, n members, hop = software hop + latency of the path of an edge:
/// - ring all-reduce: 2 (n-1)/n S over every edge; all-gather, reduce-scatter: (n-1)/n S;
///   broadcast: S along the chain of n-1 edges. Latency: base + the hops that the slowest piece
///   makes in a row: 2 (n-1) edges for all-reduce (twice around less the two adjacent edges that
///   are cheapest to skip), n-1 for the others.
/// - one-shot: every ordered pair moves S (all-reduce), S/n (all-gather, reduce-scatter); root to
///   each S (broadcast). Latency: base + the slowest hop.
/// - two-shot all-reduce: every ordered pair moves 2 S/n; latency base + two slowest hops. Others
/// as
///   one-shot.
/// - ideal: the ring's bytes, no latency, no cap.
/// The cap of direct algorithms is the GPU's, shared by its n-1 simultaneous peers.
///
/// Source: ring bytes as in nccl-tests doc/PERFORMANCE.md; latency term as in NCCL's cost model
/// (src/graph/tuning.cc: base + steps x hop).
/// @param members  at least 2
[[nodiscard]] Flow collective_flow(CollectiveAlgorithm algorithm,
                                   CollectiveKind kind,
                                   Bytes total_bytes,
                                   int members,
                                   const PathBetween& path,
                                   const CostOf& cost);

/// What all members of a collective receive together, in units of its array: n-1 for all-gather,
/// reduce-scatter and broadcast; for an all-reduce 2 (n-1), one-shot n (n-1).
[[nodiscard]] double
arrays_received(CollectiveAlgorithm algorithm, CollectiveKind kind, int members);

/// One message: base + hop + path latency, then its bytes along the path.
/// @param ideal  bytes over bandwidth alone
[[nodiscard]] Flow
message_flow(Bytes bytes, const Path& path, const TransportCost& cost, bool ideal);

} // namespace decodesim
