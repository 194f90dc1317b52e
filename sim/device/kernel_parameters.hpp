#pragma once

#include "sim/json_reader.hpp"
#include "sim/sourced.hpp"

#include <filesystem>
#include <map>
#include <optional>
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
  sampling,          ///< arg max over the logits
  gemm_fp8           ///< gemm in fp8, where its parameters are known apart
};

[[nodiscard]] std::string to_string(KernelClass kernel_class);

/// @throws InputError naming `where` when the name is not a kernel class
[[nodiscard]] KernelClass kernel_class_named(const std::string& name, const std::string& where);

[[nodiscard]] std::vector<std::string> kernel_class_names();

/// Parameters of one kernel class on one GPU (kernel_time in `sim/device/kernel_cost.hpp`). Absent
/// ones leave their term out.
struct KernelClassCost {
  Sourced<Seconds> fixed;                ///< launch, prologue and epilogue on the device
  Sourced<double> flop_efficiency_ratio; ///< in (0, 1]
  Sourced<double> byte_efficiency_ratio; ///< in (0, 1], of long streams
  /// Bytes at which filling and draining the memory system take as long as the stream itself.
  std::optional<Sourced<Bytes>> ramp = {};
  /// Bandwidth of what fits into the L2 cache over that of memory: row-wise kernels find there what
  /// the kernel before has written. Absent: all bytes come from memory.
  std::optional<Sourced<double>> cache_speedup = {};
  std::optional<Sourced<double>> overlap_exponent = {}; ///< q >= 1; absent: perfect overlap
  std::optional<Sourced<Seconds>> per_depth = {};       ///< per step of the longest chain
  std::optional<Sourced<Seconds>> per_row = {};         ///< of a query row on one processor
  /// Per token of the cache, where one processor reads all of a sequence and head (MHA).
  std::optional<Sourced<Seconds>> per_unsplit_token = {};
};

/// Calls visit(name, number) with each parameter that is there, in the order of files.
template <class Cost, class Visit> void for_each_parameter(Cost& cost, const Visit& visit) {
  visit("fixed", cost.fixed);
  visit("flop_efficiency_ratio", cost.flop_efficiency_ratio);
  visit("byte_efficiency_ratio", cost.byte_efficiency_ratio);
  const auto visit_if_there = [&visit](const char* name, auto& number) {
    if (number) {
      visit(name, *number);
    }
  };
  visit_if_there("ramp", cost.ramp);
  visit_if_there("cache_speedup", cost.cache_speedup);
  visit_if_there("overlap_exponent", cost.overlap_exponent);
  visit_if_there("per_depth", cost.per_depth);
  visit_if_there("per_row", cost.per_row);
  visit_if_there("per_unsplit_token", cost.per_unsplit_token);
}

using KernelClassCosts = std::map<KernelClass, KernelClassCost>;

/// The object with a member per class, all of them, of a GPU file or a kernel file.
/// @throws InputError with the JSON pointer of the first mistake
[[nodiscard]] KernelClassCosts read_kernel_classes(const JsonReader& json);

/// A file of `sim/device/kernels/`: what kernels cost on the GPU of the same name.
/// @throws InputError with the JSON pointer of the first mistake
[[nodiscard]] KernelClassCosts load_kernels(const std::filesystem::path& path);

} // namespace decodesim
