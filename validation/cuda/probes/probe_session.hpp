#pragma once

#include "validation/measure/run_file.hpp"
#include "validation/measure/stopping_rule.hpp"

#include <functional>
#include <string>

namespace decodesim {

/// What a probe is given: when to stop, and whom to tell its points.
class ProbeSession {
public:
  struct Limits {
    StoppingRule rule;
    double seconds = 60; ///< for the whole probe; points that have not begun by then are left out
    int ranks = 2;       ///< of collectives
  };

  ProbeSession(std::string probe, const Limits& limits, std::function<void(ProbeResult)> report);

  [[nodiscard]] const Limits& limits() const { return limits_; }

  /// Measures one point: `measure` fills in samples and traffic. What it throws becomes the point's
  /// reason, and the next point goes on. Left out once the time is over.
  /// @param point  with parameters; its name is the probe's
  void point(ProbeResult point, const std::function<void(ProbeResult&)>& measure);

  /// Tells how many points were left out, if any were. Called once, at the end.
  void finish();

private:
  std::string probe_;
  Limits limits_;
  std::function<void(ProbeResult)> report_;
  double start_ = 0;
  std::int64_t left_out_ = 0;
};

} // namespace decodesim
