#pragma once

#include "sim/device/kernel_parameters.hpp"
#include "sim/model/data_type.hpp"
#include "sim/sourced.hpp"

#include <compare>
#include <filesystem>
#include <map>
#include <string>

namespace decodesim {

/// CUDA's number of a generation of GPUs: 8.0 Ampere (A100), 8.9 Ada, 9.0 Hopper, 10.0 Blackwell.
struct ComputeCapability {
  int major = 0;
  int minor = 0;

  auto operator<=>(const ComputeCapability&) const = default;
};

/// "9.0"
[[nodiscard]] std::string to_string(ComputeCapability capability);

/// One GPU, as described by a file of `sim/device/gpus/` (format: docs/machine-files.md).
struct Gpu {
  std::string name;
  std::string summary;
  ComputeCapability compute_capability;
  Sourced<int> sm_count; ///< streaming multiprocessors
  Sourced<Bytes> l2_cache;
  Sourced<Bytes> memory_capacity; ///< what the driver reports
  Sourced<Bytes> memory_reserve;  ///< not usable for the model: CUDA context, NCCL, workspaces
  Sourced<BytesPerSecond> memory_bandwidth;
  std::map<DataType, Sourced<FlopPerSecond>>
      peak;                      ///< dense, by compute type; bf16 or fp16 is there
  Sourced<Seconds> eager_launch; ///< host time per kernel or collective launched one by one
  Sourced<Seconds> graph_launch; ///< host time per launch of one captured step
  std::map<KernelClass, KernelClassCost> kernels; ///< every class present
  /// The GPU that `kernels` were measured on, and why it was taken, when it is another one; empty
  /// otherwise. Efficiencies and fixed costs are then the other GPU's, bandwidth and peaks its own.
  Sourced<std::string> kernels_of;

  /// Memory that the model may use: capacity less reserve.
  [[nodiscard]] Bytes usable_memory() const { return memory_capacity.value - memory_reserve.value; }
};

/// @param path  a GPU file
/// @throws InputError with the JSON pointer of the first mistake
[[nodiscard]] Gpu load_gpu(const std::filesystem::path& path);

/// A preset's name or a path to a GPU file: what has a '/' in it or ends in ".json" is a path.
/// @param where  named in the message when there is no such preset ("--gpu", "x.json: /gpu")
/// @throws InputError with the nearest preset's name, or as load_gpu
[[nodiscard]] Gpu find_gpu(const std::string& name_or_path, const std::string& where);

} // namespace decodesim
