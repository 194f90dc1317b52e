#include "sim/engine/kernel_timing.hpp"

namespace decodesim {

namespace {

KernelTiming timing_of(const Kernel& kernel, int step, const Gpu& gpu) {
  const auto work = kernel_work(kernel, StepContext{step});
  return {.seconds = kernel_time(work, gpu).value(), .bytes = work.bytes.value()};
}

} // namespace

KernelTimings::KernelTimings(const Program& program, const Gpu& gpu) : gpu_{gpu} {
  for (const auto part : {Part::prologue, Part::body, Part::epilogue}) {
    auto& entries = entries_[static_cast<std::size_t>(part)];
    for (const auto& op : program.part(part)) {
      Entry entry;
      if (const auto* kernel = as_kernel(op)) {
        const auto* attention = std::get_if<Attention>(kernel);
        entry.timing = timing_of(*kernel, 0, gpu);
        entry.grows = attention != nullptr && part == Part::body && attention->query_tokens == 1
                          ? kernel
                          : nullptr;
      }
      entries.push_back(entry);
    }
  }
}

const KernelTiming& KernelTimings::at(Part part, int index, int step) const {
  auto& entry = entries_[static_cast<std::size_t>(part)][static_cast<std::size_t>(index)];
  if (entry.grows != nullptr && entry.step != step) {
    entry.step = step;
    entry.timing = timing_of(*entry.grows, step, gpu_);
  }
  return entry.timing;
}

} // namespace decodesim
