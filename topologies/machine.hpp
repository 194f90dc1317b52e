#pragma once

#include "sim/device/gpu.hpp"
#include "sim/json_reader.hpp"
#include "sim/network/path.hpp"
#include "topologies/fabric.hpp"

#include <boost/graph/adjacency_list.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace decodesim {

/// Enumerators are the names used in machine files.
enum class VertexKind {
  gpu,
  nvswitch,
  pcie_switch,
  root_port,
  socket,
  host_memory,
  nic,
  network_switch
};

/// Enumerators are the names used in machine files. `upi` is any link between sockets, `c2c` joins
/// a GPU and a socket that share memory, `memory` a socket and its host memory.
enum class LinkKind { nvlink, c2c, pcie, upi, memory, network };

/// Which ways over PCIe a GPU may use to reach another GPU or a NIC itself; over the others data is
/// staged in host memory. Enumerators are the names used in machine files.
enum class PeerToPeer {
  none,           ///< none: over NVLink alone
  same_switch,    ///< those that pass PCIe switches alone
  same_root_port, ///< those that pass no socket
  same_socket,    ///< those that do not pass from socket to socket
  everywhere
};

[[nodiscard]] std::string to_string(VertexKind kind);
[[nodiscard]] std::string to_string(LinkKind kind);
[[nodiscard]] std::string to_string(PeerToPeer peer_to_peer);
[[nodiscard]] std::string to_string(Transport transport);

struct Vertex {
  std::string id; ///< "gpu0"; in a cluster "node3/gpu0"
  VertexKind kind = VertexKind::gpu;
  int node = 0; ///< server that it belongs to; -1 for the switches between servers
  int gpu = -1; ///< index among the machine's GPUs, in file order, node after node
};

/// A full-duplex link: each direction has the whole bandwidth.
struct Link {
  LinkKind kind = LinkKind::nvlink;
  std::string type;       ///< name of its entry in the file's `link_types`
  int physical_links = 1; ///< that it stands for ("NV12" is 12); its bandwidth is of all together
  int from = 0;           ///< vertex index
  int to = 0;
  Sourced<BytesPerSecond> bandwidth; ///< per direction
  Sourced<Seconds> latency;          ///< per crossing
};

/// Vertices are indices into Machine::vertices; an edge carries the LinkDirection it stands for.
using MachineGraph = boost::adjacency_list<boost::vecS,
                                           boost::vecS,
                                           boost::bidirectionalS,
                                           boost::no_property,
                                           LinkDirection>;

/// A server, or a cluster of equal servers, as a graph.
///
/// Vertices, links and GPUs of node k are those of node 0, in the same order, right after those of
/// node k-1. In a cluster the last links of each node join its NICs, in vertex order, to a network
/// switch each (not the same in every node); after all nodes come the network switches, each at
/// most one link from the spine, and the links from those to it.
struct Machine {
  std::string name; ///< as in the file; a preset's is its file's stem
  std::string summary;
  std::string source; ///< of the layout
  int nodes = 1;
  int vertices_per_node = 0; ///< without switches between nodes
  int links_per_node = 0;    ///< in a cluster, links of its NICs to network switches included
  std::string fabric;        ///< between the nodes, as in flags; empty for one node
  PeerToPeer peer_to_peer = PeerToPeer::same_switch;
  Gpu gpu; ///< all GPUs are of one type
  /// All GPUs of all nodes are one: each rank sees it whole, kernels that run at once share it, and
  /// `gpu` has each rank's part of the memory.
  bool shared_gpu = false;
  std::string cpu_vendor; ///< "amd", "intel", ...; empty when the file does not say
  std::vector<Vertex> vertices;
  std::vector<Link> links;
  std::map<Transport, SourcedTransportCost> transports; ///< every transport between two GPUs
  /// Share of the NVLink transport's bandwidth that collectives reduced in the NVSwitch reach;
  /// absent when the switches cannot reduce.
  std::optional<Sourced<double>> in_switch_reduction;
  MachineGraph graph;
  std::vector<int> gpus; ///< vertex index of each GPU

  [[nodiscard]] int gpu_count() const { return static_cast<int>(gpus.size()); }

  [[nodiscard]] int gpus_per_node() const { return gpu_count() / nodes; }

  /// Index of the first link between network switches; of a single server or switch links.size().
  [[nodiscard]] int first_fabric_link() const { return nodes * links_per_node; }

  [[nodiscard]] const Link& link(LinkDirection direction) const {
    return links[static_cast<std::size_t>(direction / 2)];
  }

  /// Vertex index where the direction begins.
  [[nodiscard]] int tail(LinkDirection direction) const {
    return direction % 2 == 0 ? link(direction).from : link(direction).to;
  }

  /// Vertex index where the direction ends.
  [[nodiscard]] int head(LinkDirection direction) const { return tail(direction ^ 1); }

  [[nodiscard]] const Vertex& vertex(int index) const {
    return vertices[static_cast<std::size_t>(index)];
  }

  /// Name of a GPU by its index: "gpu0", "node3/gpu0".
  [[nodiscard]] const std::string& gpu_name(int index) const {
    return vertex(gpus.at(static_cast<std::size_t>(index))).id;
  }

  /// "gpu0->nvswitch": the direction's two ends.
  [[nodiscard]] std::string direction_name(LinkDirection direction) const;
};

/// Most GPUs that a machine may have.
inline constexpr int most_gpus = 100'000;

/// Reads a machine file (format: docs/machine-files.md) and joins `nodes` copies of it by a fabric.
///
/// @param nodes  at least 1; more than 1 needs NICs and `network_link` in the file
/// @throws InputError with file and JSON pointer: unknown keys, kinds or units, missing sources,
///         numbers out of range, links to nowhere or between the wrong kinds, GPUs that cannot
///         reach each other, a transport that a route needs and the file does not describe, a node
///         with more NICs than a switch of the fabric has ports
[[nodiscard]] Machine
load_machine(const std::filesystem::path& path, int nodes = 1, const Fabric& fabric = {});

/// The same from text that was read already.
/// @param folder  where a relative path of a GPU file starts
[[nodiscard]] Machine parse_machine(const JsonReader& file,
                                    const std::filesystem::path& folder,
                                    int nodes = 1,
                                    const Fabric& fabric = {});

/// A preset's name or a path to a machine file: what has a '/' in it or ends in ".json" is a path.
/// @param where  named in the message when there is no such preset ("--machine")
/// @throws InputError with the nearest preset's name, or as load_machine
[[nodiscard]] Machine find_machine(const std::string& name_or_path,
                                   int nodes,
                                   const std::string& where,
                                   const Fabric& fabric = {});

} // namespace decodesim
