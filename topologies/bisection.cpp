#include "topologies/bisection.hpp"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/push_relabel_max_flow.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>

namespace decodesim {

namespace {

constexpr int most_cut_exactly = 16;

using Capacity = std::int64_t; // bytes per second

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
using FlowGraph = boost::adjacency_list<
    boost::vecS,
    boost::vecS,
    boost::directedS,
    boost::no_property,
    boost::property<
        boost::edge_capacity_t,
        Capacity,
        boost::property<boost::edge_residual_capacity_t,
                        Capacity,
                        boost::property<boost::edge_reverse_t, Traits::edge_descriptor>>>>;

/// The links on the ways of one node's GPUs, with a source that feeds some and a sink that drains
/// others.
class Flow {
public:
  Flow(const Machine& machine, const std::set<int>& links)
      : source_{machine.vertices.size()}, sink_{source_ + 1}, graph_{sink_ + 1} {
    for (const int link : links) {
      const LinkDirection direction = 2 * link;
      const auto& one = machine.link(direction);
      const auto width = static_cast<Capacity>(std::llround(one.bandwidth.value.value()));
      widest_ += width;
      const auto from = static_cast<std::size_t>(one.from);
      const auto to = static_cast<std::size_t>(one.to);
      add(from, to, width);
      add(to, from, width);
    }
  }

  /// Lets `vertex` be fed from the source, drain into the sink, or neither.
  void add_terminal(int vertex) {
    const auto index = static_cast<std::size_t>(vertex);
    feeds_.push_back(add(source_, index, 0));
    drains_.push_back(add(index, sink_, 0));
  }

  void feed(std::size_t terminal, bool on) { set(feeds_[terminal], on); }

  void drain(std::size_t terminal, bool on) { set(drains_[terminal], on); }

  [[nodiscard]] BytesPerSecond most() {
    return BytesPerSecond{
        static_cast<double>(boost::push_relabel_max_flow(graph_, source_, sink_))};
  }

private:
  /// An edge with its own reverse of capacity zero, which Boost's conversion of the preflow relies
  /// on: the two directions of a link cannot be each other's reverse.
  Traits::edge_descriptor add(std::size_t from, std::size_t to, Capacity capacity) {
    const auto there = boost::add_edge(from, to, graph_).first;
    const auto back = boost::add_edge(to, from, graph_).first;
    boost::put(boost::edge_capacity, graph_, there, capacity);
    boost::put(boost::edge_capacity, graph_, back, 0);
    boost::put(boost::edge_reverse, graph_, there, back);
    boost::put(boost::edge_reverse, graph_, back, there);
    return there;
  }

  void set(const Traits::edge_descriptor& edge, bool on) {
    boost::put(boost::edge_capacity, graph_, edge, on ? widest_ : 0);
  }

  std::size_t source_;
  std::size_t sink_;
  FlowGraph graph_;
  Capacity widest_ = 1; ///< more than can flow
  std::vector<Traits::edge_descriptor> feeds_;
  std::vector<Traits::edge_descriptor> drains_;
};

Bisection cut_node(const Machine& machine, const Routes& routes) {
  const int count = machine.gpu_count();
  std::set<int> links;
  for (int from = 0; from < count; ++from) {
    for (int to = 0; to < count; ++to) {
      if (from != to) {
        for (const auto direction : routes.between(from, to).links) {
          links.insert(direction / 2);
        }
      }
    }
  }
  Flow flow{machine, links};
  for (const int vertex : machine.gpus) {
    flow.add_terminal(vertex);
  }
  // Of an even number each cut would come twice: GPU 0 stays in the first half.
  std::vector<bool> first_half(static_cast<std::size_t>(count), false);
  std::fill_n(first_half.begin(), count / 2, true);
  const bool even = count % 2 == 0;
  Bisection best{BytesPerSecond{INFINITY}, {}};
  do {
    if (even && !first_half[0]) {
      break;
    }
    for (std::size_t gpu = 0; gpu < first_half.size(); ++gpu) {
      flow.feed(gpu, first_half[gpu]);
      flow.drain(gpu, !first_half[gpu]);
    }
    if (const auto bandwidth = flow.most(); bandwidth < best.bandwidth) {
      best = {bandwidth, {}};
      for (int gpu = 0; gpu < count; ++gpu) {
        if (first_half[static_cast<std::size_t>(gpu)]) {
          best.one_half.push_back(gpu);
        }
      }
    }
  } while (count <= most_cut_exactly &&
           std::prev_permutation(first_half.begin(), first_half.end()));
  return best;
}

Bisection cut_cluster(const Machine& machine, const Routes& routes) {
  const int per_node = machine.gpus_per_node();
  std::set<int> links;
  for (int gpu = 0; gpu < per_node; ++gpu) {
    for (const auto direction : routes.between(gpu, per_node).links) {
      if (direction / 2 < machine.links_per_node()) {
        links.insert(direction / 2);
      }
    }
  }
  Flow flow{machine, links};
  for (int gpu = 0; gpu < per_node; ++gpu) {
    flow.add_terminal(machine.gpus[static_cast<std::size_t>(gpu)]);
    flow.feed(static_cast<std::size_t>(gpu), true);
  }
  flow.add_terminal(machine.fabric());
  flow.drain(static_cast<std::size_t>(per_node), true);
  const int half = machine.nodes / 2;
  Bisection cut{flow.most() * half, std::vector<int>(static_cast<std::size_t>(half * per_node))};
  std::iota(cut.one_half.begin(), cut.one_half.end(), 0);
  return cut;
}

} // namespace

Bisection find_bisection(const Machine& machine, const Routes& routes) {
  if (machine.gpu_count() == 1) {
    return {};
  }
  return machine.nodes > 1 ? cut_cluster(machine, routes) : cut_node(machine, routes);
}

} // namespace decodesim
