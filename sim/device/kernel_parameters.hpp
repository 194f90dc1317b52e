#pragma once

#include "sim/json_reader.hpp"
#include "sim/sourced.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace decodesim {

/// Kinds of kernels that share one set of parameters. Enumerators are the names used in files.
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

/// @throws InputError naming `where` when the name is not a kernel class
[[nodiscard]] KernelClass kernel_class_named(const std::string& name, const std::string& where);

[[nodiscard]] std::vector<std::string> kernel_class_names();

/// Roofline of one kernel class on one GPU:
/// t = fixed + max(flop / (peak x flop_efficiency), bytes / (bandwidth x byte_efficiency)).
struct KernelClassCost {
  Sourced<Seconds> fixed;
  Sourced<double> flop_efficiency_ratio; ///< in (0, 1]
  Sourced<double> byte_efficiency_ratio; ///< in (0, 1]
};

using KernelClassCosts = std::map<KernelClass, KernelClassCost>;

/// The object with a member per class, all of them, of a GPU file or a kernel file.
/// @throws InputError with the JSON pointer of the first mistake
[[nodiscard]] KernelClassCosts read_kernel_classes(const JsonReader& json);

/// A file of `sim/device/kernels/`: what kernels cost on the GPU of the same name.
/// @throws InputError with the JSON pointer of the first mistake
[[nodiscard]] KernelClassCosts load_kernels(const std::filesystem::path& path);

} // namespace decodesim
