#include "sim/result/memory.hpp"

#include <iomanip>
#include <sstream>

namespace decodesim {

MemoryUse memory_of(const Program& program, const Plan& plan, const Gpu& gpu) {
  const auto tokens = plan.prompt_tokens + plan.decode_steps + 1;
  return {.weights = program.weights,
          .kv_cache = program.kv_cache_bytes(tokens) * program.sequences,
          .activations = peak_activation_bytes(program),
          .buffers = buffer_bytes(program, BufferKind::gathered_weights),
          .capacity = gpu.usable_memory()};
}

MemoryUse memory_of_fullest_gpu(const Plan& plan, const Gpu& gpu) {
  MemoryUse fullest{.capacity = gpu.usable_memory()};
  for (const auto& program : plan.programs) {
    if (const auto use = memory_of(program, plan, gpu); use.total() > fullest.total()) {
      fullest = use;
    }
  }
  return fullest;
}

bool fits(const MemoryUse& use) { return use.total() <= use.capacity; }

std::string does_not_fit_reason(const MemoryUse& use) {
  const auto gb = [](Bytes bytes) { return bytes.value() / 1e9; };
  // Enough decimals for the two numbers to differ.
  const bool close = gb(use.total()) - gb(use.capacity) < 0.1;
  std::ostringstream text;
  text << std::fixed << std::setprecision(close ? 3 : 1);
  text << "needs " << gb(use.total()) << " GB of " << gb(use.capacity)
       << " GB on the fullest GPU (weights " << gb(use.weights) << ", cache " << gb(use.kv_cache)
       << ", activations " << gb(use.activations) << ", buffers " << gb(use.buffers) << ")";
  return text.str();
}

} // namespace decodesim
