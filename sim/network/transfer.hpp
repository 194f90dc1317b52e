#pragma once

#include "sim/network/path.hpp"

#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace decodesim {

/// What the communication software of one member moves at most in one direction, all its flows
/// together.
struct SharedCap {
  int member = 0;
  bool sends = false;
  BytesPerSecond bandwidth;

  auto operator<=>(const SharedCap&) const = default;
};

/// A fluid flow over a list of links that all carry the same rate. A link that is listed twice
/// carries the flow twice.
struct Flow {
  Bytes bytes;                       ///< over each listed link
  std::optional<BytesPerSecond> cap; ///< most that software moves; none = the links alone decide
  std::vector<LinkDirection> links;
  /// (sender, receiver) member indices of every hop, for the device memory they read and write.
  std::vector<std::pair<int, int>> hops;
  std::vector<SharedCap> shared_caps = {};
};

/// Bandwidth of one direction of a link.
using BandwidthOf = std::function<BytesPerSecond(LinkDirection)>;

/// Part of a transfer: when the pieces that it comes after are through, a latency, then a flow.
struct Piece {
  Seconds latency;
  Flow flow;
  std::vector<int> after = {}; ///< indices of earlier pieces

  /// Time on otherwise idle links: latency + bytes x max over links of (times listed / bandwidth).
  [[nodiscard]] Seconds idle_time(const BandwidthOf& bandwidth) const;
};

/// A collective or message as the network sees it: pieces that run at once unless one comes after
/// another. It is through when the last is.
struct Transfer {
  std::vector<Piece> pieces; ///< at least one

  /// Least time on otherwise idle links: the longest path through the pieces, each at its own idle
  /// time, and no link or shared cap faster than all its bytes allow. Exact for a single piece and
  /// for pieces one after another.
  [[nodiscard]] Seconds idle_time(const BandwidthOf& bandwidth) const;

  /// Appends a piece. @return its index
  int add(Piece piece);
};

/// One of several messages at once, between members of a group: base + hop + path latency, then its
/// bytes along the path. What a member moves at most, it moves to all its peers together.
/// @param ideal  bytes over bandwidth alone
[[nodiscard]] Piece exchange_piece(
    int from, int to, Bytes bytes, const Path& path, const TransportCost& cost, bool ideal);

/// One message: base + hop + path latency, then its bytes along the path.
/// @param ideal  bytes over bandwidth alone
[[nodiscard]] Transfer
message_transfer(Bytes bytes, const Path& path, const TransportCost& cost, bool ideal);

} // namespace decodesim
