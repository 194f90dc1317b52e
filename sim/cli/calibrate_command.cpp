#include "sim/atomic_file.hpp"
#include "sim/cli/commands.hpp"
#include "sim/cli/flags.hpp"
#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "validation/calibrate_collectives.hpp"
#include "validation/calibrate_frameworks.hpp"
#include "validation/calibrate_kernels.hpp"
#include "validation/calibrate_probes.hpp"

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
  std::vector<std::string> probes;
  Flag gpu;
  Flag folder;
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

/// Writes what differs, unless it is only checked; tells which. @returns whether it differs
bool update(const std::filesystem::path& path,
            const std::filesystem::path& shown,
            const std::string& text,
            bool check) {
  const bool same = content(path) == text;
  if (!same && !check) {
    write_file(path, text);
  }
  std::cout << shown.string() << (same ? ": unchanged\n" : check ? ": differs\n" : ": written\n");
  return !same;
}

ExitCode calibrate_to_probes(const CalibrateFlags& flags) {
  if (!flags.parts.empty()) {
    throw UsageError{"--probes takes what the probes tell of: give it without a PART"};
  }
  int changed = 0;
  for (const auto& file :
       calibrate_probes({flags.probes.begin(), flags.probes.end()}, flags.gpu.value_or(""))) {
    const auto path = flags.folder ? std::filesystem::path{*flags.folder} / file.path.filename()
                                   : data_root() / file.path;
    changed += update(path, flags.folder ? path : file.path, file.text, flags.check) ? 1 : 0;
  }
  return flags.check && changed > 0 ? ExitCode::bad_input : ExitCode::success;
}

ExitCode calibrate(const CalibrateFlags& flags) {
  if (!flags.probes.empty()) {
    return calibrate_to_probes(flags);
  }
  if (flags.gpu || flags.folder) {
    throw UsageError{"--gpu-name and --output go with --probes"};
  }
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
      changed += update(data_root() / file.path, file.path, file.text, flags.check) ? 1 : 0;
    }
  }
  return flags.check && changed > 0 ? ExitCode::bad_input : ExitCode::success;
}

} // namespace

Command add_calibrate_command(CLI::App& program) {
  auto* app = program.add_subcommand(
      "calibrate",
      "Fit the parameters of kernels, collectives and frameworks to the measurements that come\n"
      "with the program, or those of a machine to probes that ran on it, and write their files");
  app->footer(
      "Examples:\n"
      "  decodesim calibrate\n"
      "  decodesim calibrate kernels --check\n"
      "  decodesim calibrate --probes measured/probes.json measured/collectives.json\n"
      "  decodesim calibrate --probes probes.json --gpu-name my-gpu.json --output kernels/");
  auto flags = std::make_shared<CalibrateFlags>();
  app->add_option("PART", flags->parts, "kernels, collectives or frameworks; default: all")
      ->type_name("");
  app->add_flag("--check", flags->check, "Write nothing; exit code 3 when a file would change");
  app->add_option("--probes", flags->probes, "Run files of decodesim-probe, all of one GPU")
      ->type_name("FILE...");
  app->add_option("--gpu-name", flags->gpu, "GPU that they are of; default: by the device's name")
      ->type_name("NAME|PATH");
  app->add_option("--output", flags->folder, "Folder of the files; default: the program's own")
      ->type_name("FOLDER");
  return {app, [flags] { return calibrate(*flags); }};
}

} // namespace decodesim
