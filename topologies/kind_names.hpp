#pragma once

#include "sim/json_reader.hpp"
#include "topologies/machine.hpp"

#include <array>
#include <span>
#include <utility>

/// Names of the kinds that machine files know.
namespace decodesim {

template <class T> using Names = std::span<const std::pair<T, const char*>>;

inline constexpr std::array<std::pair<VertexKind, const char*>, 8> vertex_kinds{
    {{VertexKind::gpu, "gpu"},
     {VertexKind::nvswitch, "nvswitch"},
     {VertexKind::pcie_switch, "pcie_switch"},
     {VertexKind::root_port, "root_port"},
     {VertexKind::socket, "socket"},
     {VertexKind::host_memory, "host_memory"},
     {VertexKind::nic, "nic"},
     {VertexKind::network_switch, "network_switch"}}};

inline constexpr std::array<std::pair<LinkKind, const char*>, 6> link_kinds{
    {{LinkKind::nvlink, "nvlink"},
     {LinkKind::c2c, "c2c"},
     {LinkKind::pcie, "pcie"},
     {LinkKind::upi, "upi"},
     {LinkKind::memory, "memory"},
     {LinkKind::network, "network"}}};

inline constexpr std::array<std::pair<PeerToPeer, const char*>, 5> peer_to_peer_names{
    {{PeerToPeer::none, "none"},
     {PeerToPeer::same_switch, "same_switch"},
     {PeerToPeer::same_root_port, "same_root_port"},
     {PeerToPeer::same_socket, "same_socket"},
     {PeerToPeer::everywhere, "everywhere"}}};

inline constexpr std::array<std::pair<Transport, const char*>, 4> transport_names{
    {{Transport::nvlink, "nvlink"},
     {Transport::pcie, "pcie"},
     {Transport::host_memory, "host_memory"},
     {Transport::network, "network"}}};

template <class T> std::string name_in(Names<T> names, T value) {
  for (const auto& [one, name] : names) {
    if (one == value) {
      return name;
    }
  }
  return "?";
}

} // namespace decodesim
