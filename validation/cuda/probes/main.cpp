// decodesim-probe: measures a GPU and its surroundings, and writes one run file.
#include "sim/atomic_file.hpp"
#include "sim/error.hpp"
#include "sim/version.hpp"
#include "validation/cuda/device_description.hpp"
#include "validation/cuda/probes/probe_list.hpp"
#include "validation/cuda/probes/probe_process.hpp"
#include "validation/measure/run_file.hpp"
#include "validation/measure/sample_statistics.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

namespace decodesim {

namespace {

constexpr int failed = 1;
constexpr int bad_input = 3; // as decodesim's

struct Flags {
  bool list = false;
  std::vector<std::string> only;
  std::string output = "probes.json";
  double time_limit_s = 240;
  int ranks = 2;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void list_probes() {
  for (const auto& probe : all_probes()) {
    std::printf("%-18s %s\n", probe.name.c_str(), probe.summary.c_str());
  }
}

std::vector<Probe> chosen_probes(const Flags& flags) {
  std::vector<std::string> known;
  for (const auto& probe : all_probes()) {
    known.push_back(probe.name);
  }
  for (const auto& name : flags.only) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw InputError::unknown_name("--only", "probe", name, known);
    }
  }
  std::vector<Probe> chosen;
  for (const auto& probe : all_probes()) {
    if (flags.only.empty() ||
        std::find(flags.only.begin(), flags.only.end(), probe.name) != flags.only.end()) {
      chosen.push_back(probe);
    }
  }
  return chosen;
}

/// What is known of the device and its state now; from a process of its own, since this one never
/// uses CUDA.
/// @throws InputError when there is no device
Provenance describe() {
  constexpr double limit_s = 60;
  const auto end = run_in_process(
      [](const std::function<void(const std::string&)>& write) {
        write(provenance_line(describe_device()));
      },
      limit_s);
  if (!end.failure.empty() || end.lines.empty()) {
    throw InputError::at("device", end.failure, "a CUDA device with its driver is needed");
  }
  return parse_provenance_line(end.lines.front());
}

/// Best rate among the points: "1234.5 GB/s", "700.1 TFLOP/s", or nothing.
std::string best_rate(const std::vector<ProbeResult>& points) {
  double bytes = 0;
  double flop = 0;
  for (const auto& point : points) {
    if (!point.samples_us.empty()) {
      const double seconds = statistics_of(point.samples_us).median * 1e-6;
      bytes = std::max(bytes, static_cast<double>(point.bytes) / seconds);
      flop = std::max(flop, static_cast<double>(point.flop) / seconds);
    }
  }
  char text[96] = "";
  if (flop > 0) {
    std::snprintf(text, sizeof text, "up to %.1f TFLOP/s, %.0f GB/s", flop * 1e-12, bytes * 1e-9);
  } else if (bytes > 0) {
    std::snprintf(text, sizeof text, "up to %.1f GB/s", bytes * 1e-9);
  }
  return text;
}

void print_row(const std::string& name, const std::vector<ProbeResult>& points, double seconds) {
  const auto count = [&points](auto is) { return std::count_if(points.begin(), points.end(), is); };
  const auto failures = count([](const auto& point) { return !point.reason.empty(); });
  const auto unconverged =
      count([](const auto& point) { return point.reason.empty() && !point.converged; });
  std::printf("%-18s %6zu %6td %13td %7.1f  %s\n",
              name.c_str(),
              points.size(),
              failures,
              unconverged,
              seconds,
              best_rate(points).c_str());
  const auto first = std::find_if(
      points.begin(), points.end(), [](const auto& point) { return !point.reason.empty(); });
  if (first != points.end()) {
    std::printf("  first failure: %s\n", first->reason.c_str());
  }
  std::fflush(stdout);
}

int run(const Flags& flags, const std::string& command) {
  const auto probes = chosen_probes(flags);
  RunFile file{.kind = "probes", .rule = {}};
  const bool on_gpu =
      std::any_of(probes.begin(), probes.end(), [](const Probe& one) { return one.needs_gpu; });
  if (on_gpu) {
    file.provenance = describe();
  }
  file.provenance.start_utc = utc_now();
  file.provenance.program = "decodesim-probe";
  file.provenance.version = version();
  file.provenance.revision = revision();
  file.provenance.command = command;

  double shares = 0;
  for (const auto& probe : probes) {
    shares += probe.share;
  }
  std::printf("%-18s %6s %6s %13s %7s\n", "probe", "points", "failed", "not converged", "seconds");
  const double start = now();
  double share_done = 0;
  for (const auto& probe : probes) {
    // What earlier probes left over, later ones may use.
    share_done += probe.share;
    const double begin = now();
    const double until = start + flags.time_limit_s * share_done / shares;
    const auto points = run_probe(
        probe, {.rule = file.rule, .seconds = std::max(1.0, until - begin), .ranks = flags.ranks});
    print_row(probe.name, points, now() - begin);
    file.probes.insert(file.probes.end(), points.begin(), points.end());
    file.provenance.end_utc = utc_now();
    write_file(flags.output,
               run_file_text(file)); // after each: a run that is ended leaves the rest
  }
  if (on_gpu) {
    file.provenance.after = describe().before;
    write_file(flags.output, run_file_text(file));
  }
  std::printf("written to %s\n", flags.output.c_str());
  const bool any = std::any_of(file.probes.begin(), file.probes.end(), [](const auto& point) {
    return point.reason.empty();
  });
  return any ? 0 : failed;
}

std::string command_of(int argc, char** argv) {
  std::string command;
  for (int i = 0; i < argc; ++i) {
    command += (i == 0 ? "" : " ") + std::string{argv[i]};
  }
  return command;
}

int probe_program(int argc, char** argv) {
  Flags flags;
  CLI::App app{"Measures a GPU and its surroundings; writes one run file (docs/formats.md)",
               "decodesim-probe"};
  app.add_flag("--list", flags.list, "List the probes and end");
  app.add_option("--only", flags.only, "Probes to run; default: all")->type_name("NAME...");
  app.add_option("--output", flags.output, "Run file to write")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_option("--time-limit", flags.time_limit_s, "Seconds for all probes together")
      ->type_name("S")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  app.add_option("--ranks", flags.ranks, "Processes of the collectives")
      ->type_name("N")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (flags.list) {
    list_probes();
    return 0;
  }
  try {
    return run(flags, command_of(argc, argv));
  } catch (const InputError& problem) {
    std::cerr << "decodesim-probe: " << problem.what() << "\n";
    return bad_input;
  } catch (const std::exception& problem) {
    std::cerr << "decodesim-probe: " << problem.what() << "\n";
    return failed;
  }
}

} // namespace

} // namespace decodesim

int main(int argc, char** argv) { return decodesim::probe_program(argc, argv); }
