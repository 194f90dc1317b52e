#include "sim/atomic_file.hpp"
#include "sim/cli/commands.hpp"
#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "validation/calibrate_collectives.hpp"
#include "validation/calibrate_frameworks.hpp"
#include "validation/calibrate_kernels.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>

namespace decodesim {

namespace {

struct CalibrateFlags {
  std::vector<std::string> parts;
  bool check = false;
};

using Calibration = std::vector<ParameterFile> (*)();

/// In the order in which they build on each other.
const std::vector<std::pair<std::string, Calibration>> calibrations{
    {"kernels", calibrate_kernels},
    {"collectives", calibrate_collectives},
    {"frameworks", calibrate_frameworks}};

std::string content(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

ExitCode calibrate(const CalibrateFlags& flags) {
  std::vector<std::string> known;
  for (const auto& entry : calibrations) {
    known.push_back(entry.first);
  }
  for (const auto& part : flags.parts) {
    if (std::find(known.begin(), known.end(), part) == known.end()) {
      throw InputError::unknown_name("calibrate", "part", part, known);
    }
  }
  int changed = 0;
  for (const auto& [name, fit] : calibrations) {
    if (!flags.parts.empty() &&
        std::find(flags.parts.begin(), flags.parts.end(), name) == flags.parts.end()) {
      continue;
    }
    for (const auto& file : fit()) {
      const auto path = data_root() / file.path;
      const bool same = content(path) == file.text;
      changed += same ? 0 : 1;
      std::cout << file.path.string()
                << (same          ? ": unchanged\n"
                    : flags.check ? ": differs\n"
                                  : ": written\n");
      if (!same && !flags.check) {
        write_file(path, file.text);
      }
    }
  }
  return flags.check && changed > 0 ? ExitCode::bad_input : ExitCode::success;
}

} // namespace

Command add_calibrate_command(CLI::App& program) {
  auto* app = program.add_subcommand(
      "calibrate",
      "Fit the parameters of kernels, collectives and frameworks to the measurements that come\n"
      "with the program, and write their files");
  app->footer("Examples:\n"
              "  decodesim calibrate\n"
              "  decodesim calibrate kernels --check");
  auto flags = std::make_shared<CalibrateFlags>();
  app->add_option("PART", flags->parts, "kernels, collectives or frameworks; default: all")
      ->type_name("");
  app->add_flag("--check", flags->check, "Write nothing; exit code 3 when a file would change");
  return {app, [flags] { return calibrate(*flags); }};
}

} // namespace decodesim
