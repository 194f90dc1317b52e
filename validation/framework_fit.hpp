#pragma once

#include "sim/host/framework.hpp"
#include "validation/case_file.hpp"
#include "validation/error_summary.hpp"

#include <string>
#include <vector>

namespace decodesim {

/// A duration of a framework that is fitted.
struct FittedDuration {
  const char* name;   ///< as in FrameworkDuration
  double start_s = 0; ///< where the search begins, whatever the file says
  double most_s = 0;
  double worst_guess_s = 0; ///< step of the numerical derivative
};

/// Durations that make a framework's cases come out as measured.
struct FrameworkFit {
  Framework framework;          ///< with the fitted durations
  std::vector<Comparison> rows; ///< simulated with them
};

/// Minimises the sum of |simulated / measured - 1| over the cases, as times. The simulator is
/// linear in these durations but for kinks (a host that becomes slower than its GPU), so that a few
/// rounds of: simulate, differentiate numerically, minimise over the linear model, suffice.
[[nodiscard]] FrameworkFit fit_framework(Framework framework,
                                         const std::vector<FittedDuration>& durations,
                                         const std::vector<Case>& cases);

} // namespace decodesim
