#pragma once

#include "validation/cuda/probes/probe_session.hpp"

#include <string>
#include <vector>

namespace decodesim {

/// One probe: a quantity of a GPU or of its surroundings, at points of its parameters.
struct Probe {
  std::string name;
  std::string summary;
  bool needs_gpu = true;
  /// Share of the time limit, if all probes run.
  double share = 0;
  /// Runs in a process of its own that has not used CUDA before.
  void (*run)(ProbeSession&) = nullptr;
};

/// All probes, in the order in which they run: what a calibration needs comes first.
[[nodiscard]] const std::vector<Probe>& all_probes();

void probe_spin(ProbeSession& session);
void probe_memory_bandwidth(ProbeSession& session);
void probe_gemm(ProbeSession& session);
void probe_attention_decode(ProbeSession& session);
void probe_row_kernels(ProbeSession& session);
void probe_launch(ProbeSession& session);
void probe_transfers(ProbeSession& session);
void probe_collectives(ProbeSession& session);
void probe_sockets(ProbeSession& session);

} // namespace decodesim
