#pragma once

#include "sim/model/data_type.hpp"
#include "sim/sourced.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace decodesim {

/// Kinds of kernels that share one set of efficiencies. Enumerators are the names used in files.
enum class KernelClass {
  gemm,              ///< matrix product, from GEMV-like (decode) to compute-bound (prefill)
  grouped_gemm,      ///< one matrix product per expert, in one kernel
  attention_decode,  ///< one query token per sequence against its cache
  attention_latent,  ///< one query token per sequence against its cache of latents (MLA)
  attention_prefill, ///< all prompt tokens against each other, causal
  norm,              ///< norm, with the residual addition fused
  elementwise,       ///< rotary embedding, activation, copies
  embedding,         ///< table lookup
  sampling           ///< arg max over the logits
};

[[nodiscard]] std::string to_string(KernelClass kernel_class);
/// @throws InputError naming `where` and the known names
[[nodiscard]] KernelClass kernel_class_named(const std::string& name, const std::string& where);

/// Roofline of one kernel class on one GPU:
/// t = fixed + max(flop / (peak x flop_efficiency), bytes / (bandwidth x byte_efficiency)).
struct KernelClassCost {
  Sourced<Seconds> fixed;
  Sourced<double> flop_efficiency_ratio; ///< in (0, 1]
  Sourced<double> byte_efficiency_ratio; ///< in (0, 1]
};

/// One GPU, as described by a file of `sim/device/gpus/` (format: docs/machine-files.md).
struct Gpu {
  std::string name;
  std::string summary;
  Sourced<Bytes> memory_capacity; ///< what the driver reports
  Sourced<Bytes> memory_reserve;  ///< not usable for the model: CUDA context, NCCL, workspaces
  Sourced<BytesPerSecond> memory_bandwidth;
  std::map<DataType, Sourced<FlopPerSecond>>
      peak;                      ///< dense, by compute type; bf16 or fp16 is there
  Sourced<Seconds> eager_launch; ///< host time per kernel or collective launched one by one
  Sourced<Seconds> graph_launch; ///< host time per launch of one captured step
  std::map<KernelClass, KernelClassCost> kernels; ///< every class present

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
