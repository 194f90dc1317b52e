#pragma once

#include "validation/executor/logits.hpp"
#include "validation/executor/plan_run_file.hpp"
#include "validation/executor/rendezvous.hpp"

#include <chrono>
#include <string>

namespace decodesim {

/// How one rank plays its part.
struct RankSettings {
  int gpu = 0;
  bool communicates = true; ///< false: shard mode
  bool graph = false;
  bool spans = true;
  bool shares_gpu = false;
  std::chrono::milliseconds patience{60'000};
};

/// Plays a plan's rank on a GPU: once to warm up (connections are made, kernels loaded; with graphs
/// once more as those), once with events around steps alone, and with spans once more with events
/// around every operation. Ends the process, with the operations that wait on stderr, when it hangs
/// in the driver.
/// @throws SimulationError naming the operations that wait, InputError when memory does not suffice
[[nodiscard]] RankRun measure_rank(const Plan& plan,
                                   const Model& model,
                                   int rank,
                                   const RankSettings& settings,
                                   const Rendezvous& rendezvous);

/// Plays it once, and returns what the rank samples from; nothing on ranks that sample the same as
/// the first of their tensor-parallel group, or do not.
[[nodiscard]] Logits measure_logits(const Plan& plan,
                                    const Model& model,
                                    int rank,
                                    const RankSettings& settings,
                                    const Rendezvous& rendezvous);

/// What a run file says of the GPU that this process uses, its state now (after the run), driver
/// and libraries: one line of JSON.
/// @param command  as it was typed
[[nodiscard]] std::string provenance_json(const std::string& start_utc, const std::string& command);

} // namespace decodesim
