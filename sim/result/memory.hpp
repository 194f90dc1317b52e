#pragma once

#include "sim/device/gpu.hpp"
#include "sim/plan/plan.hpp"
#include "sim/result/result.hpp"

#include <string>

namespace decodesim {

/// Memory of one rank of a role, the cache at its longest (prompt and all output tokens).
///
/// Model:  weights + KV bytes per token x sequences x (input + output tokens) + peak of the
///         activations alive at once + gathered weights.
/// Limits: no fragmentation, no paging granularity; what CUDA and the communication library take is
///         the GPU's reserve and missing from the capacity.
[[nodiscard]] MemoryUse memory_of(const Program& program, const Plan& plan, const Gpu& gpu);

/// Memory of the fullest GPU of a plan (the first of equals).
[[nodiscard]] MemoryUse memory_of_fullest_gpu(const Plan& plan, const Gpu& gpu);

[[nodiscard]] bool fits(const MemoryUse& use);

/// "needs 141.2 GB of 84.3 GB on the fullest GPU (weights 138.0, cache 1.2, activations 1.5,
/// buffers 0.5)"; GB = 1e9 bytes.
[[nodiscard]] std::string does_not_fit_reason(const MemoryUse& use);

} // namespace decodesim
