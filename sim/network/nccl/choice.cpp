#include "sim/network/nccl/choice.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace decodesim::nccl {

namespace {

constexpr std::array protocols{Protocol::ll, Protocol::ll128, Protocol::simple};

/// Of one algorithm and protocol on one group.
class Estimate {
public:
  Estimate(const GroupGraph& graph, Version version, CollectiveKind kind, Bytes bytes)
      : graph_{graph}, version_{version}, kind_{kind}, bytes_{bytes},
        steps_{static_cast<double>(
            kind == CollectiveKind::broadcast ? graph.members : ring_steps(kind, graph.members))} {}

  [[nodiscard]] Candidate ring(Protocol protocol) const {
    auto bus = total(graph_.rings);
    if (protocol == Protocol::ll) {
      bus = std::min(ll_limit(graph_.generation, graph_.nodes, graph_.amd_cpu), bus / 2.0);
    } else if (protocol == Protocol::ll128) {
      bus = std::min(0.92 * bus, channels(ring_ll128_limit(graph_.generation, graph_.nodes)));
    }
    return made(Algorithm::ring, protocol, ring_latency(protocol), bus, n() / steps_);
  }

  [[nodiscard]] Candidate tree(Protocol protocol) const {
    auto bus =
        std::min(0.92 * total(graph_.trees), channels(tree_limit(graph_.generation, graph_.nodes)));
    if (protocol == Protocol::ll) {
      bus = std::min(bus / 3.8, ll_limit(graph_.generation, graph_.nodes, graph_.amd_cpu));
    } else if (protocol == Protocol::ll128) {
      bus = std::min(bus * (graph_.nodes == 1 ? 7.0 / 9.0 : 120.0 / 128.0),
                     channels(tree_ll128_limit(graph_.generation, graph_.nodes)));
    }
    const auto inside = hop_latency(version_, graph_.in_node, Algorithm::tree, protocol);
    const auto latency =
        base_latency(version_, Algorithm::tree, protocol) +
        2.0 * ((graph_.per_node - 1.0) * inside + levels() * between(Algorithm::tree, protocol));
    return made(Algorithm::tree, protocol, latency, bus, 0.5 * tree_correction(protocol, bytes_));
  }

  [[nodiscard]] Candidate nvls() const {
    const auto& found = *graph_.nvls;
    const bool reduces_and_copies = kind_ == CollectiveKind::all_reduce;
    const double others = (graph_.per_node - 1.0) / graph_.per_node;
    BytesPerSecond speed;
    if (version_.minor >= 28) {
      const auto inside = found.in_node * nvls_efficiency(graph_.generation) *
                          ((found.count - 1.0) / found.count) * (reduces_and_copies ? 2.0 : others);
      speed = std::min(inside, found.between_nodes);
    } else {
      speed = reduces_and_copies ? std::min(found.in_node, found.between_nodes)
                                 : std::min(found.in_node * others, 0.9 * found.between_nodes);
    }
    const auto latency =
        hop_latency(version_, LinkClass::nvlink, Algorithm::nvls, Protocol::simple);
    return made(Algorithm::nvls,
                Protocol::simple,
                latency,
                static_cast<double>(found.count) * speed,
                nvls_share());
  }

  [[nodiscard]] Candidate nvls_tree() const {
    const auto& found = *graph_.nvls;
    BytesPerSecond speed;
    if (version_.minor >= 28) {
      const auto inside = found.in_node * nvls_efficiency(graph_.generation) *
                          ((found.count - 1.0) / found.count) * 2.0;
      speed = std::min({inside,
                        found.between_nodes * (graph_.nodes == 2 ? 2.0 : 1.0),
                        nvls_tree_limit(graph_.generation, graph_.nodes)});
    } else {
      speed = std::min(found.in_node, found.between_nodes / (graph_.nodes == 2 ? 1.0 : 2.0));
    }
    const auto latency =
        hop_latency(version_, LinkClass::nvlink, Algorithm::nvls_tree, Protocol::simple) +
        2.0 * levels() * between(Algorithm::nvls_tree, Protocol::simple);
    return made(Algorithm::nvls_tree,
                Protocol::simple,
                latency,
                static_cast<double>(found.count) * speed,
                nvls_share());
  }

private:
  [[nodiscard]] double n() const { return graph_.members; }

  [[nodiscard]] double levels() const { return std::floor(std::log2(graph_.nodes)); }

  [[nodiscard]] double nvls_share() const {
    return version_.minor >= 28 ? n() / steps_ : 5.0 / 6.0;
  }

  [[nodiscard]] BytesPerSecond total(const Channels& found) const {
    return static_cast<double>(found.count) *
           (graph_.nodes <= 2 ? found.in_node : found.between_nodes);
  }

  [[nodiscard]] BytesPerSecond channels(BytesPerSecond each) const {
    return static_cast<double>(graph_.rings.count) * each;
  }

  [[nodiscard]] Seconds between(Algorithm algorithm, Protocol protocol) const {
    const auto row = graph_.per_node == 1 ? Algorithm::tree : algorithm;
    return hop_latency(version_, LinkClass::network, row, protocol) +
           graph_.plugin_latency * (protocol == Protocol::simple ? 2.0 : 1.0);
  }

  [[nodiscard]] Seconds ring_latency(Protocol protocol) const {
    const auto base = base_latency(version_, Algorithm::ring, protocol);
    const auto link = hop_latency(version_, graph_.in_node, Algorithm::ring, protocol);
    if (kind_ == CollectiveKind::broadcast) {
      const auto hop = graph_.nodes == 1
                           ? link
                           : hop_latency(version_, LinkClass::network, Algorithm::ring, protocol);
      return base + steps_ * hop;
    }
    if (graph_.nodes == 1) {
      return base + steps_ * link;
    }
    const auto inside = std::max(link, network_overhead(protocol, graph_.amd_cpu));
    const double outside = (kind_ == CollectiveKind::all_reduce ? 2.0 : 1.0) * (graph_.nodes - 1.0);
    auto latency =
        base + (steps_ - outside) * inside + outside * between(Algorithm::ring, protocol);
    constexpr double doubled = 2.0; // channels, after the search
    if (protocol == Protocol::simple && kind_ == CollectiveKind::all_reduce &&
        bytes_.value() / (doubled * graph_.rings.count * n()) >= 64.0) {
      latency = latency * (graph_.generation == Generation::volta ? 1.9 : 1.4);
    }
    return latency;
  }

  [[nodiscard]] Candidate made(Algorithm algorithm,
                               Protocol protocol,
                               Seconds latency,
                               BytesPerSecond bus,
                               double share) const {
    return {.algorithm = algorithm,
            .protocol = protocol,
            .latency = latency,
            .bus_bandwidth = bus,
            .time = latency + bytes_ / (bus * share)};
  }

  const GroupGraph& graph_;
  Version version_;
  CollectiveKind kind_;
  Bytes bytes_;
  double steps_;
};

} // namespace

int ring_steps(CollectiveKind kind, int members) {
  return (kind == CollectiveKind::all_reduce ? 2 : 1) * (members - 1);
}

std::vector<Candidate>
candidates(const GroupGraph& graph, Version version, CollectiveKind kind, Bytes bytes) {
  const Estimate estimate{graph, version, kind, bytes};
  std::vector<Candidate> all;
  for (const auto algorithm : {Algorithm::tree, Algorithm::ring}) {
    if (algorithm == Algorithm::tree && kind != CollectiveKind::all_reduce) {
      continue;
    }
    for (const auto protocol : protocols) {
      if (protocol == Protocol::ll128 && !graph.ll128) {
        continue;
      }
      all.push_back(algorithm == Algorithm::tree ? estimate.tree(protocol)
                                                 : estimate.ring(protocol));
    }
  }
  if (graph.nvls && graph.nvls->count >= 2 && kind != CollectiveKind::broadcast) {
    if (graph.nodes == 1) {
      all.push_back(estimate.nvls());
    } else if (kind == CollectiveKind::all_reduce) {
      all.push_back(estimate.nvls_tree());
    }
  }
  return all;
}

Candidate choose(const GroupGraph& graph, Version version, CollectiveKind kind, Bytes bytes) {
  const auto all = candidates(graph, version, kind, bytes);
  return *std::min_element(
      all.begin(), all.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
}

} // namespace decodesim::nccl
