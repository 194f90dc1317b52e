#pragma once

#include "sim/device/gpu.hpp"
#include "sim/network/path.hpp"
#include "sim/sourced.hpp"

#include <boost/graph/adjacency_list.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace decodesim {

/// Enumerators are the names used in machine files.
enum class VertexKind { gpu, nvswitch, pcie_switch, root_port, socket, nic, network_switch };

enum class LinkKind { nvlink, pcie, upi, network };

struct Vertex {
  std::string id; ///< "gpu0"; in a cluster "node3/gpu0"
  VertexKind kind = VertexKind::gpu;
  int node = 0;    ///< server that it belongs to; -1 for switches between servers
  int gpu = -1;    ///< index among the machine's GPUs, in file order, node after node
};

/// A full-duplex link: each direction has the whole bandwidth.
struct Link {
  LinkKind kind = LinkKind::nvlink;
  std::string type; ///< name of its entry in the file's `link_types`
  int from = 0;     ///< vertex index
  int to = 0;
  Sourced<BytesPerSecond> bandwidth; ///< per direction
  Sourced<Seconds> latency;          ///< per crossing
};

/// Vertices are indices into Machine::vertices; an edge carries the LinkDirection it stands for.
using MachineGraph = boost::
    adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, LinkDirection>;

/// Software costs of one transport, with their sources.
struct SourcedTransportCost {
  Sourced<Seconds> base;
  Sourced<Seconds> hop;
  Sourced<BytesPerSecond> bandwidth;

  [[nodiscard]] TransportCost cost() const { return {base.value, hop.value, bandwidth.value}; }
};

/// A server, or a cluster of equal servers, as a graph.
struct Machine {
  std::string name;    ///< preset name or file stem
  std::string summary;
  int nodes = 1;
  Gpu gpu; ///< all GPUs are of one type
  std::vector<Vertex> vertices;
  std::vector<Link> links;
  std::map<Transport, SourcedTransportCost> transports; ///< every transport that occurs
  MachineGraph graph;
  std::vector<int> gpus; ///< vertex index of each GPU

  [[nodiscard]] int gpu_count() const { return static_cast<int>(gpus.size()); }

  [[nodiscard]] const Link& link(LinkDirection direction) const {
    return links[static_cast<std::size_t>(direction / 2)];
  }

  /// "gpu0->nvswitch": the direction's two ends.
  [[nodiscard]] std::string direction_name(LinkDirection direction) const;
};

/// Reads a machine file and joins `nodes` copies of it behind one network switch.
///
/// @param nodes  at least 1; more than 1 needs a `network` entry in the file and NICs
/// @throws InputError with file and JSON pointer: unknown keys, kinds or units, missing sources,
///         numbers that are not finite and positive, links to nowhere, GPUs that cannot reach each other
[[nodiscard]] Machine load_machine(const std::filesystem::path& path, int nodes = 1);

/// A preset's name or a path to a machine file.
[[nodiscard]] Machine
find_machine(const std::string& name_or_path, int nodes, const std::string& where);

} // namespace decodesim
