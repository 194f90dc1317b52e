#pragma once

#include "sim/host/framework.hpp"
#include "validation/case_file.hpp"
#include "validation/error_summary.hpp"

#include <string>
#include <vector>

namespace decodesim {

/// A number of a framework that is fitted.
struct FittedNumber {
  /// A FrameworkDuration's ("per_step"), "kernels/attention_decode/per_unsplit_token", both in
  /// seconds, "kernels/attention_decode/per_sm_cache_reads", in bytes per second, or
  /// "kernels/gemm/byte_efficiency_ratio", times the GPU's.
  const char* name;
  double start = 0; ///< where the search begins, whatever the file says
  double most = 0;
  double step = 0; ///< of the numerical derivative
  double least = 0;
};

/// How a number stands in files: the unit, and what one of it is.
struct FittedUnit {
  const char* name;
  double value = 1;
};

[[nodiscard]] FittedUnit unit_of(const FittedNumber& number);

/// Numbers that make a framework's cases come out as measured.
struct FrameworkFit {
  std::vector<double> values;   ///< in the order and units of the numbers
  std::vector<Comparison> rows; ///< simulated with them
};

/// Minimises the sum of |simulated / measured - 1| over the cases, as times. The simulator is
/// linear in durations but for kinks (a host that becomes slower than its GPU), and nearly so in an
/// efficiency, so that a few rounds of: simulate, differentiate numerically, minimise over the
/// linear model, suffice.
[[nodiscard]] FrameworkFit fit_framework(const Framework& framework,
                                         const std::vector<FittedNumber>& numbers,
                                         const std::vector<Case>& cases);

} // namespace decodesim
