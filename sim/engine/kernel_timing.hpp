#pragma once

#include "sim/plan/plan.hpp"

#include <array>
#include <vector>

namespace decodesim {

/// How long a kernel takes alone, and the memory traffic that it would share with others.
struct KernelTiming {
  double seconds = 0;
  double bytes = 0;
};

/// Timings of a program's kernels on one GPU. Only decode attention depends on the step; its timing
/// is kept for the step asked for last, which ranks that share a program ask for together.
class KernelTimings {
public:
  KernelTimings(const Program& program, const Gpu& gpu);

  [[nodiscard]] const KernelTiming& at(Part part, int index, int step) const;

private:
  struct Entry {
    KernelTiming timing;
    const Kernel* grows = nullptr; ///< null when the step does not matter
    int step = 0;
  };

  const Gpu& gpu_;
  mutable std::array<std::vector<Entry>, 3> entries_;
};

} // namespace decodesim
