#pragma once

#include "topologies/machine.hpp"

#include <optional>

namespace decodesim {

/// What joins each NIC to the network.
struct NicLink {
  Link link; ///< without its ends
  /// Of each further switch, and the usual ports of one; only known of a network preset.
  std::optional<Sourced<Seconds>> switch_latency;
  int switch_ports = 0;
};

[[nodiscard]] NicLink nic_link(const Network& network);

/// Makes a cluster of `nodes` > 1 copies of a single server with NICs; its graph is not built yet.
///
/// The switch of a single-switch fabric is the vertex "fabric". Otherwise a leaf switch has
/// floor(ports x down / (down + up)) ports for NICs. In a fat tree it takes all NICs of as many
/// whole nodes as fit ("leaf0", ...); in a rail-optimized fabric it takes NIC i of as many nodes
/// ("leaf0.rail0", ...). Leaves are joined to "spine", when there are several, by one link each:
/// its bandwidth is that of the NICs of a full leaf x up / down, since a switch spreads its traffic
/// evenly over its links.
///
/// @throws InputError when a leaf has too few ports for one node, or of a fabric of several
/// switches
///         when `nic_link` does not tell their latency
void join_nodes(Machine& machine, int nodes, const Fabric& fabric, const NicLink& nic_link);

} // namespace decodesim
