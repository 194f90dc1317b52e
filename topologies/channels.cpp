#include "topologies/channels.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

namespace decodesim {

namespace {

int node_of(const Machine& machine, int gpu) { return gpu / machine.gpus_per_node(); }

/// The ring's parts inside the nodes.
std::vector<std::vector<int>> by_node(const Machine& machine, const std::vector<int>& ring) {
  std::vector<std::vector<int>> nodes;
  for (const int gpu : ring) {
    if (nodes.empty() || node_of(machine, nodes.back().front()) != node_of(machine, gpu)) {
      nodes.emplace_back();
    }
    nodes.back().push_back(gpu);
  }
  return nodes;
}

/// Physical links left between members, by position; a direct link serves both directions.
using LinksLeft = std::vector<std::vector<int>>;

LinksLeft
direct_links(const Machine& machine, const Routes& routes, const std::vector<int>& members) {
  LinksLeft left(members.size(), std::vector<int>(members.size(), 0));
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (std::size_t j = 0; j < members.size(); ++j) {
      if (i == j) {
        continue;
      }
      const auto& path = routes.between(members[i], members[j]);
      if (path.links.size() == 1 && machine.link(path.links.front()).kind == LinkKind::nvlink) {
        left[i][j] = machine.link(path.links.front()).physical_links;
      }
    }
  }
  return left;
}

/// Cycles through all members that share no physical link, as many as the links allow.
class CycleSearch {
public:
  CycleSearch(LinksLeft left, std::size_t wanted)
      : left_{std::move(left)}, wanted_{wanted}, cycle_{0}, taken_(left_.size(), false) {
    taken_[0] = true;
  }

  [[nodiscard]] bool find() { return cycles_.size() == wanted_ || extend(); }

  [[nodiscard]] const std::vector<std::vector<std::size_t>>& cycles() const { return cycles_; }

private:
  LinksLeft left_;
  std::size_t wanted_;
  std::vector<std::size_t> cycle_;
  std::vector<bool> taken_;
  std::vector<std::vector<std::size_t>> cycles_;
  int visits_ = 0;

  static constexpr int most_visits = 1'000'000;

  void use(std::size_t a, std::size_t b, int count) {
    left_[a][b] -= count;
    left_[b][a] -= count;
  }

  bool extend() {
    if (++visits_ > most_visits) {
      return false;
    }
    const auto end = cycle_.back();
    if (cycle_.size() == left_.size()) {
      return close(end);
    }
    for (std::size_t next = 1; next < left_.size(); ++next) {
      if (taken_[next] || left_[end][next] == 0) {
        continue;
      }
      use(end, next, 1);
      taken_[next] = true;
      cycle_.push_back(next);
      if (extend()) {
        return true;
      }
      cycle_.pop_back();
      taken_[next] = false;
      use(end, next, -1);
    }
    return false;
  }

  bool close(std::size_t end) {
    if (left_[end][0] == 0) {
      return false;
    }
    use(end, 0, 1);
    cycles_.push_back(cycle_);
    const auto done = std::exchange(cycle_, {0});
    const auto taken = std::exchange(taken_, std::vector<bool>(left_.size(), false));
    taken_[0] = true;
    if (find()) {
      return true;
    }
    cycle_ = done;
    taken_ = taken;
    cycles_.pop_back();
    use(end, 0, -1);
    return false;
  }
};

/// Cycles through all members that share no physical link: `wanted` of them or, if there are not as
/// many, fewer; none when not even one is there, or for fewer than 3 or more than 8 members.
std::vector<std::vector<int>> direct_cycles(const Machine& machine,
                                            const Routes& routes,
                                            const std::vector<int>& members,
                                            std::size_t wanted) {
  constexpr std::size_t most_members = 8;
  if (members.size() < 3 || members.size() > most_members) {
    return {};
  }
  const auto left = direct_links(machine, routes, members);
  for (; wanted > 0; --wanted) {
    CycleSearch search{left, wanted};
    if (!search.find()) {
      continue;
    }
    std::vector<std::vector<int>> found;
    for (const auto& cycle : search.cycles()) {
      auto& one = found.emplace_back();
      for (const auto position : cycle) {
        one.push_back(members[position]);
      }
    }
    return found;
  }
  return {};
}

/// Half of the physical links of the member that has fewest: a cycle takes two of each.
std::size_t
most_cycles(const Machine& machine, const Routes& routes, const std::vector<int>& members) {
  int fewest = -1;
  for (const auto& row : direct_links(machine, routes, members)) {
    const int sum = std::accumulate(row.begin(), row.end(), 0);
    fewest = fewest < 0 ? sum : std::min(fewest, sum);
  }
  return static_cast<std::size_t>(std::max(0, fewest / 2));
}

/// NIC by which a GPU goes to `elsewhere`; -1 when it needs none.
int nic_of(const Machine& machine, const Routes& routes, int gpu, int elsewhere) {
  for (const auto direction : routes.between(gpu, elsewhere).links) {
    if (machine.vertex(machine.head(direction)).kind == VertexKind::nic) {
      return machine.head(direction);
    }
  }
  return -1;
}

/// Orders of a node's members, each turned so that it may leave the node after its last member and
/// come in at its first: these two use NICs that no other of the orders uses in that direction.
/// Orders are used in turn, each as often as the others; most parts win.
class TurnedParts {
public:
  TurnedParts(const Machine& machine,
              const Routes& routes,
              const std::vector<std::vector<int>>& orders,
              int elsewhere)
      : orders_{orders} {
    std::set<int> nics;
    for (const auto& order : orders) {
      auto& own = nics_.emplace_back();
      for (const int gpu : order) {
        own.push_back(nic_of(machine, routes, gpu, elsewhere));
      }
      nics.insert(own.begin(), own.end());
    }
    wanted_ = nics.size();
    extend(0);
  }

  [[nodiscard]] const std::vector<std::vector<int>>& parts() const { return best_; }

private:
  void extend(std::size_t from) {
    if (parts_.size() > best_.size()) {
      best_ = parts_;
    }
    if (best_.size() == wanted_ || ++visits_ > most_visits) {
      return;
    }
    for (std::size_t skipped = 0; skipped < orders_.size(); ++skipped) {
      const auto at = (from + skipped) % orders_.size();
      const auto& nics = nics_[at];
      for (std::size_t i = 0; i < nics.size() && best_.size() < wanted_; ++i) {
        const auto next = (i + 1) % nics.size();
        if (out_.contains(nics[i]) || in_.contains(nics[next])) {
          continue;
        }
        out_.insert(nics[i]);
        in_.insert(nics[next]);
        parts_.push_back(orders_[at]);
        std::rotate(parts_.back().begin(),
                    parts_.back().begin() + static_cast<std::ptrdiff_t>(next),
                    parts_.back().end());
        extend(at + 1);
        parts_.pop_back();
        out_.erase(nics[i]);
        in_.erase(nics[next]);
      }
    }
  }

  static constexpr int most_visits = 20'000;

  const std::vector<std::vector<int>>& orders_;
  std::vector<std::vector<int>> nics_; ///< of each member of each order
  std::size_t wanted_ = 0;
  std::set<int> out_;
  std::set<int> in_;
  std::vector<std::vector<int>> parts_;
  std::vector<std::vector<int>> best_;
  int visits_ = 0;
};

/// The members in orders that can be turned: cycles over direct links that share none, both ways,
/// where there are any.
std::vector<std::vector<int>>
turnable(const Machine& machine, const Routes& routes, const std::vector<int>& members) {
  auto cycles = direct_cycles(machine, routes, members, most_cycles(machine, routes, members));
  if (cycles.empty()) {
    return {members};
  }
  for (std::size_t i = 0, count = cycles.size(); i < count; ++i) {
    cycles.emplace_back(cycles[i].rbegin(), cycles[i].rend());
  }
  return cycles;
}

std::vector<std::vector<int>>
over_nodes(const Machine& machine, const Routes& routes, const std::vector<int>& ring) {
  const auto nodes = by_node(machine, ring);
  std::vector<std::vector<std::vector<int>>> parts;
  std::size_t count = nodes.front().size();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto orders = turnable(machine, routes, nodes[i]);
    parts.push_back(
        TurnedParts{machine, routes, orders, nodes[(i + 1) % nodes.size()].front()}.parts());
    count = std::min(count, parts.back().size());
  }
  std::vector<std::vector<int>> channels;
  for (std::size_t c = 0; c < count; ++c) {
    auto& channel = channels.emplace_back();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      auto part = parts[i][c];
      if (i % 2 == 1) {
        // Entered by the GPU whose number the one before was left from: both on one rail.
        std::reverse(part.begin(), part.end());
      }
      channel.insert(channel.end(), part.begin(), part.end());
    }
  }
  return channels;
}

std::vector<std::vector<int>>
over_direct_links(const Machine& machine, const Routes& routes, const std::vector<int>& ring) {
  auto channels = direct_cycles(machine, routes, ring, most_cycles(machine, routes, ring));
  if (channels.empty()) {
    return {ring};
  }
  for (std::size_t i = 0, count = channels.size(); i < count; ++i) {
    auto back = channels[i];
    std::reverse(back.begin() + 1, back.end());
    channels.push_back(std::move(back));
  }
  return channels;
}

} // namespace

std::vector<std::vector<int>>
find_channels(const Machine& machine, const Routes& routes, const std::vector<int>& ring) {
  if (ring.size() < 2) {
    return {ring};
  }
  return node_of(machine, ring.front()) == node_of(machine, ring.back())
             ? over_direct_links(machine, routes, ring)
             : over_nodes(machine, routes, ring);
}

} // namespace decodesim
