#include "topologies/machine_graph_text.hpp"

#include "sim/quantity_text.hpp"

#include <nlohmann/json.hpp>

namespace decodesim {

namespace {

/// A string of the DOT language; `text` may hold anything a file may name.
std::string dot_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + "\"";
}

} // namespace

std::string machine_dot(const Machine& machine) {
  const auto shape = [](VertexKind kind) {
    switch (kind) {
    case VertexKind::gpu:
      return "box, style=filled, fillcolor=\"#c8e6c9\"";
    case VertexKind::nvswitch:
    case VertexKind::pcie_switch:
    case VertexKind::network_switch:
      return "hexagon";
    case VertexKind::root_port:
      return "point";
    case VertexKind::socket:
      return "box3d";
    case VertexKind::host_memory:
      return "cylinder";
    case VertexKind::nic:
      return "cds";
    }
    return "box";
  };
  std::string text = "graph " + dot_string(machine.name) + " {\n";
  const auto add_vertex = [&](const Vertex& vertex, const char* indent) {
    const auto slash = vertex.id.find('/');
    const auto label = slash == std::string::npos ? vertex.id : vertex.id.substr(slash + 1);
    text += std::string{indent} + "\"" + vertex.id + "\" [label=\"" + label +
            "\", shape=" + shape(vertex.kind) + "];\n";
  };
  for (int node = 0; node < machine.nodes; ++node) {
    text += "  subgraph cluster_" + std::to_string(node) + " {\n    label=\"node" +
            std::to_string(node) + "\";\n";
    for (const auto& vertex : machine.vertices) {
      if (vertex.node == node) {
        add_vertex(vertex, "    ");
      }
    }
    text += "  }\n";
  }
  for (const auto& vertex : machine.vertices) {
    if (vertex.node < 0) {
      add_vertex(vertex, "  ");
    }
  }
  for (const auto& link : machine.links) {
    text += "  \"" + machine.vertex(link.from).id + "\" -- \"" + machine.vertex(link.to).id +
            "\" [label=" + dot_string(link.type + ", " + to_text(link.bandwidth.value)) + "];\n";
  }
  return text + "}\n";
}

std::string machine_json(const Machine& machine) {
  nlohmann::json json;
  json["format_version"] = 1;
  json["name"] = machine.name;
  json["summary"] = machine.summary;
  json["source"] = machine.source;
  json["gpu"] = machine.gpu.name;
  json["nodes"] = nlohmann::json::array();
  for (const auto& vertex : machine.vertices) {
    nlohmann::json entry{
        {"id", vertex.id}, {"kind", to_string(vertex.kind)}, {"server", vertex.node}};
    if (vertex.gpu >= 0) {
      entry["gpu"] = vertex.gpu;
    }
    json["nodes"].push_back(std::move(entry));
  }
  json["links"] = nlohmann::json::array();
  for (const auto& link : machine.links) {
    json["links"].push_back({{"from", machine.vertex(link.from).id},
                             {"to", machine.vertex(link.to).id},
                             {"kind", to_string(link.kind)},
                             {"type", link.type},
                             {"physical_links", link.physical_links},
                             {"bandwidth_bytes_per_s", link.bandwidth.value.value()},
                             {"latency_s", link.latency.value.value()}});
  }
  json["transports"] = nlohmann::json::object();
  for (const auto& [transport, cost] : machine.transports) {
    json["transports"][to_string(transport)] = {
        {"base_s", cost.base.value.value()},
        {"hop_s", cost.hop.value.value()},
        {"bandwidth_bytes_per_s", cost.bandwidth.value.value()}};
  }
  return json.dump(1) + "\n";
}

} // namespace decodesim
