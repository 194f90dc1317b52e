#include "sim/device/kernel_cost.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <cmath>

namespace decodesim {

namespace {

FlopPerSecond peak_of(DataType compute, const Gpu& gpu) {
  for (const auto type : {compute, DataType::bf16, DataType::fp16, DataType::fp32}) {
    if (const auto found = gpu.peak.find(type); found != gpu.peak.end()) {
      return found->second.value;
    }
  }
  throw InputError::at("gpu " + gpu.name,
                       "has no peak for " + to_string(compute),
                       "give one for bf16, fp16 or fp32");
}

const KernelClassCost&
parameters_of(const KernelWork& work, const Gpu& gpu, const KernelLibrary& library) {
  if (work.kernel_class == KernelClass::gemm && work.compute == DataType::fp8 &&
      gpu.peak.contains(DataType::fp8) && !library.fused_quantisation) {
    if (const auto own = gpu.kernels.find(KernelClass::gemm_fp8); own != gpu.kernels.end()) {
      return own->second;
    }
  }
  return gpu.kernels.at(work.kernel_class);
}

template <class T> T value_or_zero(const std::optional<Sourced<T>>& number) {
  return number ? number->value : T{};
}

/// Bytes that would take memory as long as those of the kernel take memory and cache.
Bytes bytes_from_memory(const KernelWork& work, const KernelClassCost& cost, const Gpu& gpu) {
  if (!cost.cache_speedup) {
    return work.bytes;
  }
  const auto cached = std::min(work.bytes, gpu.l2_cache.value);
  return work.bytes - cached + cached / cost.cache_speedup->value;
}

/// (a^q + b^q)^(1/q); their maximum without an exponent.
Seconds smooth_maximum(Seconds a, Seconds b, const std::optional<Sourced<double>>& exponent) {
  const auto larger = std::max(a, b);
  if (!exponent || larger == Seconds{}) {
    return larger;
  }
  const auto q = exponent->value;
  return larger * std::pow(1.0 + std::pow(std::min(a, b) / larger, q), 1.0 / q);
}

BytesPerSecond
memory_bandwidth(const KernelWork& work, const Gpu& gpu, const KernelLibrary& library) {
  const auto ratio = parameters_of(work, gpu, library).byte_efficiency_ratio.value;
  const auto better = library.byte_efficiency.find(work.kernel_class);
  return gpu.memory_bandwidth.value *
         (better == library.byte_efficiency.end() ? ratio : std::min(1.0, ratio * better->second));
}

Seconds arithmetic_time(const KernelWork& work, const Gpu& gpu, const KernelLibrary& library) {
  const auto ratio = parameters_of(work, gpu, library).flop_efficiency_ratio.value;
  return work.flop / (peak_of(work.compute, gpu) * ratio);
}

} // namespace

Seconds kernel_time(const KernelWork& work, const Gpu& gpu, const KernelLibrary& library) {
  const auto& cost = parameters_of(work, gpu, library);
  const Bytes ramp{std::sqrt(work.bytes.value() * value_or_zero(cost.ramp).value())};
  auto memory = (bytes_from_memory(work, cost, gpu) + ramp) / memory_bandwidth(work, gpu, library);
  const auto own = library.fixed.find(work.kernel_class);
  if (const auto unsplit = library.per_unsplit_token.find(work.kernel_class);
      unsplit != library.per_unsplit_token.end()) {
    memory = std::max(memory, unsplit->second * work.depth);
  } else if (work.unsplit && own == library.fixed.end()) {
    memory = std::max(memory, value_or_zero(cost.per_unsplit_token) * work.depth);
  }
  if (const auto most = library.per_sm_bandwidth.find(work.kernel_class);
      most != library.per_sm_bandwidth.end()) {
    memory = std::max(memory, work.bytes / (most->second * gpu.sm_count.value));
  }
  if (const auto most = library.per_sm_cache_reads.find(work.kernel_class);
      most != library.per_sm_cache_reads.end()) {
    memory = std::max(memory, work.cache_by_head / (most->second * gpu.sm_count.value));
  }
  const auto arithmetic = arithmetic_time(work, gpu, library);
  const auto fixed = own == library.fixed.end() ? cost.fixed.value : own->second;
  const auto rows =
      cost.per_row ? cost.per_row->value * (work.rows / gpu.sm_count.value) : Seconds{};
  return fixed + value_or_zero(cost.per_depth) * work.depth + rows +
         smooth_maximum(arithmetic, memory, cost.overlap_exponent);
}

Seconds throughput_time(const KernelWork& work, const Gpu& gpu, const KernelLibrary& library) {
  const auto bytes = bytes_from_memory(work, parameters_of(work, gpu, library), gpu);
  return std::min(
      kernel_time(work, gpu, library),
      std::max(arithmetic_time(work, gpu, library), bytes / memory_bandwidth(work, gpu, library)));
}

} // namespace decodesim
