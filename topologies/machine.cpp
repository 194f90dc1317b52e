#include "topologies/machine.hpp"

#include "sim/data_files.hpp"
#include "topologies/kind_names.hpp"

namespace decodesim {

namespace fs = std::filesystem;

std::string to_string(VertexKind kind) { return name_in<VertexKind>(vertex_kinds, kind); }

std::string to_string(LinkKind kind) { return name_in<LinkKind>(link_kinds, kind); }

std::string to_string(PeerToPeer peer_to_peer) {
  return name_in<PeerToPeer>(peer_to_peer_names, peer_to_peer);
}

std::string to_string(Transport transport) {
  return name_in<Transport>(transport_names, transport);
}

std::string Machine::direction_name(LinkDirection direction) const {
  return vertex(tail(direction)).id + "->" + vertex(head(direction)).id;
}

Machine load_machine(const fs::path& path, int nodes, const Fabric& fabric) {
  return parse_machine(JsonReader::open(path), path.parent_path(), nodes, fabric);
}

Machine find_machine(const std::string& name_or_path,
                     int nodes,
                     const std::string& where,
                     const Fabric& fabric) {
  if (const auto preset = find_data_file(DataKind::machine, name_or_path); !preset.empty()) {
    return load_machine(preset, nodes, fabric);
  }
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".json")) {
    return load_machine(name_or_path, nodes, fabric);
  }
  throw InputError::unknown_name(
      where, "machine", name_or_path, data_file_names(DataKind::machine));
}

} // namespace decodesim
