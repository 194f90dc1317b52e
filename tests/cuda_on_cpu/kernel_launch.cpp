#include "tests/cuda_on_cpu/device_language.hpp"
#include "tests/cuda_on_cpu/emulation.hpp"

#include <map>

#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim

namespace cuda_on_cpu {

namespace {

// CUDA C++ Programming Guide, table of technical specifications, compute capability 9.0; the same
// for all that came after 3.0 but the last.
constexpr unsigned most_threads = 1024;
constexpr unsigned most_blocks_across = 65535; ///< in y and z
constexpr std::size_t shared_bytes_unasked = 48 << 10;
constexpr std::size_t shared_bytes_asked = 227 << 10;

std::map<const void*, std::size_t> shared_bytes_of; // of kernels that asked for more

std::size_t allowed_shared_bytes(const void* kernel) {
  const auto asked = shared_bytes_of.find(kernel);
  return kernel == nullptr || asked == shared_bytes_of.end()
             ? shared_bytes_unasked
             : std::max(shared_bytes_unasked, asked->second);
}

bool is_possible(const LaunchShape& shape) {
  const auto& [grid, block, shared, stream] = shape;
  const auto threads = std::size_t{block.x} * block.y * block.z;
  return threads > 0 && threads <= most_threads && block.z <= 64 && grid.x > 0 && grid.y > 0 &&
         grid.z > 0 && grid.x < 1U << 31 && grid.y <= most_blocks_across &&
         grid.z <= most_blocks_across;
}

void run_grid(const LaunchShape& shape, const std::function<void()>& thread, std::size_t allowed) {
  static unsigned draw = 0;
  block_size = shape.block;
  grid_size = shape.grid;
  for (unsigned z = 0; z < shape.grid.z; ++z) {
    for (unsigned y = 0; y < shape.grid.y; ++y) {
      for (unsigned x = 0; x < shape.grid.x; ++x) {
        block_index = {x, y, z};
        run_block(thread, ++draw, shape.shared_bytes, allowed - shape.shared_bytes);
      }
    }
  }
}

} // namespace

void launch_threads(const char* name,
                    const void* kernel,
                    const LaunchShape& shape,
                    std::function<void()> thread) {
  const Call call;
  const auto allowed = allowed_shared_bytes(kernel);
  if (!is_possible(shape)) {
    refused(cudaErrorInvalidConfiguration, std::string{name} + " in blocks or a grid of that size");
  } else if (shape.shared_bytes > allowed) {
    refused(cudaErrorInvalidValue,
            std::string{name} + " with " + std::to_string(shape.shared_bytes) +
                " bytes of shared memory, of which it may have " + std::to_string(allowed));
  } else {
    enqueue(shape.stream, name, without_waiting([=] { run_grid(shape, thread, allowed); }));
  }
}

} // namespace cuda_on_cpu

using namespace cuda_on_cpu;

extern "C" cudaError_t
cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  const Call call;
  breach_unless(attribute == cudaFuncAttributeMaxDynamicSharedMemorySize,
                "sets an attribute that is not emulated");
  if (value < 0 || static_cast<std::size_t>(value) > shared_bytes_asked) {
    return refused(cudaErrorInvalidValue, std::to_string(value) + " bytes of shared memory");
  }
  shared_bytes_of[kernel] = static_cast<std::size_t>(value);
  return cudaSuccess;
}
