#include "sim/network/transfer.hpp"

#include <algorithm>
#include <map>

namespace decodesim {

Seconds Piece::idle_time(const BandwidthOf& bandwidth) const {
  std::map<LinkDirection, int> times_listed;
  for (const auto link : flow.links) {
    ++times_listed[link];
  }
  Seconds slowest;
  for (const auto& [link, times] : times_listed) {
    slowest = std::max(slowest, static_cast<double>(times) * flow.bytes / bandwidth(link));
  }
  if (flow.cap) {
    slowest = std::max(slowest, flow.bytes / *flow.cap);
  }
  for (const auto& cap : flow.shared_caps) {
    slowest = std::max(slowest, flow.bytes / cap.bandwidth);
  }
  return latency + slowest;
}

namespace {

Seconds longest_path(const std::vector<Piece>& pieces, const BandwidthOf& bandwidth) {
  std::vector<Seconds> end(pieces.size());
  Seconds last;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Seconds start;
    for (const int before : pieces[i].after) {
      start = std::max(start, end[static_cast<std::size_t>(before)]);
    }
    end[i] = start + pieces[i].idle_time(bandwidth);
    last = std::max(last, end[i]);
  }
  return last;
}

} // namespace

Seconds Transfer::idle_time(const BandwidthOf& bandwidth) const {
  const auto path = longest_path(pieces, bandwidth);
  if (pieces.size() == 1) {
    return path;
  }
  std::map<LinkDirection, Bytes> carried;
  std::map<SharedCap, Bytes> moved;
  auto first_byte = pieces.front().latency;
  for (const auto& piece : pieces) {
    if (piece.after.empty()) {
      first_byte = std::min(first_byte, piece.latency);
    }
    for (const auto link : piece.flow.links) {
      carried[link] += piece.flow.bytes;
    }
    for (const auto& cap : piece.flow.shared_caps) {
      moved[cap] += piece.flow.bytes;
    }
  }
  Seconds busiest;
  for (const auto& [link, bytes] : carried) {
    busiest = std::max(busiest, bytes / bandwidth(link));
  }
  for (const auto& [cap, bytes] : moved) {
    busiest = std::max(busiest, bytes / cap.bandwidth);
  }
  return std::max(path, first_byte + busiest);
}

int Transfer::add(Piece piece) {
  pieces.push_back(std::move(piece));
  return static_cast<int>(pieces.size()) - 1;
}

Piece exchange_piece(
    int from, int to, Bytes bytes, const Path& path, const TransportCost& cost, bool ideal) {
  Piece piece{.latency = ideal ? Seconds{} : cost.base + cost.hop + path.latency,
              .flow = {.bytes = bytes, .cap = {}, .links = path.links, .hops = {{from, to}}}};
  if (!ideal) {
    piece.flow.shared_caps = {{.member = from, .sends = true, .bandwidth = cost.bandwidth},
                              {.member = to, .sends = false, .bandwidth = cost.bandwidth}};
  }
  return piece;
}

Transfer message_transfer(Bytes bytes, const Path& path, const TransportCost& cost, bool ideal) {
  Transfer transfer;
  transfer.add({.latency = ideal ? Seconds{} : cost.base + cost.hop + path.latency,
                .flow = {.bytes = bytes,
                         .cap = ideal ? std::nullopt : std::optional{cost.bandwidth},
                         .links = path.links,
                         .hops = {{0, 1}}}});
  return transfer;
}

} // namespace decodesim
