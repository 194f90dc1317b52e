#include "sim/device/kernel_cost.hpp"

#include "sim/error.hpp"

#include <algorithm>

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

} // namespace

Seconds kernel_time(const KernelWork& work, const Gpu& gpu, const KernelLibrary& library) {
  const auto& cost = gpu.kernels.at(work.kernel_class);
  const auto arithmetic =
      work.flop / (peak_of(work.compute, gpu) * cost.flop_efficiency_ratio.value);
  const auto better = library.byte_efficiency.find(work.kernel_class);
  const auto byte_efficiency =
      better == library.byte_efficiency.end()
          ? cost.byte_efficiency_ratio.value
          : std::min(1.0, cost.byte_efficiency_ratio.value * better->second);
  const auto memory = work.bytes / (gpu.memory_bandwidth.value * byte_efficiency);
  const auto own = library.fixed.find(work.kernel_class);
  const auto fixed = own == library.fixed.end() ? cost.fixed.value : own->second;
  return fixed + std::max(arithmetic, memory);
}

} // namespace decodesim
