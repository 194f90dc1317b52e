#include "validation/executor/mps_daemon.hpp"

#include <cstdlib>

namespace decodesim {

namespace {

void forget() {
  unsetenv("CUDA_MPS_PIPE_DIRECTORY");
  unsetenv("CUDA_MPS_LOG_DIRECTORY");
}

} // namespace

bool mps_is_running() {
  const char* pipes = std::getenv("CUDA_MPS_PIPE_DIRECTORY");
  std::error_code ignored;
  return std::filesystem::exists(
      std::filesystem::path{pipes != nullptr ? pipes : "/tmp/nvidia-mps"} / "control", ignored);
}

MpsDaemon::MpsDaemon(const std::filesystem::path& folder) {
  if (mps_is_running()) {
    return;
  }
  setenv("CUDA_MPS_PIPE_DIRECTORY", folder.c_str(), 1);
  setenv("CUDA_MPS_LOG_DIRECTORY", folder.c_str(), 1);
  const int status = std::system("nvidia-cuda-mps-control -d >/dev/null 2>&1"); // NOLINT
  if (status != 0) {
    problem_ = "nvidia-cuda-mps-control could not be started";
    forget();
    return;
  }
  // Reads until this process closes the pipe or is ended, whatever ends it. It holds no pipe that
  // somebody reads our output from.
  guard_ = popen("exec >/dev/null 2>&1; trap '' HUP INT TERM; cat; " // NOLINT
                 "echo quit | timeout 20 nvidia-cuda-mps-control",
                 "w");
}

MpsDaemon::~MpsDaemon() { stop("it has ended"); }

void MpsDaemon::stop(const std::string& why) {
  if (!problem_.empty()) {
    return;
  }
  problem_ = why;
  forget();
  if (guard_ != nullptr) { // it is ours
    pclose(guard_);
  }
}

} // namespace decodesim
