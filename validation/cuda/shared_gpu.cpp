#include "validation/cuda/shared_gpu.hpp"

#include <cstdlib>
#include <filesystem>

namespace decodesim {

bool mps_is_running() {
  const char* folder = std::getenv("CUDA_MPS_PIPE_DIRECTORY");
  std::error_code ignored;
  return std::filesystem::exists(
      std::filesystem::path{folder != nullptr ? folder : "/tmp/nvidia-mps"} / "control", ignored);
}

} // namespace decodesim
