#include "sim/network/ring_pieces.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

namespace decodesim {

namespace {

Seconds sum(const std::vector<Seconds>& hops) {
  Seconds total;
  for (const auto hop : hops) {
    total += hop;
  }
  return total;
}

/// Latency of the piece of data that makes most hops in a row.
/// @param hops  of every edge; of a broadcast those of its chain
Seconds ring_latency(CollectiveKind kind, const std::vector<Seconds>& hops) {
  if (kind == CollectiveKind::broadcast) {
    return sum(hops);
  }
  if (kind != CollectiveKind::all_reduce) {
    return sum(hops) - *std::min_element(hops.begin(), hops.end());
  }
  auto skipped = hops.back() + hops.front();
  for (std::size_t i = 1; i < hops.size(); ++i) {
    skipped = std::min(skipped, hops[i - 1] + hops[i]);
  }
  return 2.0 * sum(hops) - skipped;
}

/// The edges that are used, and what software adds to them.
class Rings {
public:
  Rings(const RingWork& work, const GroupNetwork& group) : work_{work}, group_{group} {
    std::map<std::pair<int, Transport>, int> leaving;
    for (const auto& ring : work.rings) {
      const std::size_t used =
          ring.size() - (work.kind == CollectiveKind::broadcast ? std::size_t{1} : 0);
      auto& edges =
          edges_.emplace_back(ring.begin(), ring.begin() + static_cast<std::ptrdiff_t>(used));
      for (const auto& edge : edges) {
        const auto& cost = group.cost(edge.path->transport);
        base_ = std::max(base_, cost.base);
        const int shared_by = ++leaving[{edge.from, edge.path->transport}];
        const auto share = cost.bandwidth / static_cast<double>(shared_by);
        cap_ = cap_ ? std::min(*cap_, share) : share;
      }
    }
  }

  [[nodiscard]] const std::vector<std::vector<RingEdge>>& edges() const { return edges_; }

  [[nodiscard]] Seconds base() const { return work_.starts ? base_ : Seconds{}; }

  [[nodiscard]] std::optional<BytesPerSecond> cap() const { return cap_; }

  [[nodiscard]] Seconds hop(const RingEdge& edge) const {
    return group_.cost(edge.path->transport).hop + edge.path->latency;
  }

  [[nodiscard]] Seconds latency() const {
    Seconds slowest;
    for (const auto& ring : edges_) {
      std::vector<Seconds> hops;
      for (const auto& edge : ring) {
        hops.push_back(hop(edge));
      }
      slowest = std::max(slowest, ring_latency(work_.kind, hops));
    }
    return base() + slowest;
  }

private:
  const RingWork& work_;
  const GroupNetwork& group_;
  std::vector<std::vector<RingEdge>> edges_;
  Seconds base_;
  std::optional<BytesPerSecond> cap_;
};

void add_edge(Flow& flow, const RingEdge& edge) {
  flow.links.insert(flow.links.end(), edge.path->links.begin(), edge.path->links.end());
  flow.hops.emplace_back(edge.from, edge.to);
}

int add_flow(Transfer& transfer, const RingWork& work, const Rings& rings) {
  const auto n = static_cast<double>(work.rings.front().size());
  const double share = work.kind == CollectiveKind::broadcast    ? 1.0
                       : work.kind == CollectiveKind::all_reduce ? 2.0 * (n - 1.0) / n
                                                                 : (n - 1.0) / n;
  Piece piece{.latency = rings.latency(),
              .flow = {.bytes = share * work.bytes, .cap = rings.cap(), .links = {}, .hops = {}},
              .after = work.after};
  for (const auto& ring : rings.edges()) {
    for (const auto& edge : ring) {
      add_edge(piece.flow, edge);
    }
  }
  return transfer.add(std::move(piece));
}

/// Every member forwards what it received in the step before.
void add_ring_steps(Transfer& transfer,
                    const RingWork& work,
                    const Rings& rings,
                    const std::vector<RingEdge>& ring,
                    std::vector<int>& last) {
  const auto n = ring.size();
  const auto steps = (work.kind == CollectiveKind::all_reduce ? 2 : 1) * (n - 1);
  std::vector<int> before(n);
  for (std::size_t step = 0; step < steps; ++step) {
    std::vector<int> now(n);
    for (std::size_t i = 0; i < n; ++i) {
      Piece piece{.latency = rings.hop(ring[i]) + (step == 0 ? rings.base() : Seconds{}),
                  .flow = {.bytes = work.bytes / static_cast<double>(n),
                           .cap = rings.cap(),
                           .links = {},
                           .hops = {}},
                  .after = step == 0 ? work.after : std::vector{before[(i + n - 1) % n]}};
      add_edge(piece.flow, ring[i]);
      now[i] = transfer.add(std::move(piece));
    }
    before = std::move(now);
  }
  last.insert(last.end(), before.begin(), before.end());
}

/// Chunks follow one another along the chain; the first pays the latency.
void add_chain_steps(Transfer& transfer,
                     const RingWork& work,
                     const Rings& rings,
                     const std::vector<RingEdge>& chain,
                     std::vector<int>& last) {
  const int chunks = chunk_count(work.bytes);
  std::vector<int> ahead(chain.size(), -1); // the chunk before, by edge
  for (int chunk = 0; chunk < chunks; ++chunk) {
    for (std::size_t i = 0; i < chain.size(); ++i) {
      Piece piece{.latency = {},
                  .flow = {.bytes = work.bytes / static_cast<double>(chunks),
                           .cap = rings.cap(),
                           .links = {},
                           .hops = {}},
                  .after = {}};
      if (chunk == 0) {
        piece.latency = rings.hop(chain[i]) + (i == 0 ? rings.base() : Seconds{});
      } else {
        piece.after.push_back(ahead[i]);
      }
      if (i > 0) {
        piece.after.push_back(ahead[i - 1]);
      } else if (chunk == 0) {
        piece.after = work.after;
      }
      add_edge(piece.flow, chain[i]);
      ahead[i] = transfer.add(std::move(piece));
    }
  }
  last.push_back(ahead.back());
}

} // namespace

int chunk_count(Bytes bytes) {
  const auto chunk = std::clamp(bytes / 8.0, least_chunk_bytes, chunk_bytes);
  return std::max(1, static_cast<int>(std::ceil(bytes / chunk)));
}

std::vector<int>
add_rings(Transfer& transfer, const RingWork& work, Fidelity fidelity, const GroupNetwork& group) {
  const Rings rings{work, group};
  if (fidelity == Fidelity::flow) {
    return {add_flow(transfer, work, rings)};
  }
  std::vector<int> last;
  for (const auto& ring : rings.edges()) {
    (work.kind == CollectiveKind::broadcast ? add_chain_steps
                                            : add_ring_steps)(transfer, work, rings, ring, last);
  }
  return last;
}

Transfer ring_transfer(const CollectiveTask& task, const GroupNetwork& group) {
  Transfer transfer;
  const auto& channels = group.channels();
  (void)add_rings(transfer,
                  {.kind = task.kind,
                   .bytes = task.total_bytes / static_cast<double>(channels.size()),
                   .rings = channels},
                  task.fidelity,
                  group);
  return transfer;
}

} // namespace decodesim
