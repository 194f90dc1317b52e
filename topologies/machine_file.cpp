#include "sim/data_files.hpp"
#include "sim/sourced_json.hpp"
#include "topologies/cluster.hpp"
#include "topologies/kind_names.hpp"
#include "topologies/routes.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <type_traits>

namespace decodesim {

namespace fs = std::filesystem;

namespace {

using Transports = std::map<Transport, SourcedTransportCost>;

template <class T>
T read_kind(const char* what, std::type_identity_t<Names<T>> names, const JsonReader& json) {
  const auto text = json.as_string();
  std::vector<std::string> known;
  for (const auto& [value, name] : names) {
    if (text == name) {
      return value;
    }
    known.emplace_back(name);
  }
  throw InputError::unknown_name(json.where(), what, text, known);
}

/// What a link of this kind may join.
std::vector<VertexKind> ends_of(LinkKind kind) {
  switch (kind) {
  case LinkKind::nvlink:
    return {VertexKind::gpu, VertexKind::nvswitch};
  case LinkKind::pcie:
    return {VertexKind::gpu,
            VertexKind::pcie_switch,
            VertexKind::root_port,
            VertexKind::socket,
            VertexKind::nic};
  case LinkKind::c2c:
    return {VertexKind::gpu, VertexKind::socket};
  case LinkKind::upi:
    return {VertexKind::socket};
  case LinkKind::memory:
    return {VertexKind::socket, VertexKind::host_memory};
  case LinkKind::network:
    return {VertexKind::nic, VertexKind::network_switch};
  }
  return {};
}

struct LinkType {
  LinkKind kind = LinkKind::nvlink;
  int physical_links = 1;
  Sourced<BytesPerSecond> bandwidth;
  Sourced<Seconds> latency;
};

/// A string, or an array of strings that stands for as many entries.
std::vector<std::pair<std::string, JsonReader>> one_or_more(const JsonReader& json) {
  std::vector<std::pair<std::string, JsonReader>> all;
  if (!json.is_array()) {
    all.emplace_back(json.as_string(), json);
    return all;
  }
  for (const auto& element : json.elements()) {
    all.emplace_back(element.as_string(), element);
  }
  if (all.empty()) {
    throw json.error("is empty", "at least one id is expected");
  }
  return all;
}

void check_id(const std::string& id, const JsonReader& json) {
  const bool plain =
      !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
      });
  if (!plain) {
    throw json.error("is \"" + id + "\"", "1 to 64 letters, digits, '_', '-' or '.' are expected");
  }
  if (id == "fabric") {
    throw json.error("is \"fabric\"", "that is the name of the switch between nodes");
  }
}

/// Reads a file into the machine of one node; join_nodes() then makes a cluster of it.
class MachineFile {
public:
  MachineFile(const JsonReader& json, const fs::path& folder) : json_{json}, folder_{folder} {
    json_.allow_only({"format_version",
                      "name",
                      "summary",
                      "source",
                      "gpu",
                      "shared_gpu",
                      "nodes",
                      "link_types",
                      "links",
                      "transports",
                      "peer_to_peer",
                      "network_link",
                      "in_switch_reduction",
                      "cpu_vendor"});
    (void)json_.at("format_version").as_integer(1, 1);
  }

  [[nodiscard]] Machine read(int nodes, const Fabric& fabric) const {
    Machine machine;
    machine.name = json_.at("name").as_string();
    machine.summary = json_.at("summary").as_string();
    machine.source = json_.at("source").as_string();
    if (machine.source.find_first_not_of(" \t\n") == std::string::npos) {
      throw json_.at("source").error("is empty", "name the document that the layout is from");
    }
    machine.gpu = read_gpu();
    if (const auto vendor = json_.find("cpu_vendor")) {
      machine.cpu_vendor = vendor->as_string();
      if (machine.cpu_vendor != "amd" && machine.cpu_vendor != "intel" &&
          machine.cpu_vendor != "nvidia") {
        throw vendor->error("is \"" + machine.cpu_vendor + "\"", "amd, intel or nvidia");
      }
    }
    if (const auto reduction = json_.find("in_switch_reduction")) {
      machine.in_switch_reduction = read_ratio(*reduction);
    }
    if (const auto level = json_.find("peer_to_peer")) {
      machine.peer_to_peer =
          read_kind<PeerToPeer>("peer-to-peer access", peer_to_peer_names, *level);
    }
    read_vertices(machine);
    const auto types = read_link_types();
    read_links(machine, types);
    machine.vertices_per_node = static_cast<int>(machine.vertices.size());
    machine.links_per_node = static_cast<int>(machine.links.size());
    auto transports = read_transports();
    const auto own = read_network_link(types, transports);
    if (nodes < 1 || nodes > most_gpus / machine.gpu_count()) {
      throw json_.error(std::to_string(nodes) + " nodes are asked for",
                        "from 1 to " + std::to_string(most_gpus / machine.gpu_count()) +
                            " are possible (" + std::to_string(most_gpus) + " GPUs)");
    }
    if (nodes > 1) {
      join(machine, nodes, fabric, own, transports);
    }
    if (const auto shared = json_.find("shared_gpu"); shared && shared->as_bool()) {
      share_gpu(machine);
    }
    build_graph(machine);
    keep_transports(machine, transports);
    return machine;
  }

private:
  [[nodiscard]] Gpu read_gpu() const {
    const auto json = json_.at("gpu");
    const auto name = json.as_string();
    const bool is_path = name.find('/') != std::string::npos || name.ends_with(".json");
    // A path in a file is relative to that file, whatever the current folder is.
    return find_gpu(is_path ? (folder_ / name).string() : name, json.where());
  }

  static void share_gpu(Machine& machine) {
    machine.shared_gpu = true;
    auto& gpu = machine.gpu;
    gpu.memory_capacity.value =
        gpu.memory_reserve.value + gpu.usable_memory() / static_cast<double>(machine.gpu_count());
    gpu.memory_capacity.source += "; the part of a rank, and the reserve";
  }

  void read_vertices(Machine& machine) const {
    const auto nodes = json_.at("nodes");
    std::set<std::string> ids;
    for (const auto& entry : nodes.elements()) {
      entry.allow_only({"id", "kind"});
      const auto kind = read_kind<VertexKind>("kind", vertex_kinds, entry.at("kind"));
      for (const auto& [id, place] : one_or_more(entry.at("id"))) {
        check_id(id, place);
        if (!ids.insert(id).second) {
          throw place.error("\"" + id + "\" is given twice", "ids are unique");
        }
        auto& vertex = machine.vertices.emplace_back(Vertex{id, kind});
        if (kind == VertexKind::gpu) {
          vertex.gpu = machine.gpu_count();
          machine.gpus.push_back(static_cast<int>(machine.vertices.size()) - 1);
        }
      }
    }
    if (machine.gpus.empty()) {
      throw nodes.error("has no GPU", "at least one entry of kind gpu is expected");
    }
    if (machine.gpu_count() > most_gpus) {
      throw nodes.error("has " + std::to_string(machine.gpu_count()) + " GPUs",
                        "at most " + std::to_string(most_gpus) + " are expected");
    }
  }

  [[nodiscard]] std::map<std::string, LinkType> read_link_types() const {
    std::map<std::string, LinkType> types;
    const auto json = json_.at("link_types");
    for (const auto& name : json.keys()) {
      if (name.starts_with("_")) {
        continue;
      }
      const auto entry = json.at(name);
      entry.allow_only({"kind", "physical_links", "bandwidth", "latency"});
      LinkType type;
      type.kind = read_kind<LinkKind>("kind", link_kinds, entry.at("kind"));
      if (const auto count = entry.find("physical_links")) {
        type.physical_links = static_cast<int>(count->as_integer(1, 1024));
      }
      type.bandwidth = read_bytes_per_second(entry.at("bandwidth"));
      type.latency = read_seconds(entry.at("latency"));
      types.emplace(name, std::move(type));
    }
    return types;
  }

  /// @param others  names that the message lists too
  [[nodiscard]] static const LinkType& find_type(const std::map<std::string, LinkType>& types,
                                                 const JsonReader& json,
                                                 std::vector<std::string> others = {}) {
    const auto name = json.as_string();
    const auto found = types.find(name);
    if (found == types.end()) {
      for (const auto& entry : types) {
        others.push_back(entry.first);
      }
      throw InputError::unknown_name(json.where(), "link type", name, others);
    }
    return found->second;
  }

  [[nodiscard]] static int
  find_vertex(const Machine& machine, const std::string& id, const JsonReader& json) {
    std::vector<std::string> known;
    for (const auto& vertex : machine.vertices) {
      if (vertex.id == id) {
        return static_cast<int>(known.size());
      }
      known.push_back(vertex.id);
    }
    const auto near = nearest_name(id, known);
    throw json.error("\"" + id + "\" is not among the nodes",
                     near.empty() ? "use an id of /nodes" : "did you mean \"" + near + "\"?");
  }

  static void check_ends(const Machine& machine, const Link& link, const JsonReader& json) {
    const auto allowed = ends_of(link.kind);
    for (const int end : {link.from, link.to}) {
      const auto& vertex = machine.vertex(end);
      if (std::find(allowed.begin(), allowed.end(), vertex.kind) == allowed.end()) {
        std::string names;
        for (const auto kind : allowed) {
          names += (names.empty() ? "" : ", ") + to_string(kind);
        }
        throw json.error("ends at " + to_string(vertex.kind) + " \"" + vertex.id +
                             "\" and is of kind " + to_string(link.kind),
                         "links of that kind join " + names);
      }
    }
  }

  void read_links(Machine& machine, const std::map<std::string, LinkType>& types) const {
    std::set<std::pair<int, int>> joined;
    std::set<int> attached; // NICs and host memories
    for (const auto& entry : json_.at("links").elements()) {
      entry.allow_only({"from", "to", "type"});
      const auto type_name = entry.at("type").as_string();
      const auto& type = find_type(types, entry.at("type"));
      const auto to = entry.at("to");
      const int to_index = find_vertex(machine, to.as_string(), to);
      for (const auto& [id, place] : one_or_more(entry.at("from"))) {
        const Link link{type.kind,
                        type_name,
                        type.physical_links,
                        find_vertex(machine, id, place),
                        to_index,
                        type.bandwidth,
                        type.latency};
        if (link.from == link.to) {
          throw place.error("joins \"" + id + "\" to itself", "join two different nodes");
        }
        check_ends(machine, link, entry);
        for (const int end : {link.from, link.to}) {
          const auto& vertex = machine.vertex(end);
          if (((link.kind == LinkKind::pcie && vertex.kind == VertexKind::nic) ||
               vertex.kind == VertexKind::host_memory) &&
              !attached.insert(end).second) {
            const bool nic = vertex.kind == VertexKind::nic;
            throw place.error(std::string{"joins "} + (nic ? "NIC" : "host memory") + " \"" +
                                  vertex.id + "\" by a second " + (nic ? "PCIe " : "") + "link",
                              nic ? "a NIC has one" : "a host memory has one");
          }
        }
        if (!joined.insert(std::minmax(link.from, link.to)).second) {
          throw place.error("joins \"" + id + "\" and \"" + to.as_string() + "\" again",
                            "give parallel links as one, with physical_links and their bandwidth "
                            "together");
        }
        machine.links.push_back(link);
      }
    }
  }

  /// What joins each NIC to the network, of the file's own link types or a preset; nothing when the
  /// file has none. A preset brings its transport.
  [[nodiscard]] std::optional<NicLink>
  read_network_link(const std::map<std::string, LinkType>& types, Transports& transports) const {
    const auto json = json_.find("network_link");
    if (!json) {
      return std::nullopt;
    }
    const auto name = json->as_string();
    if (!types.contains(name) && !find_data_file(DataKind::network, name).empty()) {
      const auto network = find_network(name, json->where());
      transports.emplace(Transport::network, network.transport);
      return nic_link(network);
    }
    const auto& type = find_type(types, *json, data_file_names(DataKind::network));
    if (type.kind != LinkKind::network) {
      throw json->error("is of kind " + to_string(type.kind),
                        "a link type of kind network is expected");
    }
    return NicLink{
        .link = {type.kind, name, type.physical_links, 0, 0, type.bandwidth, type.latency}};
  }

  void join(Machine& machine,
            int nodes,
            const Fabric& fabric,
            const std::optional<NicLink>& own,
            Transports& transports) const {
    bool has_nic = false;
    for (const auto& vertex : machine.vertices) {
      has_nic = has_nic || vertex.kind == VertexKind::nic;
      if (vertex.kind == VertexKind::network_switch) {
        throw json_.at("nodes").error("has the network switch \"" + vertex.id + "\"",
                                      "a file with a network of its own is one machine: use one "
                                      "node");
      }
    }
    if (!has_nic) {
      throw json_.at("nodes").error("has no NIC",
                                    "at least one entry of kind nic is expected for more than one "
                                    "node");
    }
    auto link = own;
    if (!fabric.network.empty()) {
      const auto network = find_network(fabric.network, "fabric " + to_string(fabric));
      transports.insert_or_assign(Transport::network, network.transport);
      link = nic_link(network);
    }
    if (!link) {
      throw json_.error("has no \"network_link\"", "it is required for more than one node");
    }
    join_nodes(machine, nodes, fabric, *link);
  }

  static void build_graph(Machine& machine) {
    machine.graph = MachineGraph{machine.vertices.size()};
    for (int i = 0; i < static_cast<int>(machine.links.size()); ++i) {
      for (const LinkDirection direction : {2 * i, 2 * i + 1}) {
        boost::add_edge(static_cast<std::size_t>(machine.tail(direction)),
                        static_cast<std::size_t>(machine.head(direction)),
                        direction,
                        machine.graph);
      }
    }
  }

  [[nodiscard]] Transports read_transports() const {
    const auto json = json_.at("transports");
    std::vector<std::string> names;
    for (const auto& entry : transport_names) {
      names.emplace_back(entry.second);
    }
    json.allow_only(names);
    Transports described;
    for (const auto& [transport, name] : transport_names) {
      if (const auto entry = json.find(name)) {
        entry->allow_only({"base", "hop", "bandwidth"});
        described[transport] = {read_seconds(entry->at("base")),
                                read_seconds(entry->at("hop")),
                                read_bytes_per_second(entry->at("bandwidth"))};
      }
    }
    return described;
  }

  /// Keeps the costs of the transports between two GPUs, and so checks that every GPU is reached.
  void keep_transports(Machine& machine, const Transports& described) const {
    const auto require = [&](int from, int to, Transport transport) {
      const auto found = described.find(transport);
      if (found == described.end()) {
        throw json_.at("transports")
            .error("has no \"" + to_string(transport) + "\"",
                   "it is required: the way from " + machine.gpu_name(from) + " to " +
                       machine.gpu_name(to) + " is of that kind");
      }
      machine.transports.emplace(*found);
    };
    const Routes routes{machine};
    const int per_node = machine.gpus_per_node();
    for (int from = 0; from < per_node; ++from) {
      for (int to = 0; to < per_node; ++to) {
        if (from != to) {
          require(from, to, transport_between(routes, machine, from, to));
        }
      }
    }
    for (int gpu = 0; machine.nodes > 1 && gpu < per_node; ++gpu) {
      require(gpu, per_node + gpu, transport_between(routes, machine, gpu, per_node + gpu));
    }
  }

  [[nodiscard]] Transport
  transport_between(const Routes& routes, const Machine& machine, int from, int to) const {
    try {
      return routes.between(from, to).transport;
    } catch (const InputError&) {
      const bool same_node = from / machine.gpus_per_node() == to / machine.gpus_per_node();
      throw json_.at("links").error(
          "leave no way from " + machine.gpu_name(from) + " to " + machine.gpu_name(to),
          std::string{same_node ? "join all GPUs" : "every GPU needs a way to a NIC"} +
              "; traffic does not pass through other GPUs or NICs, and with peer_to_peer " +
              to_string(machine.peer_to_peer) + " what passes more is staged in a host_memory");
    }
  }

  JsonReader json_;
  fs::path folder_;
};

} // namespace

Machine
parse_machine(const JsonReader& file, const fs::path& folder, int nodes, const Fabric& fabric) {
  return MachineFile{file, folder}.read(nodes, fabric);
}

} // namespace decodesim
