#include "sim/cli/command_line.hpp"

#include "sim/cli/commands.hpp"
#include "sim/error.hpp"
#include "sim/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace decodesim {

namespace {

int number(ExitCode code) { return static_cast<int>(code); }

int fail(ExitCode code, const std::string& message) {
  std::cerr << "decodesim: " << message << "\n";
  return number(code);
}

/// Help whose descriptions are broken into lines of a readable length.
class HelpFormatter : public CLI::Formatter {
public:
  std::string make_option_desc(const CLI::Option* option) const override {
    constexpr std::size_t columns = 64;
    std::string text = CLI::Formatter::make_option_desc(option);
    for (std::size_t begin = 0; text.size() - begin > columns;) {
      const auto space = text.rfind(' ', begin + columns);
      if (space == std::string::npos || space <= begin) {
        break;
      }
      text[space] = '\n'; // CLI11 indents the lines that follow
      begin = space + 1;
    }
    return text;
  }
};

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

/// Names of the program's subcommands.
std::vector<std::string> command_names(const CLI::App& program) {
  std::vector<std::string> names;
  for (const auto* command : program.get_subcommands({})) {
    names.push_back(command->get_name());
  }
  return names;
}

/// What is wrong with an argument that nothing takes, with the nearest that something would.
std::string unknown_argument(std::string argument, const CLI::App& app, bool names_a_command) {
  const bool is_flag = argument.starts_with("-");
  if (is_flag) {
    argument.resize(std::min(argument.find('='), argument.size()));
  }
  const auto near =
      nearest_name(argument, is_flag || !names_a_command ? flag_names(app) : command_names(app));
  return std::string{is_flag           ? "flag "
                     : names_a_command ? "command "
                                       : "argument "} +
         argument + " is unknown" + (near.empty() ? "" : "; did you mean " + near + "?");
}

/// What CLI11 says, in one line, and where to read more.
std::string usage_message(const CLI::ParseError& error, const CLI::App& program) {
  const auto& app = innermost(program);
  const bool no_command = &app == &program;
  const auto unknown = app.remaining();
  std::string text = error.what();
  text.resize(std::min(text.find('\n'), text.size()));
  if (!unknown.empty() &&
      (no_command || dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)) {
    text = unknown_argument(unknown.front(), app, no_command);
  } else if (no_command) {
    text = "a command is required";
  }
  return text + "\nSee `decodesim " + (no_command ? "" : app.get_name() + " ") + "--help`.";
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
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(36);
  program.formatter(formatter);
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
                                        add_validate_command(program),
                                        add_calibrate_command(program),
                                        add_list_command(program),
                                        add_describe_command(program)};
    try {
      program.parse(argc, argv);
    } catch (const CLI::Success& asked) { // --help, --version
      return program.exit(asked) == 0 ? number(ExitCode::success) : number(ExitCode::internal);
    } catch (const CLI::ParseError& error) {
      return fail(ExitCode::usage, usage_message(error, program));
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
