#include "topologies/draw_machine.hpp"

#include "sim/quantity_text.hpp"
#include "topologies/describe_machine.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

namespace decodesim {

namespace {

/// Height in the drawing, from the top.
int rank_of(VertexKind kind) {
  switch (kind) {
  case VertexKind::host_memory:
    return 0;
  case VertexKind::socket:
    return 1;
  case VertexKind::root_port:
    return 2;
  case VertexKind::pcie_switch:
    return 3;
  case VertexKind::gpu:
  case VertexKind::nic:
    return 4;
  case VertexKind::nvswitch:
  case VertexKind::network_switch:
    return 5;
  }
  return 0;
}

std::string short_id(const Vertex& vertex) { return vertex.id.substr(vertex.id.find('/') + 1); }

/// From GPU to GPU.
bool is_direct(const Machine& machine, const Link& link) {
  return machine.vertex(link.from).kind == VertexKind::gpu &&
         machine.vertex(link.to).kind == VertexKind::gpu;
}

/// Links from GPU to GPU as a chart of their own: among the others they would pull the GPUs apart.
/// Empty when there are none.
std::string direct_links(const Machine& machine) {
  std::string text;
  for (int i = 0; i < machine.links_per_node; ++i) {
    const auto& link = machine.links[static_cast<std::size_t>(i)];
    if (is_direct(machine, link)) {
      text += "  " + short_id(machine.vertex(link.from)) + " == NV" +
              std::to_string(link.physical_links) + " === " + short_id(machine.vertex(link.to)) +
              "\n";
    }
  }
  return text.empty() ? text : "flowchart LR\n" + text;
}

/// A neighbour and the name of the link type.
using Neighbour = std::pair<int, std::string>;

/// One node as it is drawn.
class Drawing {
public:
  explicit Drawing(const Machine& machine)
      : machine_{machine}, neighbours_(static_cast<std::size_t>(machine.vertices_per_node)) {
    for (int i = 0; i < machine.links_per_node; ++i) {
      const auto& link = machine.links[static_cast<std::size_t>(i)];
      if (in_first_node(link.from) && in_first_node(link.to) && !is_direct(machine, link)) {
        of(link.from).emplace_back(link.to, link.type);
        of(link.to).emplace_back(link.from, link.type);
      }
    }
    for (auto& list : neighbours_) {
      std::sort(list.begin(), list.end());
    }
    keep_one_of_equal_parts();
    merge_twins();
  }

  [[nodiscard]] std::string text() const {
    std::string text = "flowchart TB\n";
    const bool part = parts_ > 1;
    if (part) {
      text += "  subgraph part [\"one of " + std::to_string(parts_) + " alike\"]\n";
    }
    for (int vertex = 0; vertex < machine_.vertices_per_node; ++vertex) {
      if (drawn(vertex) && !is_hub(vertex)) {
        text += (part ? "    " : "  ") + box(vertex) + "\n";
      }
    }
    text += part ? "  end\n" : "";
    for (int vertex = 0; vertex < machine_.vertices_per_node; ++vertex) {
      if (is_hub(vertex)) {
        text += "  " + box(vertex) + "\n";
      }
    }
    if (machine_.nodes > 1) {
      text +=
          "  fabric{{\"" + machine_.fabric + ", " + std::to_string(machine_.nodes) + " nodes\"}}\n";
    }
    return text + lines() + "  classDef gpu fill:#c8e6c9,stroke:#2e7d32,color:#000\n";
  }

private:
  std::vector<Neighbour>& of(int vertex) { return neighbours_[static_cast<std::size_t>(vertex)]; }

  [[nodiscard]] const std::vector<Neighbour>& of(int vertex) const {
    return neighbours_[static_cast<std::size_t>(vertex)];
  }

  [[nodiscard]] bool in_first_node(int vertex) const { return vertex < machine_.vertices_per_node; }

  [[nodiscard]] VertexKind kind(int vertex) const { return machine_.vertex(vertex).kind; }

  [[nodiscard]] bool is_hub(int vertex) const { return kind(vertex) == VertexKind::nvswitch; }

  /// Stands for itself, and perhaps for twins.
  [[nodiscard]] bool drawn(int vertex) const {
    return stands_for_[static_cast<std::size_t>(vertex)] == vertex;
  }

  /// Vertices that hang together without the NVSwitches.
  [[nodiscard]] std::vector<std::vector<int>> parts() const {
    std::vector<int> part(neighbours_.size(), -1);
    std::vector<std::vector<int>> all;
    for (int first = 0; first < machine_.vertices_per_node; ++first) {
      if (is_hub(first) || part[static_cast<std::size_t>(first)] >= 0) {
        continue;
      }
      const int number = static_cast<int>(all.size());
      auto& members = all.emplace_back(std::vector<int>{first});
      part[static_cast<std::size_t>(first)] = number;
      for (std::size_t next = 0; next < members.size(); ++next) {
        for (const auto& neighbour : of(members[next])) {
          auto& mark = part[static_cast<std::size_t>(neighbour.first)];
          if (!is_hub(neighbour.first) && mark < 0) {
            mark = number;
            members.push_back(neighbour.first);
          }
        }
      }
      std::sort(members.begin(), members.end());
    }
    return all;
  }

  /// What a part is made of, with positions in the part for its own vertices.
  [[nodiscard]] std::vector<std::tuple<VertexKind, int, std::string>>
  make(const std::vector<int>& part) const {
    std::vector<std::tuple<VertexKind, int, std::string>> made;
    for (const int vertex : part) {
      made.emplace_back(kind(vertex), -1, "");
      for (const auto& [other, type] : of(vertex)) {
        const auto place = std::lower_bound(part.begin(), part.end(), other);
        made.emplace_back(
            kind(other), is_hub(other) ? -2 - other : static_cast<int>(place - part.begin()), type);
      }
    }
    return made;
  }

  void keep_one_of_equal_parts() {
    stands_for_.resize(neighbours_.size());
    std::iota(stands_for_.begin(), stands_for_.end(), 0);
    const auto all = parts();
    const bool equal = std::all_of(
        all.begin(), all.end(), [&](const auto& part) { return make(part) == make(all.front()); });
    if (all.size() < 3 || !equal) {
      return;
    }
    parts_ = static_cast<int>(all.size());
    for (std::size_t i = 1; i < all.size(); ++i) {
      for (const int vertex : all[i]) {
        stands_for_[static_cast<std::size_t>(vertex)] = -1;
      }
    }
  }

  void merge_twins() {
    std::map<std::pair<VertexKind, std::vector<Neighbour>>, int> first;
    for (int vertex = 0; vertex < machine_.vertices_per_node; ++vertex) {
      const bool leaf = kind(vertex) == VertexKind::gpu || kind(vertex) == VertexKind::nic;
      if (leaf && drawn(vertex)) {
        stands_for_[static_cast<std::size_t>(vertex)] =
            first.try_emplace({kind(vertex), of(vertex)}, vertex).first->second;
      }
    }
  }

  /// Names of a vertex and its twins.
  [[nodiscard]] std::string label(int vertex) const {
    std::string text;
    for (int twin = 0; twin < machine_.vertices_per_node; ++twin) {
      if (stands_for_[static_cast<std::size_t>(twin)] == vertex) {
        text += (text.empty() ? "" : ", ") + short_id(machine_.vertex(twin));
      }
    }
    return text;
  }

  [[nodiscard]] std::string box(int vertex) const {
    const auto name = "\"" + label(vertex) + "\"";
    const auto id = "v" + std::to_string(vertex);
    switch (kind(vertex)) {
    case VertexKind::gpu:
      return id + "[" + name + "]:::gpu";
    case VertexKind::nvswitch:
    case VertexKind::pcie_switch:
    case VertexKind::network_switch:
      return id + "{{" + name + "}}";
    case VertexKind::root_port:
      return id + "(" + name + ")";
    case VertexKind::socket:
      return id + "[[" + name + "]]";
    case VertexKind::host_memory:
      return id + "[(" + name + ")]";
    case VertexKind::nic:
      return id + ">" + name + "]";
    }
    return id;
  }

  /// The line of a link; thick for NVLink, which is labelled with how many it is.
  [[nodiscard]] static std::string line(const Link& link) {
    switch (link.kind) {
    case LinkKind::nvlink:
      return "== NV" + std::to_string(link.physical_links) + " ===";
    case LinkKind::c2c:
      return "== C2C ===";
    case LinkKind::upi:
    case LinkKind::pcie:
    case LinkKind::memory:
    case LinkKind::network:
      return "---";
    }
    return "---";
  }

  [[nodiscard]] std::string lines() const {
    std::string text;
    for (int i = 0; i < machine_.links_per_node; ++i) {
      const auto& link = machine_.links[static_cast<std::size_t>(i)];
      const int to = in_first_node(link.to) ? link.to : -1;
      if (!drawn(link.from) || (to >= 0 && !drawn(to)) || is_direct(machine_, link)) {
        continue;
      }
      if (to < 0) {
        text += "  v" + std::to_string(link.from) + " --- fabric\n";
        continue;
      }
      if (link.kind == LinkKind::upi) {
        // A circle below both: a line from socket to socket would put one below the other.
        const auto middle = "l" + std::to_string(i);
        text += "  v" + std::to_string(link.from) + " -.- " + middle + "((\"" + link.type +
                "\"))\n  v" + std::to_string(to) + " -.- " + middle + "\n";
        continue;
      }
      const bool down = rank_of(kind(link.from)) <= rank_of(kind(to));
      text += "  v" + std::to_string(down ? link.from : to) + " " + line(link) + " v" +
              std::to_string(down ? to : link.from) + "\n";
    }
    return text;
  }

  const Machine& machine_;
  std::vector<std::vector<Neighbour>> neighbours_; ///< by vertex of the first node
  std::vector<int> stands_for_;                    ///< the twin that is drawn; -1: not drawn
  int parts_ = 1;
};

/// Pairs of kinds that links of this type join: "gpu - nvswitch".
std::string ends_of(const Machine& machine, const std::string& type) {
  std::set<std::string> ends;
  for (const auto& link : machine.links) {
    if (link.type == type) {
      auto from = machine.vertex(link.from).kind;
      auto to = machine.vertex(link.to).kind;
      if (rank_of(from) > rank_of(to)) {
        std::swap(from, to);
      }
      ends.insert(to_string(from) + " - " + to_string(to));
    }
  }
  std::string text;
  for (const auto& pair : ends) {
    text += (text.empty() ? "" : ", ") + pair;
  }
  return text;
}

std::string link_table(const Machine& machine) {
  std::string text =
      "| link | joins | bandwidth per direction | latency |\n|:---|:---|---:|---:|\n";
  std::set<std::string> seen;
  for (const auto& link : machine.links) {
    if (seen.insert(link.type).second) {
      text += "| " + link.type + " | " + ends_of(machine, link.type) + " | " +
              to_text(link.bandwidth.value) + " | " + to_text(link.latency.value) + " |\n";
    }
  }
  return text;
}

/// What comes before the explanation.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

} // namespace

std::string machine_mermaid(const Machine& machine) { return Drawing{machine}.text(); }

std::string machine_markdown(const Machine& machine) {
  const Routes routes{machine};
  auto text = "## " + machine.name + "\n\n" + machine.summary + ". " +
              std::to_string(machine.gpu_count()) + " x " + machine.gpu.name +
              "; peer-to-peer access over PCIe: " + to_string(machine.peer_to_peer) + ".\n\n";
  text += "```mermaid\n" + machine_mermaid(machine) + "```\n\n";
  if (const auto direct = direct_links(machine); !direct.empty()) {
    text += "NVLinks from GPU to GPU:\n\n```mermaid\n" + direct + "```\n\n";
  }
  text += link_table(machine) + "\n";
  text += "- Ring over all GPUs: " + first_line(describe_ring(machine, routes)) + "\n";
  text += "- Bisection bandwidth: " + first_line(describe_bisection(machine, routes)) + "\n";
  return text + "- Layout: " + machine.source + "\n";
}

} // namespace decodesim
