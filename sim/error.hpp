#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace decodesim {

/// The user's input is wrong: a file, a flag or a value. The message names the place, what was
/// found and what is allowed. The program ends with exit code 3 and writes nothing.
class InputError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;

  /// "WHERE: FOUND; ALLOWED": the one form of every message about input.
  /// @param where    file and JSON pointer ("x.json: /links/0/latency") or flag ("--tp")
  /// @param found    what is there ("unit \"u\" is unknown")
  /// @param allowed  what may be there ("use one of s, ms, us, ns"); may be empty
  [[nodiscard]] static InputError
  at(std::string_view where, std::string_view found, std::string_view allowed = {});

  /// WHERE: WHAT "NAME" is unknown; did you mean "NEAREST"? known: a, b, c
  [[nodiscard]] static InputError unknown_name(std::string_view where,
                                               std::string_view what,
                                               std::string_view name,
                                               const std::vector<std::string>& known);
};

/// The layout cannot run at all (heads not divisible, more ranks than GPUs). A comparison shows it
/// as a row of status `invalid`.
class LayoutError : public InputError {
public:
  using InputError::InputError;
};

/// The simulation cannot finish (deadlock, mismatched collectives). Exit code 4.
class SimulationError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The first known name that begins with `name` (of three letters or more), else the one with the
/// smallest edit distance to it; empty when none is near (more than a third of its length away, at
/// least 2).
[[nodiscard]] std::string nearest_name(std::string_view name,
                                       const std::vector<std::string>& known);

} // namespace decodesim
