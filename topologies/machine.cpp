#include "topologies/machine.hpp"

#include "sim/data_files.hpp"
#include "sim/sourced_json.hpp"
#include "topologies/routes.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>
#include <span>
#include <utility>

namespace decodesim {

namespace fs = std::filesystem;

namespace {

template <class T> using Names = std::span<const std::pair<T, const char*>>;

constexpr std::array<std::pair<VertexKind, const char*>, 7> vertex_kinds{
    {{VertexKind::gpu, "gpu"},
     {VertexKind::nvswitch, "nvswitch"},
     {VertexKind::pcie_switch, "pcie_switch"},
     {VertexKind::root_port, "root_port"},
     {VertexKind::socket, "socket"},
     {VertexKind::nic, "nic"},
     {VertexKind::network_switch, "network_switch"}}};

constexpr std::array<std::pair<LinkKind, const char*>, 4> link_kinds{
    {{LinkKind::nvlink, "nvlink"},
     {LinkKind::pcie, "pcie"},
     {LinkKind::upi, "upi"},
     {LinkKind::network, "network"}}};

constexpr std::array<std::pair<Transport, const char*>, 3> transport_names{
    {{Transport::nvlink, "nvlink"}, {Transport::pcie, "pcie"}, {Transport::network, "network"}}};

template <class T> std::string name_in(Names<T> names, T value) {
  for (const auto& [one, name] : names) {
    if (one == value) {
      return name;
    }
  }
  return "?";
}

template <class T> T read_kind(Names<T> names, const JsonReader& json) {
  const auto text = json.as_string();
  std::vector<std::string> known;
  for (const auto& [value, name] : names) {
    if (text == name) {
      return value;
    }
    known.emplace_back(name);
  }
  throw InputError::unknown_name(json.where(), "kind", text, known);
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
  case LinkKind::upi:
    return {VertexKind::socket};
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

/// Reads a file into the machine of one node; join() then makes a cluster of it.
class MachineFile {
public:
  explicit MachineFile(const fs::path& path) : json_{JsonReader::open(path)}, path_{path} {
    json_.allow_only({"format_version",
                      "name",
                      "summary",
                      "source",
                      "gpu",
                      "nodes",
                      "link_types",
                      "links",
                      "transports",
                      "network_link",
                      "in_switch_reduction"});
    (void)json_.at("format_version").as_integer(1, 1);
  }

  [[nodiscard]] Machine read(int nodes) const {
    Machine machine;
    machine.name = json_.at("name").as_string();
    machine.summary = json_.at("summary").as_string();
    machine.source = json_.at("source").as_string();
    if (machine.source.find_first_not_of(" \t\n") == std::string::npos) {
      throw json_.at("source").error("is empty", "name the document that the layout is from");
    }
    machine.gpu = read_gpu();
    if (const auto reduction = json_.find("in_switch_reduction")) {
      machine.in_switch_reduction = read_ratio(*reduction);
    }
    read_vertices(machine);
    const auto types = read_link_types();
    read_links(machine, types);
    if (nodes < 1 || nodes > most_gpus / machine.gpu_count()) {
      throw InputError::at(path_.string(),
                           std::to_string(nodes) + " nodes are asked for",
                           "from 1 to " + std::to_string(most_gpus / machine.gpu_count()) +
                               " are possible (" + std::to_string(most_gpus) + " GPUs)");
    }
    const auto network = read_network_link(types);
    if (nodes > 1) {
      join(machine, nodes, network);
    }
    build_graph(machine);
    read_transports(machine);
    return machine;
  }

private:
  [[nodiscard]] Gpu read_gpu() const {
    const auto json = json_.at("gpu");
    const auto name = json.as_string();
    const bool is_path = name.find('/') != std::string::npos || name.ends_with(".json");
    // A path in a file is relative to that file, whatever the current folder is.
    return find_gpu(is_path ? (path_.parent_path() / name).string() : name, json.where());
  }

  void read_vertices(Machine& machine) const {
    const auto nodes = json_.at("nodes");
    std::set<std::string> ids;
    for (const auto& entry : nodes.elements()) {
      entry.allow_only({"id", "kind"});
      const auto kind = read_kind<VertexKind>(vertex_kinds, entry.at("kind"));
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
      type.kind = read_kind<LinkKind>(link_kinds, entry.at("kind"));
      if (const auto count = entry.find("physical_links")) {
        type.physical_links = static_cast<int>(count->as_integer(1, 1024));
      }
      type.bandwidth = read_bytes_per_second(entry.at("bandwidth"));
      type.latency = read_seconds(entry.at("latency"));
      types.emplace(name, std::move(type));
    }
    return types;
  }

  [[nodiscard]] static const LinkType& find_type(const std::map<std::string, LinkType>& types,
                                                 const JsonReader& json) {
    const auto name = json.as_string();
    const auto found = types.find(name);
    if (found == types.end()) {
      std::vector<std::string> known;
      for (const auto& entry : types) {
        known.push_back(entry.first);
      }
      throw InputError::unknown_name(json.where(), "link type", name, known);
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
    std::set<int> nics_with_pcie;
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
          if (link.kind == LinkKind::pcie && machine.vertex(end).kind == VertexKind::nic &&
              !nics_with_pcie.insert(end).second) {
            throw place.error("joins NIC \"" + machine.vertex(end).id + "\" by a second PCIe link",
                              "a NIC has one");
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

  /// The link of each NIC to the fabric, without its ends; nothing when the file has none.
  [[nodiscard]] std::optional<Link>
  read_network_link(const std::map<std::string, LinkType>& types) const {
    const auto json = json_.find("network_link");
    if (!json) {
      return std::nullopt;
    }
    const auto& type = find_type(types, *json);
    if (type.kind != LinkKind::network) {
      throw json->error("is of kind " + to_string(type.kind),
                        "a link type of kind network is expected");
    }
    return Link{
        type.kind, json->as_string(), type.physical_links, 0, 0, type.bandwidth, type.latency};
  }

  /// `nodes` copies of the node, each NIC joined to one new switch.
  void join(Machine& machine, int nodes, const std::optional<Link>& network) const {
    if (!network) {
      throw json_.error("has no \"network_link\"", "it is required for more than one node");
    }
    const auto node_vertices = std::move(machine.vertices);
    const auto node_links = std::move(machine.links);
    const int vertex_count = static_cast<int>(node_vertices.size());
    const int gpu_count = machine.gpu_count();
    const int fabric = nodes * vertex_count;
    machine.nodes = nodes;
    machine.vertices.clear();
    machine.links.clear();
    machine.gpus.clear();
    for (int node = 0; node < nodes; ++node) {
      const int shift = node * vertex_count;
      for (auto vertex : node_vertices) {
        if (vertex.kind == VertexKind::network_switch) {
          throw json_.at("nodes").error("has the network switch \"" + vertex.id + "\"",
                                        "a file with a network of its own is one machine: use one "
                                        "node");
        }
        vertex.id = "node" + std::to_string(node) + "/" + vertex.id;
        vertex.node = node;
        if (vertex.kind == VertexKind::gpu) {
          vertex.gpu += node * gpu_count;
          machine.gpus.push_back(static_cast<int>(machine.vertices.size()));
        }
        machine.vertices.push_back(std::move(vertex));
      }
      for (auto link : node_links) {
        link.from += shift;
        link.to += shift;
        machine.links.push_back(std::move(link));
      }
      for (int i = 0; i < vertex_count; ++i) {
        if (node_vertices[static_cast<std::size_t>(i)].kind == VertexKind::nic) {
          auto link = *network;
          link.from = shift + i;
          link.to = fabric;
          machine.links.push_back(std::move(link));
        }
      }
    }
    machine.vertices.push_back({"fabric", VertexKind::network_switch, -1, -1});
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

  /// Keeps the costs of the transports between two GPUs, and so checks that every GPU is reached.
  void read_transports(Machine& machine) const {
    const auto json = json_.at("transports");
    std::vector<std::string> names;
    for (const auto& entry : transport_names) {
      names.emplace_back(entry.second);
    }
    json.allow_only(names);
    std::map<Transport, SourcedTransportCost> described;
    for (const auto& [transport, name] : transport_names) {
      if (const auto entry = json.find(name)) {
        entry->allow_only({"base", "hop", "bandwidth"});
        described[transport] = {read_seconds(entry->at("base")),
                                read_seconds(entry->at("hop")),
                                read_bytes_per_second(entry->at("bandwidth"))};
      }
    }
    const auto require = [&](int from, int to, Transport transport) {
      const auto found = described.find(transport);
      if (found == described.end()) {
        throw json.error("has no \"" + to_string(transport) + "\"",
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
          same_node ? "join all GPUs; traffic does not pass through other GPUs or NICs"
                    : "every GPU needs a way to a NIC");
    }
  }

  JsonReader json_;
  fs::path path_;
};

} // namespace

std::string to_string(VertexKind kind) { return name_in<VertexKind>(vertex_kinds, kind); }

std::string to_string(LinkKind kind) { return name_in<LinkKind>(link_kinds, kind); }

std::string to_string(Transport transport) {
  return name_in<Transport>(transport_names, transport);
}

std::string Machine::direction_name(LinkDirection direction) const {
  return vertex(tail(direction)).id + "->" + vertex(head(direction)).id;
}

Machine load_machine(const fs::path& path, int nodes) { return MachineFile{path}.read(nodes); }

Machine find_machine(const std::string& name_or_path, int nodes, const std::string& where) {
  if (const auto preset = find_data_file(DataKind::machine, name_or_path); !preset.empty()) {
    return load_machine(preset, nodes);
  }
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".json")) {
    return load_machine(name_or_path, nodes);
  }
  throw InputError::unknown_name(
      where, "machine", name_or_path, data_file_names(DataKind::machine));
}

} // namespace decodesim
