#pragma once

#include <functional>
#include <string>
#include <vector>

namespace decodesim {

/// One piece of work for a process of its own.
struct ChildTask {
  std::string name; ///< in error messages: "tp8"
  /// Runs in the child; returns what the parent gets. Exceptions reach the parent as the same kind
  /// of error (InputError, LayoutError, SimulationError, else std::runtime_error), with the task's
  /// name in front.
  /// @param report  sends (step, steps) to the parent
  std::function<std::string(const std::function<void(int step, int steps)>& report)> work;
  /// Called in the parent with each report; may be empty.
  std::function<void(int step, int steps)> on_report;
};

/// Results of all tasks, in their order, each from a forked child process; at most `at_once` run at
/// a time. At the first error the other children are killed and the error is thrown; when this
/// process dies, they die with it. Call it from a process of one thread.
///
/// @throws std::runtime_error when a child ends without a result, naming the task and the signal
[[nodiscard]] std::vector<std::string> run_in_children(const std::vector<ChildTask>& tasks,
                                                       int at_once);

} // namespace decodesim
