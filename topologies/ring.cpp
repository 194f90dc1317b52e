#include "topologies/ring.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace decodesim {

namespace {

constexpr std::size_t most_searched_exhaustively = 8;

/// Sums of the same terms in another order differ by rounding only.
constexpr double relative_rounding = 1e-12;

/// What a ring costs; the less the better, the first member first.
struct Cost {
  double seconds_per_byte = 0; ///< of the busiest link direction
  double latency = 0;          ///< sum over the ring

  [[nodiscard]] bool better_than(const Cost& other) const {
    if (differ(seconds_per_byte, other.seconds_per_byte)) {
      return seconds_per_byte < other.seconds_per_byte;
    }
    return differ(latency, other.latency) && latency < other.latency;
  }

private:
  static bool differ(double a, double b) {
    return std::abs(a - b) > relative_rounding * std::max(std::abs(a), std::abs(b));
  }
};

/// Links of the ways that an order uses, by position in a small table: what changes in a search is
/// only which ways are taken.
class NodeRing {
public:
  /// @param members  GPUs of one node
  /// @param elsewhere  a GPU of another node that the ring also visits, or -1
  NodeRing(const Machine& machine,
           const Routes& routes,
           const std::vector<int>& members,
           int elsewhere)
      : count_{members.size()}, ways_(count_ * count_), out_(count_),
        in_(count_), closed_{elsewhere < 0} {
    for (std::size_t i = 0; i < count_; ++i) {
      for (std::size_t j = 0; j < count_; ++j) {
        if (i != j) {
          ways_[i * count_ + j] = way(machine, routes.between(members[i], members[j]), -1);
        }
      }
      if (!closed_) {
        const int node = machine.vertex(machine.gpus[static_cast<std::size_t>(members[i])]).node;
        out_[i] = way(machine, routes.between(members[i], elsewhere), node);
        in_[i] = way(machine, routes.between(elsewhere, members[i]), node);
      }
    }
    crossings_.resize(inverse_bandwidth_.size());
  }

  [[nodiscard]] std::size_t count() const { return count_; }

  /// Latency plus the time of a large message, to find near neighbours.
  [[nodiscard]] double distance(std::size_t from, std::size_t to) const {
    const auto& one = ways_[from * count_ + to];
    double slowest = 0;
    for (const auto link : one.links) {
      slowest = std::max(slowest, inverse_bandwidth_[link]);
    }
    return one.latency + slowest * 1024.0 * 1024.0;
  }

  [[nodiscard]] Cost cost(const std::vector<std::size_t>& order) {
    std::fill(crossings_.begin(), crossings_.end(), 0);
    Cost total;
    for (std::size_t i = 0; i + 1 < order.size(); ++i) {
      add(ways_[order[i] * count_ + order[i + 1]], total);
    }
    if (closed_) {
      add(ways_[order.back() * count_ + order.front()], total);
    } else {
      add(out_[order.back()], total);
      add(in_[order.front()], total);
    }
    for (std::size_t link = 0; link < crossings_.size(); ++link) {
      total.seconds_per_byte =
          std::max(total.seconds_per_byte, crossings_[link] * inverse_bandwidth_[link]);
    }
    return total;
  }

private:
  struct Way {
    std::vector<std::size_t> links; ///< positions in the table
    double latency = 0;
  };

  /// @param node  only links of this node count; -1 for all
  Way way(const Machine& machine, const Path& path, int node) {
    Way one;
    for (const auto direction : path.links) {
      if (node >= 0 && direction / 2 / machine.links_per_node != node) {
        continue;
      }
      const auto [entry, added] = position_.emplace(direction, inverse_bandwidth_.size());
      if (added) {
        inverse_bandwidth_.push_back(1.0 / machine.link(direction).bandwidth.value.value());
      }
      one.links.push_back(entry->second);
      one.latency += machine.link(direction).latency.value.value();
    }
    return one;
  }

  void add(const Way& one, Cost& total) {
    total.latency += one.latency;
    for (const auto link : one.links) {
      ++crossings_[link];
    }
  }

  std::size_t count_;
  std::vector<Way> ways_; ///< [from x count + to]
  std::vector<Way> out_;  ///< to the other nodes
  std::vector<Way> in_;
  bool closed_;
  std::map<LinkDirection, std::size_t> position_;
  std::vector<double> inverse_bandwidth_;
  std::vector<int> crossings_;
};

/// Tries every order that begins with the first member, in lexicographic order.
std::vector<std::size_t> search_exhaustively(NodeRing& ring) {
  std::vector<std::size_t> order(ring.count());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto best = order;
  auto best_cost = ring.cost(order);
  while (std::next_permutation(order.begin() + 1, order.end())) {
    if (const auto cost = ring.cost(order); cost.better_than(best_cost)) {
      best = order;
      best_cost = cost;
    }
  }
  return best;
}

/// Nearest neighbour from the first member, then reversals of parts while they help (2-opt).
std::vector<std::size_t> search_by_exchange(NodeRing& ring) {
  std::vector<std::size_t> order{0};
  std::vector<bool> taken(ring.count(), false);
  taken[0] = true;
  while (order.size() < ring.count()) {
    std::size_t next = ring.count();
    for (std::size_t i = 0; i < ring.count(); ++i) {
      if (!taken[i] && (next == ring.count() ||
                        ring.distance(order.back(), i) <
                            ring.distance(order.back(), next) * (1.0 - relative_rounding))) {
        next = i;
      }
    }
    taken[next] = true;
    order.push_back(next);
  }
  auto best_cost = ring.cost(order);
  for (bool improved = true; improved;) {
    improved = false;
    for (std::size_t first = 1; first + 1 < order.size(); ++first) {
      for (std::size_t last = first + 1; last < order.size(); ++last) {
        const auto begin = order.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = order.begin() + static_cast<std::ptrdiff_t>(last) + 1;
        std::reverse(begin, end);
        if (const auto cost = ring.cost(order); cost.better_than(best_cost)) {
          best_cost = cost;
          improved = true;
        } else {
          std::reverse(begin, end);
        }
      }
    }
  }
  return order;
}

template <class Action>
void for_each_crossing(const Routes& routes, const std::vector<int>& order, Action action) {
  for (std::size_t i = 0; i < order.size() && order.size() > 1; ++i) {
    for (const auto direction : routes.between(order[i], order[(i + 1) % order.size()]).links) {
      action(direction);
    }
  }
}

} // namespace

std::vector<int> find_ring(const Machine& machine, const Routes& routes, std::vector<int> gpus) {
  if (gpus.size() <= 2) {
    return gpus;
  }
  std::sort(gpus.begin(), gpus.end());
  const int per_node = machine.gpus_per_node();
  std::map<int, std::vector<int>> members_of_node;
  for (const int gpu : gpus) {
    members_of_node[gpu / per_node].push_back(gpu);
  }
  std::vector<int> ring;
  std::map<std::vector<int>, std::vector<std::size_t>> found; // by index within the node
  for (const auto& [node, members] : members_of_node) {
    std::vector<int> within_node;
    for (const int gpu : members) {
      within_node.push_back(gpu % per_node);
    }
    // Nodes are equal: what was found for the same GPUs of another node holds here.
    auto& order = found[within_node];
    if (order.empty()) {
      const int elsewhere = members_of_node.size() == 1 ? -1
                            : ring.empty()              ? gpus.back()
                                                        : ring.front();
      NodeRing search{machine, routes, members, elsewhere};
      order = members.size() <= most_searched_exhaustively ? search_exhaustively(search)
                                                           : search_by_exchange(search);
    }
    for (const auto position : order) {
      ring.push_back(members[position]);
    }
  }
  return ring;
}

double
ring_seconds_per_byte(const Machine& machine, const Routes& routes, const std::vector<int>& order) {
  std::map<LinkDirection, int> crossings;
  for_each_crossing(routes, order, [&](LinkDirection direction) { ++crossings[direction]; });
  double most = 0;
  for (const auto& [direction, count] : crossings) {
    most = std::max(most, count / machine.link(direction).bandwidth.value.value());
  }
  return most;
}

std::map<LinkDirection, int>
socket_crossings(const Machine& machine, const Routes& routes, const std::vector<int>& order) {
  std::map<LinkDirection, int> crossings;
  for_each_crossing(routes, order, [&](LinkDirection direction) {
    if (machine.link(direction).kind == LinkKind::upi) {
      ++crossings[direction];
    }
  });
  return crossings;
}

} // namespace decodesim
