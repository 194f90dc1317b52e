#pragma once

#include "validation/cuda/probes/probe_list.hpp"

#include <functional>
#include <string>
#include <vector>

namespace decodesim {

/// How a process ended that was to write lines.
struct LineProcessEnd {
  std::vector<std::string> lines;
  std::string failure; ///< "was ended by signal 11", "did not end within 30 s"; empty = none
};

/// Runs `work` in a forked process of its own, with children of its own if it wants, and gathers
/// the lines that it writes. All of them are killed at the time limit. So a probe that crashes,
/// hangs or loses the device takes nothing else with it, and the caller never uses CUDA itself.
///
/// @param work  gets what writes a line (without a line break, at most 4096 bytes if several
/// processes
///              write); what it throws becomes the failure
[[nodiscard]] LineProcessEnd run_in_process(
    const std::function<void(const std::function<void(const std::string&)>& write)>& work,
    double limit_s);

/// All points of a probe, from a process of its own. A probe that fails as a whole leaves a point
/// with the reason beside those that it had.
[[nodiscard]] std::vector<ProbeResult> run_probe(const Probe& probe,
                                                 const ProbeSession::Limits& limits);

} // namespace decodesim
