#pragma once

#include "sim/device/gpu.hpp"

namespace decodesim {

/// Arithmetic and memory traffic of one kernel.
struct KernelWork {
  KernelClass kernel_class = KernelClass::gemm;
  DataType compute = DataType::bf16; ///< selects the peak
  Flop flop;
  Bytes bytes; ///< device memory read and written, each operand once

  bool operator==(const KernelWork&) const = default;
};

/// Time of a kernel that has its GPU to itself:
/// fixed + max(flop / (peak x flop_efficiency), bytes / (bandwidth x byte_efficiency)).
///
/// Source: roofline model (Williams, Waterman, Patterson, CACM 52(4), 2009) with one efficiency per
/// roof and a fixed cost per kernel class; docs/models/kernels.md.
///
/// A compute type without a peak in the GPU file runs at the peak of bf16 (weights widened on the
/// fly), else of fp16, else of fp32.
[[nodiscard]] Seconds kernel_time(const KernelWork& work, const Gpu& gpu);

} // namespace decodesim
