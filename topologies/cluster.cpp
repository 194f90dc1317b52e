#include "topologies/cluster.hpp"

#include "sim/data_files.hpp"
#include "sim/error.hpp"

#include <algorithm>
#include <utility>

namespace decodesim {

namespace {

/// Which NIC is on which leaf switch.
struct Leaves {
  int nodes_per_leaf = 1;
  int per_group = 1; ///< leaves that share the nodes of a group: one, or one per rail
  int count = 1;
  int nics = 1; ///< NICs of a full leaf

  [[nodiscard]] int of(int node, int nic) const {
    return node / nodes_per_leaf * per_group + (per_group > 1 ? nic : 0);
  }
};

Leaves arrange(int nodes, int nics_per_node, const Fabric& fabric, const NicLink& nic_link) {
  if (fabric.kind == FabricKind::single_switch) {
    return {.nodes_per_leaf = nodes, .nics = nodes * nics_per_node};
  }
  const auto where = "fabric " + to_string(fabric);
  if (!nic_link.switch_latency) {
    std::string known;
    for (const auto& name : data_file_names(DataKind::network)) {
      known += (known.empty() ? "" : ", ") + name;
    }
    throw InputError::at(where,
                         "names no network, and the machine's \"" + nic_link.link.type +
                             "\" does not tell the latency of a switch",
                         "add one of " + known);
  }
  const int ports = fabric.ports > 0 ? fabric.ports : nic_link.switch_ports;
  const int down = ports * fabric.down / (fabric.down + fabric.up);
  const bool rails = fabric.kind == FabricKind::rail_optimized;
  Leaves leaves;
  leaves.per_group = rails ? nics_per_node : 1;
  leaves.nodes_per_leaf = rails ? down : down / nics_per_node;
  if (leaves.nodes_per_leaf < 1) {
    throw InputError::at(
        where,
        "gives a leaf switch " + std::to_string(down) + " of its " + std::to_string(ports) +
            " ports for NICs, and a node has " + std::to_string(nics_per_node),
        "a leaf takes at least one node; use ports" +
            std::to_string((nics_per_node * (fabric.down + fabric.up) + fabric.down - 1) /
                           fabric.down) +
            " or more");
  }
  leaves.nics = leaves.nodes_per_leaf * (rails ? 1 : nics_per_node);
  leaves.count = (nodes + leaves.nodes_per_leaf - 1) / leaves.nodes_per_leaf * leaves.per_group;
  return leaves;
}

void add_switches(Machine& machine,
                  const Leaves& leaves,
                  const Fabric& fabric,
                  const NicLink& nic_link) {
  const auto add = [&](const std::string& id) {
    machine.vertices.push_back({id, VertexKind::network_switch, -1, -1});
  };
  if (fabric.kind == FabricKind::single_switch) {
    add("fabric");
    return;
  }
  const int first = static_cast<int>(machine.vertices.size());
  for (int leaf = 0; leaf < leaves.count; ++leaf) {
    const auto group = "leaf" + std::to_string(leaf / leaves.per_group);
    add(fabric.kind == FabricKind::rail_optimized
            ? group + ".rail" + std::to_string(leaf % leaves.per_group)
            : group);
  }
  if (leaves.count == 1) {
    return;
  }
  add("spine");
  auto up = nic_link.link;
  up.type += "_up";
  up.bandwidth.value = up.bandwidth.value * (static_cast<double>(leaves.nics) * fabric.up) /
                       static_cast<double>(fabric.down);
  up.physical_links = std::max(1, leaves.nics * fabric.up / fabric.down);
  up.bandwidth.source = std::to_string(leaves.nics) + " NICs of a leaf switch, oversubscribed " +
                        std::to_string(fabric.down) + " to " + std::to_string(fabric.up) + ": " +
                        up.bandwidth.source;
  up.latency = *nic_link.switch_latency;
  for (int leaf = 0; leaf < leaves.count; ++leaf) {
    up.from = first + leaf;
    up.to = first + leaves.count;
    machine.links.push_back(up);
  }
}

} // namespace

NicLink nic_link(const Network& network) {
  return {.link = {LinkKind::network, network.name, 1, 0, 0, network.bandwidth, network.latency},
          .switch_latency = network.switch_latency,
          .switch_ports = network.switch_ports};
}

void join_nodes(Machine& machine, int nodes, const Fabric& fabric, const NicLink& nic_link) {
  const auto node_vertices = std::exchange(machine.vertices, {});
  const auto node_links = std::exchange(machine.links, {});
  const auto node_gpus = std::exchange(machine.gpus, {});
  const int nics = static_cast<int>(
      std::count_if(node_vertices.begin(), node_vertices.end(), [](const Vertex& vertex) {
        return vertex.kind == VertexKind::nic;
      }));
  const auto leaves = arrange(nodes, nics, fabric, nic_link);
  const int first_switch = nodes * machine.vertices_per_node;
  machine.nodes = nodes;
  machine.links_per_node += nics;
  machine.fabric = to_string(fabric);
  for (int node = 0; node < nodes; ++node) {
    const int shift = node * machine.vertices_per_node;
    for (auto vertex : node_vertices) {
      vertex.id = "node" + std::to_string(node) + "/" + vertex.id;
      vertex.node = node;
      vertex.gpu += vertex.gpu < 0 ? 0 : node * static_cast<int>(node_gpus.size());
      machine.vertices.push_back(std::move(vertex));
    }
    for (const int gpu : node_gpus) {
      machine.gpus.push_back(shift + gpu);
    }
    for (auto link : node_links) {
      link.from += shift;
      link.to += shift;
      machine.links.push_back(std::move(link));
    }
    int nic = 0;
    for (int i = 0; i < machine.vertices_per_node; ++i) {
      if (node_vertices[static_cast<std::size_t>(i)].kind == VertexKind::nic) {
        auto link = nic_link.link;
        link.from = shift + i;
        link.to = first_switch + leaves.of(node, nic++);
        machine.links.push_back(std::move(link));
      }
    }
  }
  add_switches(machine, leaves, fabric, nic_link);
}

} // namespace decodesim
