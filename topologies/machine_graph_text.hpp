#pragma once

#include "topologies/machine.hpp"

#include <string>

/// A machine's graph for other programs. All of it is a pure function of the machine, byte for
/// byte.
namespace decodesim {

/// The graph in the DOT language of Graphviz, one cluster per node.
[[nodiscard]] std::string machine_dot(const Machine& machine);

/// The graph as JSON: name, gpu, nodes (id, kind, server, gpu), links (from, to, kind, type,
/// physical_links, bandwidth_bytes_per_s, latency_s) and transports; fields as in
/// docs/machine-files.md.
[[nodiscard]] std::string machine_json(const Machine& machine);

} // namespace decodesim
