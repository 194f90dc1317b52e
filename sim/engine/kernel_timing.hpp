#pragma once

#include "sim/plan/plan.hpp"

#include <array>
#include <vector>

namespace decodesim {

/// How long a kernel takes alone, and what it would share with others.
struct KernelTiming {
  double seconds = 0;
  double bytes = 0;        ///< memory traffic: with transfers of its GPU
  double busy_seconds = 0; ///< throughput_time: with kernels of other ranks on the same GPU
};

/// Timings of a program's kernels on one GPU. Decode attention depends on the step; its timing is
/// kept for the step asked for last, which ranks that share a program ask for together. Kernels of
/// experts depend on step and rank and are worked out each time.
class KernelTimings {
public:
  /// All but the index must outlive this.
  /// @param program  index in the plan
  /// @param gap         idle time before each kernel
  /// @param shares_gpu  whether busy_seconds are wanted
  KernelTimings(const Plan& plan,
                std::size_t program,
                const Gpu& gpu,
                const KernelLibrary& library,
                Seconds gap = {},
                bool shares_gpu = false);

  [[nodiscard]] KernelTiming at(int rank, Part part, int index, int step) const;

private:
  struct Entry {
    KernelTiming timing;
    const Kernel* grows = nullptr; ///< null when the step does not matter
    int step = 0;
    const Operation* routed = nullptr; ///< null when the rank does not matter
  };

  [[nodiscard]] KernelTiming timing_of(const Kernel& kernel, StepContext at) const;

  const Plan& plan_;
  const Gpu& gpu_;
  const KernelLibrary& library_;
  Seconds gap_;
  bool shares_gpu_;
  mutable std::array<std::vector<Entry>, 3> entries_;
};

} // namespace decodesim
