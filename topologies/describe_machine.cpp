#include "topologies/describe_machine.hpp"

#include "sim/quantity_text.hpp"
#include "sim/sourced_json.hpp"
#include "topologies/bisection.hpp"
#include "topologies/ring.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace decodesim {

namespace {

using Row = std::vector<std::string>;

/// Rows in columns two spaces apart, the last one ragged.
std::string in_columns(const std::vector<Row>& rows, const std::string& indent = "") {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) {
        line += std::string(widths[i] - row[i].size() + 2, ' ');
      }
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

/// A hardware number as it is shown.
struct Number {
  std::string owner; ///< "machine NAME" or "gpu NAME"
  std::string name;  ///< as in the file: "link_types/upi/bandwidth"
  std::string value;
  SourceKind kind = SourceKind::assumed;
  std::string source;
};

class NumberList {
public:
  void set_owner(std::string owner) { owner_ = std::move(owner); }

  template <class T> void add(const std::string& name, const Sourced<T>& number) {
    numbers_.push_back({owner_, name, to_text(number.value), number.kind, number.source});
  }

  void add(const std::string& name, const Sourced<std::string>& other) {
    numbers_.push_back({owner_, name, "those of " + other.value, other.kind, other.source});
  }

  [[nodiscard]] const std::vector<Number>& all() const { return numbers_; }

private:
  std::string owner_;
  std::vector<Number> numbers_;
};

void add_gpu(NumberList& list, const Gpu& gpu) {
  list.set_owner("gpu " + gpu.name);
  list.add("sm_count", gpu.sm_count);
  list.add("l2_cache", gpu.l2_cache);
  list.add("memory_capacity", gpu.memory_capacity);
  list.add("memory_reserve", gpu.memory_reserve);
  list.add("memory_bandwidth", gpu.memory_bandwidth);
  for (const auto& [type, peak] : gpu.peak) {
    list.add("peak/" + to_string(type), peak);
  }
  list.add("eager_launch", gpu.eager_launch);
  list.add("graph_launch", gpu.graph_launch);
  if (!gpu.kernels_of.value.empty()) {
    list.add("kernels", gpu.kernels_of);
    return;
  }
  for (const auto& [kernel_class, cost] : gpu.kernels) {
    const auto name = "kernels/" + to_string(kernel_class);
    for_each_parameter(cost, [&](const std::string& parameter, const auto& number) {
      list.add(name + "/" + parameter, number);
    });
  }
}

/// @param links  indices; each link type is listed once, in the order of its first link
void add_links(NumberList& list, const Machine& machine, const std::set<int>& links) {
  std::set<std::string> listed;
  for (const int index : links) {
    const auto& link = machine.links[static_cast<std::size_t>(index)];
    if (listed.insert(link.type).second) {
      list.add("link_types/" + link.type + "/bandwidth", link.bandwidth);
      list.add("link_types/" + link.type + "/latency", link.latency);
    }
  }
}

std::vector<Number> numbers_of(const Machine& machine, const std::set<int>& links) {
  NumberList list;
  list.set_owner("machine " + machine.name);
  add_links(list, machine, links);
  for (const auto& [transport, cost] : machine.transports) {
    const auto name = "transports/" + to_string(transport);
    list.add(name + "/base", cost.base);
    list.add(name + "/hop", cost.hop);
    list.add(name + "/bandwidth", cost.bandwidth);
  }
  add_gpu(list, machine.gpu);
  return list.all();
}

/// Links on the ways between GPUs of the first node, and from there to the second and to the last,
/// which is the farthest.
std::set<int> links_between_gpus(const Machine& machine, const Routes& routes) {
  std::set<int> links;
  const auto add = [&](int from, int to) {
    for (const auto direction : routes.between(from, to).links) {
      links.insert(direction / 2);
    }
  };
  const int per_node = machine.gpus_per_node();
  for (int from = 0; from < per_node; ++from) {
    for (int to = 0; to < per_node; ++to) {
      if (from != to) {
        add(from, to);
      }
    }
    if (machine.nodes > 1) {
      add(from, per_node + from);
      add(from, machine.gpu_count() - per_node + from);
    }
  }
  return links;
}

/// "gpu0 > switch0 > gpu1"
std::string vertices_passed(const Machine& machine, const Path& path) {
  std::string text = machine.vertex(machine.tail(path.links.front())).id;
  for (const auto direction : path.links) {
    text += " > " + machine.vertex(machine.head(direction)).id;
  }
  return text;
}

std::string gpu_names(const Machine& machine, const std::vector<int>& gpus, const char* between) {
  // Beyond this the rest of a cluster only repeats the first node.
  constexpr std::size_t most_shown = 16;
  std::string text;
  for (std::size_t i = 0; i < std::min(gpus.size(), most_shown); ++i) {
    text += (i == 0 ? "" : between) + machine.gpu_name(gpus[i]);
  }
  if (gpus.size() > most_shown) {
    text += std::string{between} + "... (" + std::to_string(gpus.size()) + " in all)";
  }
  return text;
}

std::vector<int> all_gpus(const Machine& machine) {
  std::vector<int> gpus(static_cast<std::size_t>(machine.gpu_count()));
  std::iota(gpus.begin(), gpus.end(), 0);
  return gpus;
}

} // namespace

std::string way_kind(const Machine& machine, const Path& path) {
  if (path.transport == Transport::network) {
    return "NET";
  }
  if (path.transport == Transport::nvlink) {
    int links = machine.link(path.links.front()).physical_links;
    for (const auto direction : path.links) {
      links = std::min(links, machine.link(direction).physical_links);
    }
    return "NV" + std::to_string(links);
  }
  std::set<int> passed; // once each: what is staged comes by a socket twice
  for (std::size_t i = 0; i + 1 < path.links.size(); ++i) {
    passed.insert(machine.head(path.links[i]));
  }
  int switches = 0;
  int root_ports = 0;
  int sockets = 0;
  for (const int vertex : passed) {
    const auto kind = machine.vertex(vertex).kind;
    switches += kind == VertexKind::pcie_switch ? 1 : 0;
    root_ports += kind == VertexKind::root_port ? 1 : 0;
    sockets += kind == VertexKind::socket ? 1 : 0;
  }
  if (sockets > 1) {
    return "SYS";
  }
  if (root_ports > 1) {
    return "NODE";
  }
  if (root_ports + sockets > 0) {
    return "PHB";
  }
  return switches > 1 ? "PXB" : "PIX";
}

namespace {

/// Without the "node0/" that the parts of a cluster's first node have.
std::string short_name(const Vertex& vertex) { return vertex.id.substr(vertex.id.find('/') + 1); }

/// GPUs and NICs of the first node; of many only the first of each kind.
std::vector<int> matrix_ends(const Machine& machine, std::string& left_out) {
  constexpr std::size_t most_ends = 40;
  constexpr std::size_t first_of_many = 8;
  std::vector<int> gpus(machine.gpus.begin(), machine.gpus.begin() + machine.gpus_per_node());
  std::vector<int> nics;
  for (int i = 0; i < machine.vertices_per_node; ++i) {
    if (machine.vertex(i).kind == VertexKind::nic) {
      nics.push_back(i);
    }
  }
  if (gpus.size() + nics.size() > most_ends) {
    left_out = "(the first 8 of " + std::to_string(gpus.size()) + " GPUs and of " +
               std::to_string(nics.size()) + " NICs)\n\n";
    gpus.resize(std::min(gpus.size(), first_of_many));
    nics.resize(std::min(nics.size(), first_of_many));
  }
  gpus.insert(gpus.end(), nics.begin(), nics.end());
  return gpus;
}

} // namespace

std::string topology_matrix(const Machine& machine, const Routes& routes) {
  std::string left_out;
  const auto ends = matrix_ends(machine, left_out);
  std::vector<Row> rows{{""}};
  std::set<std::string> kinds;
  for (const int from : ends) {
    rows.front().push_back(short_name(machine.vertex(from)));
    Row row{short_name(machine.vertex(from))};
    for (const int to : ends) {
      if (from == to) {
        row.emplace_back("X");
        continue;
      }
      const bool both_gpus = machine.vertex(from).kind == VertexKind::gpu &&
                             machine.vertex(to).kind == VertexKind::gpu;
      const auto path =
          both_gpus
              ? std::optional{routes.between(machine.vertex(from).gpu, machine.vertex(to).gpu)}
              : routes.wires(from, to);
      const auto kind = path ? way_kind(machine, *path) : "-";
      kinds.insert(kind.starts_with("NV") ? "NV#" : kind);
      row.push_back(kind);
    }
    rows.push_back(std::move(row));
  }
  if (machine.nodes > 1) {
    kinds.insert("NET");
  }
  auto text = left_out + in_columns(rows);
  std::vector<Row> legend{{"X", "itself"}};
  for (const Row& line : {Row{"NV#", "NVLinks all the way, # of them"},
                          Row{"PIX", "at most one PCIe switch"},
                          Row{"PXB", "several PCIe switches, no host bridge"},
                          Row{"PHB", "a PCIe host bridge (root port) or the CPU"},
                          Row{"NODE", "two PCIe host bridges of one socket"},
                          Row{"SYS", "the link between sockets"},
                          Row{"NET", "the network between nodes"},
                          Row{"-", "no way"}}) {
    if (kinds.contains(line.front())) {
      legend.push_back(line);
    }
  }
  return text + "\n" + in_columns(legend, "  ");
}

std::string describe_ways(const Machine& machine, const Routes& routes) {
  constexpr int most_pairwise = 16;
  std::vector<Row> rows{{"from", "to", "kind", "transport", "latency", "bandwidth", "way"}};
  const auto add = [&](int from, int to) {
    const auto& path = routes.between(from, to);
    rows.push_back({machine.gpu_name(from),
                    machine.gpu_name(to),
                    way_kind(machine, path),
                    to_string(path.transport),
                    to_text(path.latency),
                    to_text(path.bandwidth),
                    vertices_passed(machine, path)});
  };
  const int per_node = machine.gpus_per_node();
  for (int from = 0; from < (per_node > most_pairwise ? 1 : per_node); ++from) {
    for (int to = from + 1; to < per_node; ++to) {
      add(from, to);
    }
  }
  for (int gpu = 0; machine.nodes > 1 && gpu < std::min(per_node, most_pairwise); ++gpu) {
    add(gpu, per_node + gpu);
  }
  return in_columns(rows);
}

std::string describe_ring(const Machine& machine, const Routes& routes) {
  const auto ring = find_ring(machine, routes, all_gpus(machine));
  if (ring.size() < 2) {
    return "none: one GPU\n";
  }
  auto text = gpu_names(machine, ring, " > ") + " > " + machine.gpu_name(ring.front()) + "\n";
  const double seconds_per_byte = ring_seconds_per_byte(machine, routes, ring);
  text += "bandwidth of the whole ring, its busiest link shared among its crossings: " +
          to_text(BytesPerSecond{1.0 / seconds_per_byte}) + "\n";
  // Nodes are equal, so counts are shown for the first one.
  std::string crossings;
  for (const auto& [direction, count] : socket_crossings(machine, routes, ring)) {
    if (direction / 2 < machine.links_per_node) {
      crossings += (crossings.empty() ? "" : ", ") + machine.direction_name(direction) + " " +
                   std::to_string(count);
    }
  }
  return text + "crossings between sockets: " + (crossings.empty() ? "none" : crossings) + "\n";
}

std::string describe_bisection(const Machine& machine, const Routes& routes) {
  const auto cut = find_bisection(machine, routes);
  if (cut.one_half.empty()) {
    return "none: one GPU\n";
  }
  const auto bandwidth = to_text(cut.bandwidth) + " per direction";
  if (machine.nodes > 1) {
    return bandwidth + ", between the first " + std::to_string(machine.nodes / 2) + " of " +
           std::to_string(machine.nodes) +
           " nodes and the others\n(whole nodes against whole nodes, over the switches between "
           "them)\n";
  }
  return bandwidth + ", between " + gpu_names(machine, cut.one_half, ", ") +
         " and the other GPUs\n(the least maximum flow between two halves of the GPUs, over links "
         "on the way between GPUs)\n";
}

std::string describe_numbers(const Machine& machine) {
  std::set<int> links;
  for (int i = 0; i < machine.links_per_node; ++i) {
    links.insert(i);
  }
  for (int i = machine.first_fabric_link(); i < static_cast<int>(machine.links.size()); ++i) {
    links.insert(i);
  }
  std::vector<Row> rows{{"of", "number", "value", "kind", "source"}};
  for (const auto& number : numbers_of(machine, links)) {
    rows.push_back({number.owner.substr(0, number.owner.find(' ')),
                    number.name,
                    number.value,
                    to_string(number.kind),
                    number.source});
  }
  return in_columns(rows);
}

std::string describe_machine(const Machine& machine) {
  const Routes routes{machine};
  auto text = "Machine " + machine.name + ": " + machine.summary + "\n";
  text += std::to_string(machine.gpu_count()) + " x GPU " + machine.gpu.name + " (" +
          machine.gpu.summary + ") in " + std::to_string(machine.nodes) +
          (machine.nodes == 1 ? " node\n" : " nodes, " + machine.fabric + "\n");
  text += "Layout: " + machine.source + "\n";
  const bool cluster = machine.nodes > 1;
  text += std::string{"\n# Matrix"} + (cluster ? " (first node)" : "") + "\n\n" +
          topology_matrix(machine, routes);
  if (machine.gpu_count() > 1) {
    text += std::string{"\n# Ways between GPUs"} +
            (cluster ? " (first node, and to the second)" : "") + "\n\n" +
            describe_ways(machine, routes);
  }
  text += "\n# Ring over all GPUs\n\n" + describe_ring(machine, routes);
  text += "\n# Bisection bandwidth\n\n" + describe_bisection(machine, routes);
  text += "\n# Numbers\n\n" + describe_numbers(machine);
  return text;
}

std::vector<std::string> assumed_numbers(const Machine& machine) {
  const Routes routes{machine};
  std::vector<std::string> lines;
  for (const auto& number : numbers_of(machine, links_between_gpus(machine, routes))) {
    if (number.kind == SourceKind::assumed) {
      lines.push_back(number.owner + ": " + number.name + " = " + number.value + " (" +
                      number.source + ")");
    }
  }
  return lines;
}

} // namespace decodesim
