#pragma once

#include <string>

namespace decodesim {

/// A machine file (docs/machine-files.md) from what `nvidia-smi topo -m` printed, as JSON.
///
/// The matrix tells pairs only; from them the graph is built anew:
/// - devices joined by PIX share a PCIe switch, by PXB a tree of switches, by PHB a root port, by
/// NODE
///   a socket (as do GPUs of equal CPU affinity that nothing else places); each pair of sockets is
///   joined;
/// - GPUs that are all joined by the same number of NVLinks share an NVSwitch when that many links
///   would not do for direct ones (18 for a GPU); others are joined directly.
///
/// What the matrix does not tell (bandwidths, latencies, costs of transports) comes from
/// `topologies/imports/nvidia-smi.json`, by the name of the GPU, and is marked `assumed` with its
/// reason.
///
/// @param text   the output, as people paste it
/// @param where  its file's name, for messages and the file's `source`
/// @param gpu    preset, or path of a GPU file; absolute paths mean the same wherever the result
/// lies
/// @param name   of the machine
/// @throws InputError naming file and line, as read_topo_matrix; pairs that no graph explains
[[nodiscard]] std::string import_topology(const std::string& text,
                                          const std::string& where,
                                          const std::string& gpu,
                                          const std::string& name);

} // namespace decodesim
