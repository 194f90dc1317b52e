#pragma once

#include "topologies/routes.hpp"

#include <string>
#include <vector>

/// A machine as text for people. All of it is a pure function of the machine, byte for byte. Of a
/// cluster, tables show the first node: the others are equal.
namespace decodesim {

/// Kind of a way, in the words of `nvidia-smi topo -m`: NV# (# NVLinks all the way), PIX (at most
/// one PCIe switch), PXB (several, but no host bridge), PHB (a host bridge or a CPU), NODE (two
/// host bridges of one socket), SYS (the link between sockets), and NET (between nodes; our own
/// word).
///
/// A root port stands for a host bridge.
[[nodiscard]] std::string way_kind(const Machine& machine, const Path& path);

/// Matrix of way kinds between GPUs and NICs of the first node (the first eight of each, when there
/// are more than forty), with its legend.
[[nodiscard]] std::string topology_matrix(const Machine& machine, const Routes& routes);

/// The way of each pair of GPUs of the first node (of its first GPU to each other, when there are
/// more than sixteen), and of pairs of GPUs of two nodes: kind, transport, latency, bandwidth,
/// vertices passed.
[[nodiscard]] std::string describe_ways(const Machine& machine, const Routes& routes);

/// Order of the ring over all GPUs, what its busiest link leaves to it, and how often it crosses
/// from socket to socket.
[[nodiscard]] std::string describe_ring(const Machine& machine, const Routes& routes);

/// Bisection bandwidth, the halves, and what is meant by it.
[[nodiscard]] std::string describe_bisection(const Machine& machine, const Routes& routes);

/// Every hardware number with value, kind and source.
[[nodiscard]] std::string describe_numbers(const Machine& machine);

/// All of the above, under headings.
[[nodiscard]] std::string describe_machine(const Machine& machine);

/// One line per assumed number that a run on this machine may use: all of the GPU, links on the way
/// between two GPUs, transports between two GPUs.
/// "machine pcie-2s-a100-40g: link_types/upi/bandwidth = 8 GB/s (REASON)"
[[nodiscard]] std::vector<std::string> assumed_numbers(const Machine& machine);

} // namespace decodesim
