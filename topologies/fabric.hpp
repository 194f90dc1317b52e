#pragma once

#include "sim/network/path.hpp"
#include "sim/sourced.hpp"

#include <string>
#include <vector>

namespace decodesim {

/// Software costs of one transport, with their sources.
struct SourcedTransportCost {
  Sourced<Seconds> base;
  Sourced<Seconds> hop;
  Sourced<BytesPerSecond> bandwidth;

  [[nodiscard]] TransportCost cost() const { return {base.value, hop.value, bandwidth.value}; }
};

/// A kind of network, as described by a file of `topologies/networks/` (docs/machine-files.md).
struct Network {
  std::string name;
  std::string summary;
  Sourced<BytesPerSecond> bandwidth; ///< of a NIC's link, per direction
  Sourced<Seconds> latency;          ///< NIC, cable and half of a switch
  Sourced<Seconds> switch_latency;   ///< each further switch, with its cable
  int switch_ports = 0;              ///< of a usual leaf switch
  SourcedTransportCost transport;    ///< between GPUs of two nodes
};

/// The preset of that name. @throws InputError naming `where` and the known names
[[nodiscard]] Network find_network(const std::string& name, const std::string& where);

/// Enumerators (with hyphens) are the names used in flags and files.
enum class FabricKind {
  single_switch, ///< one switch of any size that never blocks
  fat_tree,      ///< all NICs of a node on one leaf switch; leaves joined by a spine
  rail_optimized ///< NIC i of a group of nodes on its leaf i; leaves joined by a spine
};

/// How the nodes of a cluster are joined.
struct Fabric {
  FabricKind kind = FabricKind::single_switch;
  std::string network; ///< preset; empty = the machine's own `network_link`
  int ports = 0;       ///< of each leaf switch; 0 = as usual for the network
  int down = 1;        ///< oversubscription down:up of a leaf: its bandwidth to nodes over that to
  int up = 1;          ///< the spine

  bool operator==(const Fabric&) const = default;
};

/// "NAME[:OPTION]...": single-switch, fat-tree or rail-optimized; options in any order: a network
/// ("hdr"), ports of a leaf switch ("ports40"), oversubscription ("2to1").
///
/// @throws InputError naming `where`, for unknown names, options given twice or that one switch
/// does
///         not have, and numbers out of range
[[nodiscard]] Fabric parse_fabric(const std::string& text, const std::string& where);

/// The text that parse_fabric reads; what is as usual is left out.
[[nodiscard]] std::string to_string(const Fabric& fabric);

[[nodiscard]] std::vector<std::string> fabric_names();

} // namespace decodesim
