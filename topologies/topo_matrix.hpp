#pragma once

#include <string>
#include <vector>

namespace decodesim {

/// How two devices are joined, in the order of distance. Names are those of `nvidia-smi topo -m`.
enum class TopoKind { nvlink, pix, pxb, phb, node, sys, unknown };

struct TopoEntry {
  TopoKind kind = TopoKind::unknown;
  int nvlinks = 0; ///< of kind nvlink
};

struct TopoDevice {
  std::string name; ///< "GPU0", "NIC0", "mlx5_0"
  bool gpu = true;
  std::string cpus;      ///< CPU affinity; empty when not told
  std::string interface; ///< of a NIC, from the NIC legend; empty when not told
};

/// The matrix that `nvidia-smi topo -m` prints.
struct TopoMatrix {
  std::vector<TopoDevice> devices;           ///< GPUs, then NICs, each in the order printed
  std::vector<std::vector<TopoEntry>> joins; ///< symmetric; unknown where no row or column tells

  [[nodiscard]] int gpus() const;
};

/// Reads the output as people paste it: colour codes, prompts, quotation marks and code fences
/// around it, tabs turned into spaces or lost, with or without NIC rows, affinity columns, legend
/// and NIC legend, SOC for SYS (drivers before 2017).
///
/// @param where  the file's name, for messages
/// @throws InputError naming file and line: no matrix, rows missing, given twice, too short or of
///         unknown entries, two halves that contradict each other
[[nodiscard]] TopoMatrix read_topo_matrix(const std::string& text, const std::string& where);

} // namespace decodesim
