#pragma once

#include "sim/host/host_costs.hpp"
#include "sim/plan/plan.hpp"

#include <array>
#include <vector>

namespace decodesim {

/// When the host of a rank launches the operations of its program, and what it does between them.
///
/// The first operation of a pass that embeds tokens opens it: before that the host schedules,
/// prepares inputs and handles what was sampled.
class HostSchedule {
public:
  HostSchedule(const Program& program, const HostCosts& costs);

  /// Seconds from the beginning of an eager launch of a part until the operation is launched.
  [[nodiscard]] double launched(Part part, int operation) const {
    return entry(part, operation).launched_s;
  }

  /// Seconds that the host is busy before it launches the operation; 0 unless it opens a pass.
  [[nodiscard]] double before_pass(Part part, int operation) const {
    return entry(part, operation).before_pass_s;
  }

  /// Seconds that a message to the next pipeline stage is handled by the host; 0 for other work.
  [[nodiscard]] double before_message(Part part, int operation) const {
    return entry(part, operation).before_message_s;
  }

private:
  struct Entry {
    double launched_s = 0;
    double before_pass_s = 0;
    double before_message_s = 0;
  };

  [[nodiscard]] const Entry& entry(Part part, int operation) const {
    return entries_[static_cast<std::size_t>(part)][static_cast<std::size_t>(operation)];
  }

  std::array<std::vector<Entry>, 3> entries_;
};

} // namespace decodesim
