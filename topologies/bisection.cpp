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

/// Links with a source that feeds some vertices and a sink that drains others.
class Flow {
public:
  explicit Flow(std::size_t vertices) : source_{vertices}, sink_{source_ + 1}, graph_{sink_ + 1} {}

  /// The same capacity both ways.
  void join(int from, int to, BytesPerSecond bandwidth) {
    const auto width = static_cast<Capacity>(std::llround(bandwidth.value()));
    widest_ += width;
    add(static_cast<std::size_t>(from), static_cast<std::size_t>(to), width);
    add(static_cast<std::size_t>(to), static_cast<std::size_t>(from), width);
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

Flow flow_over(const Machine& machine, const std::set<int>& links) {
  Flow flow{machine.vertices.size()};
  for (const int index : links) {
    const auto& link = machine.link(2 * index);
    flow.join(link.from, link.to, link.bandwidth.value);
  }
  return flow;
}

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
  auto flow = flow_over(machine, links);
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

/// The most that the GPUs of the first node together send to the network.
BytesPerSecond out_of_node(const Machine& machine, const Routes& routes) {
  const int per_node = machine.gpus_per_node();
  std::set<int> links;
  std::set<int> switches;
  for (int gpu = 0; gpu < per_node; ++gpu) {
    for (const auto direction : routes.between(gpu, per_node).links) {
      if (direction / 2 < machine.links_per_node) {
        links.insert(direction / 2);
        if (machine.link(direction).kind == LinkKind::network) {
          switches.insert(machine.head(direction));
        }
      }
    }
  }
  auto flow = flow_over(machine, links);
  std::size_t terminals = 0;
  for (int gpu = 0; gpu < per_node; ++gpu) {
    flow.add_terminal(machine.gpus[static_cast<std::size_t>(gpu)]);
    flow.feed(terminals++, true);
  }
  for (const int one : switches) {
    flow.add_terminal(one);
    flow.drain(terminals++, true);
  }
  return flow.most();
}

/// From the first half of the nodes to the others, each node a vertex that sends and receives as
/// much as its GPUs do.
Bisection cut_cluster(const Machine& machine, const Routes& routes) {
  const auto node_bandwidth = out_of_node(machine, routes);
  const int half = machine.nodes / 2;
  const int first_switch = machine.nodes * machine.vertices_per_node;
  const int switches = static_cast<int>(machine.vertices.size()) - first_switch;
  // Vertices: nodes, their ends (which bound what they send in all), network switches.
  Flow flow{static_cast<std::size_t>(2 * machine.nodes + switches)};
  const auto vertex = [&](int index) {
    const int node = machine.vertex(index).node;
    return node >= 0 ? node : 2 * machine.nodes + index - first_switch;
  };
  for (const auto& link : machine.links) {
    if (link.kind == LinkKind::network) {
      flow.join(vertex(link.from), vertex(link.to), link.bandwidth.value);
    }
  }
  for (int node = 0; node < machine.nodes; ++node) {
    const auto terminal = static_cast<std::size_t>(node);
    flow.join(node, machine.nodes + node, node_bandwidth);
    flow.add_terminal(machine.nodes + node);
    flow.feed(terminal, node < half);
    flow.drain(terminal, node >= half);
  }
  Bisection cut{flow.most(),
                std::vector<int>(static_cast<std::size_t>(half * machine.gpus_per_node()))};
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
