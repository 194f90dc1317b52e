#pragma once

#include "sim/units.hpp"

#include <optional>
#include <string>

namespace decodesim {

/// How a measuring program runs its ranks.
enum class LaunchStyle {
  processes,   ///< a process for each GPU, operations back to back: kernels hide their launch
  one_process, ///< a process launches for all GPUs of a node in turn
  eager        ///< each operation is called from a framework and waited for
};

/// What the name of a measured system stands for.
struct SystemDescription {
  std::string machine;               ///< preset; empty = cannot be simulated
  std::string fabric;                ///< as in flags; empty = the machine's own
  std::string collectives = "nccl";  ///< collective algorithm
  std::optional<LaunchStyle> launch; ///< nothing = as the row says
  std::string reason;                ///< why there is no machine, or what was assumed
  std::string shared_machine = {};   ///< one of its GPUs that ranks share; empty = no such file
  bool clean = true;                 ///< its links are known and nothing else was going on
};

/// As `validation/data/systems.json` describes it; nothing when it does not know the name.
/// @param run  the row's library, environment or kernel: some systems ran several
[[nodiscard]] std::optional<SystemDescription> find_system(const std::string& name,
                                                           const std::string& run);

/// Server in which GPUs of that name, as nvidia-smi prints it, usually are, and one of them shared.
[[nodiscard]] std::optional<SystemDescription> system_of_device(const std::string& device);

/// What the launch style adds to each operation.
///
/// - one process: 3.9 us for each further GPU of the node. Source: 8 GPUs of one H200 in one
///   process take 43 us where 8 processes take 16 us.
/// - eager: 20 us. Source: dispatch of an all-reduce by vLLM 0.24 without CUDA graph on H100, H200
///   and B200 (aiconfigurator, commit 095f58a).
[[nodiscard]] Seconds launch_time(LaunchStyle style, int gpus_per_node);

} // namespace decodesim
