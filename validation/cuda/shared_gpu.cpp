#include "validation/cuda/shared_gpu.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace decodesim {

void prepare_rank_on_shared_gpu(int rank) {
  setenv("NCCL_HOSTID", ("decodesim-rank-" + std::to_string(rank)).c_str(), 1);
  setenv("NCCL_NET", "Socket", 1);
  setenv("NCCL_SOCKET_IFNAME", "lo", 1);
  setenv("NCCL_MNNVL_ENABLE", "0", 1);
  // All ranks' kernels have to be resident at once; a few blocks each fill a loopback socket.
  setenv("NCCL_MAX_CTAS", "4", 0);
}

bool mps_is_running() {
  const char* folder = std::getenv("CUDA_MPS_PIPE_DIRECTORY");
  std::error_code ignored;
  return std::filesystem::exists(
      std::filesystem::path{folder != nullptr ? folder : "/tmp/nvidia-mps"} / "control", ignored);
}

} // namespace decodesim
