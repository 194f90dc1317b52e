#pragma once

#include "sim/device/gpu.hpp"

#include <map>

namespace decodesim {

/// Arithmetic and memory traffic of one kernel.
struct KernelWork {
  KernelClass kernel_class = KernelClass::gemm;
  DataType compute = DataType::bf16; ///< selects the peak
  Flop flop;
  Bytes bytes;          ///< device memory read and written, each operand once
  double depth = 0;     ///< steps of its longest chain: k of a product, context of attention
  double rows = 0;      ///< of attention: query tokens x heads
  bool unsplit = false; ///< attention with a KV head per query head (MHA)
  Bytes cache_by_head;  ///< of decode attention: keys and values, once for each query head

  bool operator==(const KernelWork&) const = default;
};

/// How the kernels of a serving engine differ from those that the GPU's parameters were fitted to
/// (a library's own attention kernel starts in 4 us where the fitted one takes 17). Classes that
/// are not named are as on the GPU.
struct KernelLibrary {
  std::map<KernelClass, Seconds> fixed; ///< in place of the GPU's fixed cost
  std::map<KernelClass, double>
      byte_efficiency; ///< times the GPU's byte efficiency; the product is held below 1
  /// Most that one streaming multiprocessor reads and writes: kernels with few loads in flight do
  /// not fill the memory of GPUs that have much of it for each.
  std::map<KernelClass, BytesPerSecond> per_sm_bandwidth = {};
  /// Least time per token of the cache, of kernels with one block for each sequence and query head:
  /// it reads all of the context alone.
  std::map<KernelClass, Seconds> per_unsplit_token = {};
  /// Most of the cache that one streaming multiprocessor reads, of kernels in which each query head
  /// reads its keys and values by itself: heads that share them meet in the L2 cache alone.
  std::map<KernelClass, BytesPerSecond> per_sm_cache_reads = {};
  /// Products in fp8 find their inputs quantised: they cost as those of class gemm. What class
  /// gemm_fp8 was fitted to begins with a kernel that quantises.
  bool fused_quantisation = false;

  bool operator==(const KernelLibrary&) const = default;
};

/// Time of a kernel that has its GPU to itself:
///
///     fixed + per_depth x depth + per_row x rows / SMs + |(arithmetic, memory)|_q
///     arithmetic = flop / (peak x flop_efficiency)
///     memory = max((b + sqrt(bytes x ramp)) / (bandwidth x byte_efficiency),
///                  per_unsplit_token x depth if unsplit, or if the library has one,
///                  bytes / (SMs x per_sm_bandwidth) if the library has one,
///                  cache_by_head / (SMs x per_sm_cache_reads) if the library has one)
///
/// b is `bytes`, of which those that fit into the L2 cache count cache_speedup times less. |.|_q is
/// the q-norm with q = overlap_exponent: the maximum of both when kernels overlap them perfectly (q
/// absent), their sum for q = 1. It never falls when work grows, and never rises with bandwidth or
/// peak.
///
/// Source: roofline model (Williams, Waterman, Patterson, CACM 52(4), 2009) with a smooth ridge,
/// bandwidth that grows with what is in flight, and costs per step and row; docs/models/kernels.md.
/// Products in 8 bits follow class gemm_fp8 where the GPU has its parameters.
///
/// A compute type without a peak in the GPU file runs at the peak of bf16 (weights widened on the
/// fly), else of fp16, else of fp32.
[[nodiscard]] Seconds
kernel_time(const KernelWork& work, const Gpu& gpu, const KernelLibrary& library = {});

/// How much of that the GPU's arithmetic or memory would need at the kernel's efficiency, if other
/// kernels filled what it leaves idle: what kernels that run at once on a GPU share.
///
///     min(kernel_time, max(flop / (peak x flop_efficiency), b / (bandwidth x byte_efficiency)))
[[nodiscard]] Seconds
throughput_time(const KernelWork& work, const Gpu& gpu, const KernelLibrary& library = {});

} // namespace decodesim
