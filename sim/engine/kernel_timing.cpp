#include "sim/engine/kernel_timing.hpp"

namespace decodesim {

KernelTimings::KernelTimings(const Plan& plan,
                             std::size_t program,
                             const Gpu& gpu,
                             const KernelLibrary& library,
                             Seconds gap,
                             bool shares_gpu)
    : plan_{plan}, gpu_{gpu}, library_{library}, gap_{gap}, shares_gpu_{shares_gpu} {
  for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
    auto& entries = entries_[static_cast<std::size_t>(part)];
    for (const auto& op : plan.programs[program].part(part)) {
      Entry entry;
      if (const auto* kernel = as_kernel(op)) {
        const auto* attention = std::get_if<Attention>(kernel);
        entry.timing = timing_of(*kernel, {});
        entry.routed = is_routed(*kernel) ? &op : nullptr;
        entry.grows = attention != nullptr && part == Part::body && attention->query_tokens == 1
                          ? kernel
                          : nullptr;
      }
      entries.push_back(entry);
    }
  }
}

KernelTiming KernelTimings::at(int rank, Part part, int index, int step) const {
  auto& entry = entries_[static_cast<std::size_t>(part)][static_cast<std::size_t>(index)];
  if (entry.routed != nullptr) {
    const auto& kernel = *as_kernel(*entry.routed);
    return timing_of(kernel, plan_.context(rank, *entry.routed, kernel, part, step));
  }
  if (entry.grows != nullptr && entry.step != step) {
    entry.step = step;
    entry.timing = timing_of(*entry.grows, StepContext{step});
  }
  return entry.timing;
}

KernelTiming KernelTimings::timing_of(const Kernel& kernel, StepContext at) const {
  const auto work = kernel_work(kernel, at);
  return {.seconds = (gap_ + kernel_time(work, gpu_, library_)).value(),
          .bytes = work.bytes.value(),
          .busy_seconds = shares_gpu_ ? throughput_time(work, gpu_, library_).value() : 0.0};
}

} // namespace decodesim
