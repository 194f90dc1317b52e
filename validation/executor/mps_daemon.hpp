#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

namespace decodesim {

/// Whether kernels of processes run beside each other (CUDA MPS) rather than in turns: a control
/// daemon has its pipe where CUDA_MPS_PIPE_DIRECTORY says, or in CUDA's own folder.
[[nodiscard]] bool mps_is_running();

/// CUDA's Multi-Process Service for this process and those that it starts: the one that
/// runs already, else one with pipes in a folder of its own, which
/// ends with this object, or with the process, even if it is killed. Without it ranks on one GPU
/// take turns of some milliseconds. No setting of the GPU is changed.
class MpsDaemon {
public:
  /// Starts the daemon, if none runs, and sets CUDA_MPS_PIPE_DIRECTORY. When it cannot be started
  /// nothing is left.
  /// @param folder  for pipes and logs; exists
  explicit MpsDaemon(const std::filesystem::path& folder);
  ~MpsDaemon();
  MpsDaemon(const MpsDaemon&) = delete;
  MpsDaemon& operator=(const MpsDaemon&) = delete;

  /// Why it does not run; empty when it does.
  [[nodiscard]] const std::string& problem() const { return problem_; }

  /// Ends it, if it is ours: processes started from here on do without.
  /// @param why  what problem() then says
  void stop(const std::string& why);

private:
  std::string problem_;
  std::FILE* guard_ = nullptr; ///< to the process that ends the daemon when this closes
};

} // namespace decodesim
