#pragma once

#include "sim/json_reader.hpp"
#include "sim/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <sys/wait.h>

namespace decodesim {

/// How a program ended and what it wrote.
struct Ended {
  int code = -1; ///< exit code; -1 when a signal ended it
  std::string out;
  std::string err;
};

/// Runs a program with arguments as a shell would read them.
inline Ended run_program(const std::string& program, const std::string& arguments) {
  const TemporaryFolder folder;
  const auto out = folder / "out";
  const auto err = folder / "err";
  const auto command = "NO_COLOR= '" + program + "' " + arguments + " > '" + out.string() +
                       "' 2> '" + err.string() + "'";
  const int status = std::system(command.c_str());
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .out = read_text(out),
          .err = read_text(err)};
}

inline Ended decodesim_with(const std::string& arguments) {
  return run_program(DECODESIM_PROGRAM, arguments);
}

/// Bad input: exit code, the whole of stderr, and nothing on stdout.
inline void expect_refused(const std::string& arguments, int code, const std::string& message) {
  const auto ended = decodesim_with(arguments);
  EXPECT_EQ(ended.code, code) << arguments;
  EXPECT_EQ(ended.err, "decodesim: " + message + "\n") << arguments;
  EXPECT_EQ(ended.out, "") << arguments;
}

} // namespace decodesim
