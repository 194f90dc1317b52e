#include "sim/cli/command_line.hpp"

#include "sim/cli/commands.hpp"
#include "sim/error.hpp"
#include "sim/version.hpp"

#include <CLI/CLI.hpp>

#include <cstring>
#include <iostream>

namespace decodesim {

namespace {

int number(ExitCode code) { return static_cast<int>(code); }

int fail(ExitCode code, const std::string& message) {
  std::cerr << "decodesim: " << message << "\n";
  return number(code);
}

/// The parsed subcommand of the program, or the program itself.
const CLI::App& innermost(const CLI::App& program) {
  const auto parsed = program.get_subcommands();
  return parsed.empty() ? program : *parsed.front();
}

/// Long names of the flags of an app: "--batch-size".
std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

/// What CLI11 says, in one line, with the nearest known flag or subcommand.
std::string usage_message(const CLI::ParseError& error, const CLI::App& program, char** argv) {
  const auto& app = innermost(program);
  std::string text = error.what();
  if (const auto end = text.find('\n'); end != std::string::npos) {
    text.resize(end);
  }
  if (error.get_name() == "ExtrasError") {
    const auto left = app.remaining();
    std::string first = left.empty()
                            ? program.remaining().empty() ? "" : program.remaining().front()
                            : left.front();
    const bool is_flag = first.starts_with("-");
    if (const auto value = first.find('='); is_flag && value != std::string::npos) {
      first.resize(value);
    }
    text = (is_flag            ? "flag "
            : &app == &program ? "command "
                               : "argument ") +
           first + " is unknown";
    std::vector<std::string> known = flag_names(app);
    if (!is_flag && &app == &program) {
      known.clear();
      for (const auto* command : program.get_subcommands({})) {
        known.push_back(command->get_name());
      }
    }
    if (const auto near = nearest_name(first, known); !near.empty()) {
      text += "; did you mean " + near + "?";
    }
  }
  (void)argv;
  return text + "\nSee `decodesim " + (&app == &program ? "" : app.get_name() + " ") + "--help`.";
}

int run_parsed(const std::vector<Command>& commands) {
  for (const auto& command : commands) {
    if (command.app->parsed()) {
      const auto code = command.run();
      std::cout.flush();
      if (!std::cout) {
        return fail(ExitCode::bad_input, "stdout: cannot be written");
      }
      return number(code);
    }
  }
  return number(ExitCode::usage);
}

} // namespace

int command_line(int argc, char** argv) {
  CLI::App program{"Simulates distributed decoding of large language models: how long each way of\n"
                   "spreading a model over the GPUs of a machine takes, and why.",
                   "decodesim"};
  program.set_version_flag("--version", "decodesim " + version() + " (" + revision() + ")");
  program.set_help_flag("-h,--help", "Print this help and exit");
  program.get_formatter()->column_width(36);
  program.require_subcommand(1);
  program.footer("Examples:\n"
                 "  decodesim compare --model llama-3-70b --machine dgx-a100-80g --gpus 8 \\\n"
                 "      --strategies zero3,tp,pp:gpipe --batch-size 32\n"
                 "  decodesim run --model llama-3-70b --machine dgx-a100-80g --tp 8 --timeline "
                 "tp8.json\n\n"
                 "Exit codes: 0 success, 1 internal error, 2 usage, 3 bad input or a layout that\n"
                 "cannot run, 4 the simulation cannot finish.");
  try {
    const std::vector<Command> commands{add_run_command(program),
                                        add_compare_command(program),
                                        add_plan_command(program),
                                        add_topology_command(program),
                                        add_list_command(program),
                                        add_describe_command(program)};
    try {
      program.parse(argc, argv);
    } catch (const CLI::Success& asked) { // --help, --version
      return program.exit(asked) == 0 ? number(ExitCode::success) : number(ExitCode::internal);
    } catch (const CLI::ParseError& error) {
      return fail(ExitCode::usage, usage_message(error, program, argv));
    }
    return run_parsed(commands);
  } catch (const UsageError& error) {
    return fail(ExitCode::usage, error.what());
  } catch (const InputError& error) {
    return fail(ExitCode::bad_input, error.what());
  } catch (const SimulationError& error) {
    return fail(ExitCode::unfinished, error.what());
  } catch (const std::exception& error) {
    return fail(ExitCode::internal, std::string{"internal error: "} + error.what());
  }
}

} // namespace decodesim
