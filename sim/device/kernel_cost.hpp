#pragma once

#include "sim/device/gpu.hpp"

#include <map>

namespace decodesim {

/// Arithmetic and memory traffic of one kernel.
struct KernelWork {
  KernelClass kernel_class = KernelClass::gemm;
  DataType compute = DataType::bf16; ///< selects the peak
  Flop flop;
  Bytes bytes; ///< device memory read and written, each operand once

  bool operator==(const KernelWork&) const = default;
};

/// How the kernels of a serving engine differ from those that the GPU's parameters were fitted to
/// (a library's own attention kernel starts in 4 us where the fitted one takes 17). Classes that
/// are not named are as on the GPU.
struct KernelLibrary {
  std::map<KernelClass, Seconds> fixed; ///< in place of the GPU's fixed cost
  std::map<KernelClass, double>
      byte_efficiency; ///< times the GPU's byte efficiency; the product is held below 1

  bool operator==(const KernelLibrary&) const = default;
};

/// Time of a kernel that has its GPU to itself:
/// fixed + max(flop / (peak x flop_efficiency), bytes / (bandwidth x byte_efficiency)).
///
/// Source: roofline model (Williams, Waterman, Patterson, CACM 52(4), 2009) with one efficiency per
/// roof and a fixed cost per kernel class; docs/models/kernels.md.
///
/// A compute type without a peak in the GPU file runs at the peak of bf16 (weights widened on the
/// fly), else of fp16, else of fp32.
[[nodiscard]] Seconds
kernel_time(const KernelWork& work, const Gpu& gpu, const KernelLibrary& library = {});

} // namespace decodesim
