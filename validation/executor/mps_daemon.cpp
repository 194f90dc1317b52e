#include "validation/executor/mps_daemon.hpp"

#include <cstdlib>

namespace decodesim {

MpsDaemon::MpsDaemon(std::filesystem::path folder) {
  setenv("CUDA_MPS_PIPE_DIRECTORY", folder.c_str(), 1);
  setenv("CUDA_MPS_LOG_DIRECTORY", folder.c_str(), 1);
  const int status = std::system("nvidia-cuda-mps-control -d >/dev/null 2>&1"); // NOLINT
  if (status != 0) {
    problem_ = "nvidia-cuda-mps-control could not be started";
    unsetenv("CUDA_MPS_PIPE_DIRECTORY");
    unsetenv("CUDA_MPS_LOG_DIRECTORY");
  }
}

MpsDaemon::~MpsDaemon() { stop("it has ended"); }

void MpsDaemon::stop(const std::string& why) {
  if (!problem_.empty()) {
    return;
  }
  problem_ = why;
  (void)!std::system("echo quit | nvidia-cuda-mps-control >/dev/null 2>&1"); // NOLINT
  unsetenv("CUDA_MPS_PIPE_DIRECTORY");
  unsetenv("CUDA_MPS_LOG_DIRECTORY");
}

} // namespace decodesim
