#include "sim/network/flow.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace decodesim {

namespace {

constexpr std::array<std::pair<CollectiveAlgorithm, const char*>, 4> algorithms{
    {{CollectiveAlgorithm::ring, "ring"},
     {CollectiveAlgorithm::one_shot, "one-shot"},
     {CollectiveAlgorithm::two_shot, "two-shot"},
     {CollectiveAlgorithm::ideal, "ideal"}}};

} // namespace

std::string to_string(CollectiveAlgorithm algorithm) {
  for (const auto& [value, name] : algorithms) {
    if (value == algorithm) {
      return name;
    }
  }
  return "?";
}

std::vector<std::string> collective_algorithm_names() {
  std::vector<std::string> names;
  for (const auto& entry : algorithms) {
    names.emplace_back(entry.second);
  }
  return names;
}

CollectiveAlgorithm collective_algorithm_named(const std::string& name, const std::string& where) {
  for (const auto& [value, known] : algorithms) {
    if (name == known) {
      return value;
    }
  }
  throw InputError::unknown_name(where, "collective algorithm", name, collective_algorithm_names());
}

Seconds Flow::idle_time(const std::function<BytesPerSecond(LinkDirection)>& bandwidth) const {
  std::map<LinkDirection, int> times_listed;
  for (const auto link : links) {
    ++times_listed[link];
  }
  Seconds slowest;
  for (const auto& [link, times] : times_listed) {
    slowest = std::max(slowest, static_cast<double>(times) * bytes / bandwidth(link));
  }
  if (cap) {
    slowest = std::max(slowest, bytes / *cap);
  }
  return latency + slowest;
}

namespace {

struct Costs {
  Seconds base;                      ///< of the slowest transport used
  std::vector<Seconds> hops;         ///< software hop + path latency, per edge
  std::optional<BytesPerSecond> cap; ///< of the slowest transport used
};

void add_edge(Flow& flow,
              Costs& costs,
              int from,
              int to,
              const PathBetween& path_between,
              const CostOf& cost_of) {
  const auto& path = path_between(from, to);
  const auto& cost = cost_of(path.transport);
  flow.links.insert(flow.links.end(), path.links.begin(), path.links.end());
  flow.hops.emplace_back(from, to);
  costs.base = std::max(costs.base, cost.base);
  costs.hops.push_back(cost.hop + path.latency);
  costs.cap = costs.cap ? std::min(*costs.cap, cost.bandwidth) : cost.bandwidth;
}

Seconds sum(const std::vector<Seconds>& hops) {
  Seconds total;
  for (const auto hop : hops) {
    total += hop;
  }
  return total;
}

/// Latency of the piece that makes most hops in a row around a ring.
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

Flow ring_flow(CollectiveKind kind,
               Bytes total_bytes,
               int members,
               const PathBetween& path,
               const CostOf& cost) {
  Flow flow;
  Costs costs;
  const double n = members;
  const bool chain = kind == CollectiveKind::broadcast;
  for (int i = 0; i + (chain ? 1 : 0) < members; ++i) {
    add_edge(flow, costs, i, (i + 1) % members, path, cost);
  }
  const double share = chain                                ? 1.0
                       : kind == CollectiveKind::all_reduce ? 2.0 * (n - 1.0) / n
                                                            : (n - 1.0) / n;
  flow.bytes = share * total_bytes;
  flow.latency = costs.base + ring_latency(kind, costs.hops);
  flow.cap = costs.cap;
  return flow;
}

Flow direct_flow(CollectiveKind kind,
                 Bytes total_bytes,
                 int members,
                 bool two_shot,
                 const PathBetween& path,
                 const CostOf& cost) {
  Flow flow;
  Costs costs;
  const double n = members;
  const bool from_root = kind == CollectiveKind::broadcast;
  for (int from = 0; from < (from_root ? 1 : members); ++from) {
    for (int to = 0; to < members; ++to) {
      if (to != from) {
        add_edge(flow, costs, from, to, path, cost);
      }
    }
  }
  const bool reduces = kind == CollectiveKind::all_reduce;
  const double share = from_root ? 1.0 : reduces ? (two_shot ? 2.0 / n : 1.0) : 1.0 / n;
  flow.bytes = share * total_bytes;
  const auto slowest = *std::max_element(costs.hops.begin(), costs.hops.end());
  flow.latency = costs.base + (reduces && two_shot ? 2.0 : 1.0) * slowest;
  flow.cap = *costs.cap / (n - 1.0);
  return flow;
}

} // namespace

Flow collective_flow(CollectiveAlgorithm algorithm,
                     CollectiveKind kind,
                     Bytes total_bytes,
                     int members,
                     const PathBetween& path,
                     const CostOf& cost) {
  switch (algorithm) {
  case CollectiveAlgorithm::one_shot:
  case CollectiveAlgorithm::two_shot:
    return direct_flow(
        kind, total_bytes, members, algorithm == CollectiveAlgorithm::two_shot, path, cost);
  case CollectiveAlgorithm::ring:
    return ring_flow(kind, total_bytes, members, path, cost);
  case CollectiveAlgorithm::ideal:
    break;
  }
  auto flow = ring_flow(kind, total_bytes, members, path, cost);
  flow.latency = Seconds{};
  flow.cap.reset();
  return flow;
}

double arrays_received(CollectiveAlgorithm algorithm, CollectiveKind kind, int members) {
  const double others = members - 1.0;
  if (kind != CollectiveKind::all_reduce) {
    return others;
  }
  return algorithm == CollectiveAlgorithm::one_shot ? members * others : 2.0 * others;
}

Flow message_flow(Bytes bytes, const Path& path, const TransportCost& cost, bool ideal) {
  return {.latency = ideal ? Seconds{} : cost.base + cost.hop + path.latency,
          .bytes = bytes,
          .cap = ideal ? std::nullopt : std::optional{cost.bandwidth},
          .links = path.links,
          .hops = {{0, 1}}};
}

} // namespace decodesim
