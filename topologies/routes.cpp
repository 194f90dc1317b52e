#include "topologies/routes.hpp"

#include "sim/error.hpp"

#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <boost/property_map/function_property_map.hpp>

#include <algorithm>
#include <limits>
#include <map>

namespace decodesim {

namespace {

/// Size of the message whose time the routes minimise: large enough that bandwidth decides, small
/// enough that of two equally wide ways the one with fewer crossings is taken.
constexpr Bytes message{1024.0 * 1024.0};

/// Sums of the same weights in another order differ by rounding only.
constexpr double relative_rounding = 1e-12;

double weight(const Link& link) {
  return (link.latency.value + message / link.bandwidth.value).value();
}

Transport transport_of(LinkKind kind) {
  switch (kind) {
  case LinkKind::nvlink:
    return Transport::nvlink;
  case LinkKind::pcie:
  case LinkKind::upi:
    return Transport::pcie;
  case LinkKind::network:
    return Transport::network;
  }
  return Transport::network;
}

Path path_of(const Machine& machine, std::vector<LinkDirection> links) {
  Path path;
  path.bandwidth = BytesPerSecond{std::numeric_limits<double>::infinity()};
  for (const auto direction : links) {
    const auto& link = machine.link(direction);
    path.latency += link.latency.value;
    path.bandwidth = std::min(path.bandwidth, link.bandwidth.value);
    path.transport = std::max(path.transport, transport_of(link.kind));
  }
  path.links = std::move(links);
  return path;
}

/// The edges that a way from `source` to another vertex of its node may use.
struct WithinNode {
  const Machine* machine = nullptr;
  int source = 0;

  [[nodiscard]] bool allows(LinkDirection direction) const {
    const int per_node = machine->vertices_per_node();
    const int first = source / per_node * per_node;
    const int tail = machine->tail(direction);
    const int head = machine->head(direction);
    const auto inside = [&](int vertex) { return vertex >= first && vertex < first + per_node; };
    if (!inside(tail) || !inside(head)) {
      return false;
    }
    if (tail == source) {
      return true;
    }
    // A GPU does not forward. A NIC has one PCIe link, so nothing leaves it that came that way.
    return machine->vertex(tail).kind != VertexKind::gpu;
  }

  template <class Edge> bool operator()(const Edge& edge) const {
    return allows(boost::get(boost::edge_bundle, machine->graph, edge));
  }
};

/// Shortest distances from one vertex to those of its node, and the ways to them.
class Search {
public:
  Search(const Machine& machine, int source)
      : machine_{machine}, within_{&machine, source},
        distance_(machine.vertices.size(), std::numeric_limits<double>::infinity()) {
    const boost::filtered_graph graph{machine.graph, within_};
    const auto edge_weight =
        boost::make_function_property_map<MachineGraph::edge_descriptor, double>(
            [&machine](const MachineGraph::edge_descriptor& edge) {
              return weight(machine.link(boost::get(boost::edge_bundle, machine.graph, edge)));
            });
    boost::dijkstra_shortest_paths(
        graph,
        static_cast<std::size_t>(source),
        boost::weight_map(edge_weight)
            .distance_map(boost::make_iterator_property_map(distance_.begin(),
                                                            boost::get(boost::vertex_index, graph)))
            .distance_inf(std::numeric_limits<double>::infinity()));
  }

  [[nodiscard]] bool reaches(int vertex) const {
    return distance_[static_cast<std::size_t>(vertex)] < std::numeric_limits<double>::infinity();
  }

  [[nodiscard]] double distance(int vertex) const {
    return distance_[static_cast<std::size_t>(vertex)];
  }

  /// Links from the source; of equal ways the one that, seen from the end, comes from the lower
  /// vertices.
  [[nodiscard]] std::vector<LinkDirection> links_to(int target) const {
    std::vector<LinkDirection> links;
    for (int vertex = target; vertex != within_.source;) {
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
    for (const auto& edge : boost::make_iterator_range(
             boost::out_edges(static_cast<std::size_t>(vertex), machine_.graph))) {
      const auto direction = boost::get(boost::edge_bundle, machine_.graph, edge) ^ 1;
      const int tail = machine_.tail(direction);
      if (within_.allows(direction) && reaches(tail) &&
          distance(tail) + weight(machine_.link(direction)) <=
              distance(vertex) * (1.0 + relative_rounding) &&
          (best < 0 || tail < machine_.tail(best))) {
        best = direction;
      }
    }
    return best;
  }

  const Machine& machine_;
  WithinNode within_;
  std::vector<double> distance_;
};

/// Link from a NIC to the fabric.
LinkDirection link_to_fabric(const Machine& machine, int nic) {
  for (const auto& edge :
       boost::make_iterator_range(boost::out_edges(static_cast<std::size_t>(nic), machine.graph))) {
    const auto direction = boost::get(boost::edge_bundle, machine.graph, edge);
    if (machine.head(direction) == machine.fabric()) {
      return direction;
    }
  }
  return -1;
}

/// Ways of node 0's GPUs to the fabric; nothing for a GPU that reaches no NIC.
std::vector<std::optional<std::vector<LinkDirection>>> find_ways_to_fabric(const Machine& machine) {
  std::vector<std::optional<std::vector<LinkDirection>>> ways;
  std::map<std::vector<int>, std::size_t> turn; // GPUs so far that are nearest to these NICs
  for (int gpu = 0; gpu < machine.gpus_per_node(); ++gpu) {
    const Search search{machine, machine.gpus[static_cast<std::size_t>(gpu)]};
    std::vector<int> nearest;
    double least = std::numeric_limits<double>::infinity();
    for (int vertex = 0; vertex < machine.vertices_per_node(); ++vertex) {
      if (machine.vertex(vertex).kind != VertexKind::nic || !search.reaches(vertex)) {
        continue;
      }
      const double distance =
          search.distance(vertex) + weight(machine.link(link_to_fabric(machine, vertex)));
      if (distance < least * (1.0 - relative_rounding)) {
        least = distance;
        nearest.clear();
      }
      if (distance <= least * (1.0 + relative_rounding)) {
        nearest.push_back(vertex);
      }
    }
    if (nearest.empty()) {
      ways.emplace_back();
      continue;
    }
    const int nic = nearest[turn[nearest]++ % nearest.size()];
    auto& links = ways.emplace_back(search.links_to(nic));
    links->push_back(link_to_fabric(machine, nic));
  }
  return ways;
}

} // namespace

Routes::Routes(const Machine& machine)
    : machine_{machine}, in_node_(static_cast<std::size_t>(machine.gpus_per_node())) {
  if (machine.nodes > 1) {
    to_fabric_ = find_ways_to_fabric(machine);
  }
}

Routes::LinkList Routes::links_between(int from, int to) const {
  const int per_node = machine_.gpus_per_node();
  const auto from_local = static_cast<std::size_t>(from % per_node);
  const auto to_local = static_cast<std::size_t>(to % per_node);
  const auto shift = [&](int gpu) { return gpu / per_node * machine_.links_per_node() * 2; };
  LinkList links;
  if (from / per_node == to / per_node) {
    auto& row = in_node_[from_local];
    if (row.empty()) {
      const Search search{machine_, machine_.gpus[from_local]};
      for (int gpu = 0; gpu < per_node; ++gpu) {
        const int vertex = machine_.gpus[static_cast<std::size_t>(gpu)];
        row.push_back(search.reaches(vertex) ? std::optional{search.links_to(vertex)}
                                             : std::nullopt);
      }
    }
    if (row[to_local]) {
      for (const auto direction : *row[to_local]) {
        links.push_back(direction + shift(from));
      }
    }
  } else if (to_fabric_[from_local] && to_fabric_[to_local]) {
    for (const auto direction : *to_fabric_[from_local]) {
      links.push_back(direction + shift(from));
    }
    const auto& back = *to_fabric_[to_local];
    for (auto direction = back.rbegin(); direction != back.rend(); ++direction) {
      links.push_back((*direction ^ 1) + shift(to));
    }
  }
  return links;
}

const Path& Routes::between(int from, int to) const {
  const auto key = static_cast<std::int64_t>(from) * machine_.gpu_count() + to;
  if (const auto known = paths_.find(key); known != paths_.end()) {
    return known->second;
  }
  const auto& from_name = machine_.gpu_name(from);
  const auto& to_name = machine_.gpu_name(to);
  if (from == to) {
    throw InputError::at("machine " + machine_.name,
                         "no way is needed from " + from_name + " to itself");
  }
  auto links = links_between(from, to);
  if (links.empty()) {
    throw InputError::at("machine " + machine_.name,
                         "there is no way from " + from_name + " to " + to_name);
  }
  return paths_.emplace(key, path_of(machine_, std::move(links))).first->second;
}

std::optional<Path> find_path(const Machine& machine, int from_vertex, int to_vertex) {
  const Search search{machine, from_vertex};
  if (from_vertex == to_vertex || !search.reaches(to_vertex)) {
    return std::nullopt;
  }
  return path_of(machine, search.links_to(to_vertex));
}

} // namespace decodesim
