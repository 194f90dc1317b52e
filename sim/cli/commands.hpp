#pragma once

#include <functional>
#include <stdexcept>

namespace CLI {
class App;
}

namespace decodesim {

/// The command line itself is wrong (flags that exclude each other, a missing one). Exit code 2.
class UsageError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

enum class ExitCode { success = 0, internal = 1, usage = 2, bad_input = 3, unfinished = 4 };

/// A subcommand: where it stands in the command line and what it does once its flags are parsed.
struct Command {
  CLI::App* app = nullptr;
  std::function<ExitCode()> run;
};

// Each adds one subcommand to the program and lives in a file of its own.
[[nodiscard]] Command add_run_command(CLI::App& program);
[[nodiscard]] Command add_compare_command(CLI::App& program);
[[nodiscard]] Command add_plan_command(CLI::App& program);
[[nodiscard]] Command add_list_command(CLI::App& program);
[[nodiscard]] Command add_describe_command(CLI::App& program);
[[nodiscard]] Command add_topology_command(CLI::App& program);
[[nodiscard]] Command add_validate_command(CLI::App& program);
[[nodiscard]] Command add_calibrate_command(CLI::App& program);

} // namespace decodesim
