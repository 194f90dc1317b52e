#include "topologies/node_ways.hpp"

#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <boost/property_map/function_property_map.hpp>

#include <algorithm>
#include <limits>

namespace decodesim {

namespace {

constexpr Bytes message{1024.0 * 1024.0};

/// Sums of the same weights in another order differ by rounding only.
constexpr double relative_rounding = 1e-12;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The edges that a way from `source` may use.
struct Usable {
  const Machine* machine = nullptr;
  const MachineGraph* graph = nullptr;
  int source = 0;
  bool direct = false;

  [[nodiscard]] bool allows(LinkDirection direction) const {
    const int tail = machine->tail(direction);
    const auto kind = machine->vertex(tail).kind;
    // A GPU does not forward. A NIC and a host memory have one link: nothing leaves that came so.
    if (tail != source && kind == VertexKind::gpu) {
      return false;
    }
    if (!direct) {
      return true;
    }
    switch (machine->peer_to_peer) {
    case PeerToPeer::none:
      return machine->link(direction).kind == LinkKind::nvlink;
    case PeerToPeer::same_switch:
      return tail == source || (kind != VertexKind::root_port && kind != VertexKind::socket);
    case PeerToPeer::same_root_port:
      return tail == source || kind != VertexKind::socket;
    case PeerToPeer::same_socket:
      return machine->link(direction).kind != LinkKind::upi;
    case PeerToPeer::everywhere:
      return true;
    }
    return true;
  }

  template <class Edge> bool operator()(const Edge& edge) const {
    return allows(boost::get(boost::edge_bundle, *graph, edge));
  }
};

} // namespace

double way_weight(const Link& link) {
  return (link.latency.value + message / link.bandwidth.value).value();
}

/// Shortest distances from one vertex to the others, and the ways to them.
class NodeWays::Search {
public:
  Search(const Machine& machine, const MachineGraph& graph, int source, bool direct)
      : machine_{machine}, graph_{graph}, usable_{&machine, &graph, source, direct},
        distance_(boost::num_vertices(graph), infinity) {
    const boost::filtered_graph filtered{graph, usable_};
    const auto weight = boost::make_function_property_map<MachineGraph::edge_descriptor, double>(
        [&](const MachineGraph::edge_descriptor& edge) {
          return way_weight(machine.link(boost::get(boost::edge_bundle, graph, edge)));
        });
    boost::dijkstra_shortest_paths(
        filtered,
        static_cast<std::size_t>(source),
        boost::weight_map(weight)
            .distance_map(boost::make_iterator_property_map(
                distance_.begin(), boost::get(boost::vertex_index, filtered)))
            .distance_inf(infinity));
  }

  [[nodiscard]] double distance(int vertex) const {
    return distance_[static_cast<std::size_t>(vertex)];
  }

  [[nodiscard]] bool reaches(int vertex) const { return distance(vertex) < infinity; }

  /// Links from the source; of equal ways the one that, seen from the end, comes from the lower
  /// vertices.
  [[nodiscard]] std::vector<LinkDirection> links_to(int target) const {
    std::vector<LinkDirection> links;
    for (int vertex = target; vertex != usable_.source;) {
      links.push_back(last_link(vertex));
      vertex = machine_.tail(links.back());
    }
    std::reverse(links.begin(), links.end());
    return links;
  }

private:
  [[nodiscard]] LinkDirection last_link(int vertex) const {
    LinkDirection best = -1;
    // Links are full duplex: what leaves a vertex also arrives, the other way round.
    for (const auto& edge :
         boost::make_iterator_range(boost::out_edges(static_cast<std::size_t>(vertex), graph_))) {
      const auto direction = boost::get(boost::edge_bundle, graph_, edge) ^ 1;
      const int tail = machine_.tail(direction);
      if (usable_.allows(direction) && reaches(tail) &&
          distance(tail) + way_weight(machine_.link(direction)) <=
              distance(vertex) * (1.0 + relative_rounding) &&
          (best < 0 || tail < machine_.tail(best))) {
        best = direction;
      }
    }
    return best;
  }

  const Machine& machine_;
  const MachineGraph& graph_;
  Usable usable_;
  std::vector<double> distance_;
};

NodeWays::NodeWays(const Machine& machine)
    : machine_{machine}, node_{static_cast<std::size_t>(machine.vertices_per_node)} {
  for (int link = 0; link < machine.links_per_node; ++link) {
    for (const LinkDirection direction : {2 * link, 2 * link + 1}) {
      if (std::max(machine.tail(direction), machine.head(direction)) < machine.vertices_per_node) {
        boost::add_edge(static_cast<std::size_t>(machine.tail(direction)),
                        static_cast<std::size_t>(machine.head(direction)),
                        direction,
                        node_);
      }
    }
  }
}

NodeWays::~NodeWays() = default;

const NodeWays::Search& NodeWays::search(int source, bool direct) {
  return searches_.try_emplace({source, direct}, machine_, node_, source, direct).first->second;
}

std::optional<std::vector<LinkDirection>> NodeWays::wires(int from, int to) {
  const auto& all = search(from, false);
  return from != to && all.reaches(to) ? std::optional{all.links_to(to)} : std::nullopt;
}

std::optional<std::vector<LinkDirection>> NodeWays::between(int from, int to) {
  const auto& direct = search(from, true);
  if (direct.reaches(to)) {
    return direct.links_to(to);
  }
  // Staged in the host memory nearest to the receiver.
  const auto& back = search(to, false);
  int memory = -1;
  for (int vertex = 0; vertex < machine_.vertices_per_node; ++vertex) {
    if (machine_.vertex(vertex).kind == VertexKind::host_memory && back.reaches(vertex) &&
        (memory < 0 || back.distance(vertex) < back.distance(memory) * (1.0 - relative_rounding))) {
      memory = vertex;
    }
  }
  if (memory < 0 || !search(from, false).reaches(memory)) {
    return std::nullopt;
  }
  auto links = search(from, false).links_to(memory);
  const auto rest = search(memory, false).links_to(to);
  links.insert(links.end(), rest.begin(), rest.end());
  return links;
}

} // namespace decodesim
