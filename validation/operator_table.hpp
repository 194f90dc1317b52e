#pragma once

#include "sim/device/kernel_cost.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace decodesim {

/// One measured kernel, or several that run one after another as one measurement.
struct OperatorTime {
  std::string id;        ///< "aic_gemm.csv:12: m 1, n 4096, k 4096"
  std::string gpu;       ///< preset; empty when `reason` says why there is none
  std::string reason;    ///< why it cannot be compared; empty = it can
  KernelClass operation; ///< class that its time tells about
  std::vector<KernelWork> work;
  Seconds measured;
  double rows = 0; ///< tokens, or sequences of attention
  /// Weights or cache that a repetition of the same kernel finds in the L2 cache if they fit; zero
  /// where other kernels ran in between.
  Bytes repeated;
};

/// Folder of the tables that come with the program, which kernels are calibrated with.
[[nodiscard]] std::filesystem::path kernel_tables();

/// Kernel times of a table, recognised by its columns (docs/formats.md): products (system, dtype,
/// m, n, k, latency_us), decode attention (system, batch, num_heads, ..., latency_us), layers with
/// experts (system, ..., moe_tp, moe_ep, latency_us), layers of models by operator (hardware,
/// model, tp, op or layer, tokens, time_us), vidur's tables of layers and of attention; or of a run
/// file of probes (`validation/probe_operators.hpp`), recognised by being JSON.
/// @throws InputError when the columns are of none of these, or as read_run_file
[[nodiscard]] std::vector<OperatorTime> read_operators(const std::filesystem::path& path);

/// Whether a measurement tells about device memory: what it repeats neither fits into the L2 cache,
/// nor is so small (1/32 of the cache) that its time is the fixed cost anyway.
[[nodiscard]] bool tells_about_memory(const OperatorTime& row, const Gpu& gpu);

} // namespace decodesim
