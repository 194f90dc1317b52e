#pragma once

namespace decodesim {

/// The whole command line of decodesim, for `main` of this program and of programs that register
/// strategies of their own. Results go to stdout, messages to stderr; nothing is thrown.
///
/// @return exit code: 0 success, 1 internal error, 2 usage, 3 bad input (a layout that `run` cannot
///         run included), 4 the simulation cannot finish
int command_line(int argc, char** argv);

} // namespace decodesim
