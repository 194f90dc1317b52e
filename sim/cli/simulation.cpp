#include "sim/cli/simulation.hpp"

#include "sim/cli/progress.hpp"
#include "sim/error.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/result/format.hpp"
#include "sim/result/run.hpp"
#include "sim/scenario/scenario_file.hpp"
#include "sim/scenario/scenario_json.hpp"
#include "traces/chrome_trace.hpp"
#include "traces/rank_traces.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>

namespace decodesim {

namespace {

std::string dumped(Scenario scenario) {
  // The dump may be stored anywhere.
  scenario.model = absolute_unless_preset(scenario.model, true, ".");
  scenario.machine = absolute_unless_preset(scenario.machine, false, ".");
  scenario.framework.reference = framework_from(scenario.framework.reference, ".");
  scenario.workload.experts.routing = routing_from(scenario.workload.experts.routing, ".");
  nlohmann::ordered_json json{{"format_version", scenario_format_version}};
  json.update(scenario_to_json(scenario));
  return json.dump(2) + "\n";
}

void warn_of_long_contexts(const Scenario& scenario) {
  const auto model = find_model(scenario.model, "--model");
  const auto tokens = scenario.workload.input_tokens + scenario.workload.output_tokens;
  if (model.max_positions > 0 && tokens > model.max_positions) {
    std::cerr << "decodesim: warning: isl + osl = " << tokens << " tokens, but " << model.name
              << " was published for contexts of " << model.max_positions << "\n";
  }
}

/// Timelines as asked for: one file, or a folder with a file per layout and a folder per layout
/// with a file per rank.
class TimelineWriter {
public:
  explicit TimelineWriter(const SimulationFlags& flags) {
    if (flags.timeline) {
      file_ = *flags.timeline;
      check_writable(*file_);
    }
    if (flags.timeline_folder) {
      folder_.emplace(*flags.timeline_folder);
    }
  }

  [[nodiscard]] bool wanted() const { return file_ || folder_; }

  void write(const Plan& plan, const LayoutResult& result) const {
    if (result.status != Status::ok) {
      return;
    }
    if (file_) {
      (void)write_chrome_trace(*file_, plan, result.timeline);
    }
    if (folder_) {
      (void)write_chrome_trace(folder_->path() / (result.tag + ".json"), plan, result.timeline);
      (void)write_rank_traces(folder_->path() / result.tag, plan, result.timeline);
    }
  }

private:
  std::optional<std::filesystem::path> file_;
  std::optional<OutputFolder> folder_;
};

std::string rounded(double value, int digits) {
  std::ostringstream text;
  text << std::setprecision(digits) << value;
  return text.str();
}

void print_stats(const Report& report) {
  std::cerr << std::left << std::setw(24) << "layout" << std::right << std::setw(14)
            << "simulated s" << std::setw(10) << "wall s" << std::setw(20) << "wall ms per step"
            << std::setw(18) << "simulated ranks" << std::setw(18) << "simulated steps"
            << "\n";
  const int steps = report.scenario.workload.decode_steps();
  for (const auto& result : report.results) {
    if (result.status == Status::ok) {
      std::cerr << std::left << std::setw(24) << result.tag << std::right << std::setw(14)
                << rounded(result.end_to_end_s, 4) << std::setw(10) << rounded(result.wall_s, 3)
                << std::setw(20)
                << (steps > 0 ? rounded(1e3 * result.wall_s / (steps + 1), 3) : "-")
                << std::setw(18)
                << std::to_string(result.simulated_ranks) + " of " + std::to_string(result.gpus)
                << std::setw(18)
                << std::to_string(result.simulated_steps) + " of " + std::to_string(steps) << "\n";
    }
  }
}

/// Wall time is for stderr alone: results are the same on every machine.
void print_summary(const Report& report, double wall_s, bool stats) {
  double simulated_s = 0;
  int ok = 0;
  for (const auto& result : report.results) {
    simulated_s += result.end_to_end_s;
    ok += result.status == Status::ok ? 1 : 0;
  }
  if (ok == 0) {
    return;
  }
  if (stats) {
    print_stats(report);
  }
  std::cerr << "simulated " << rounded(simulated_s, 4) << " s (" << ok
            << (ok == 1 ? " layout" : " layouts") << ") in " << rounded(wall_s, 3)
            << " s wall time: " << rounded(simulated_s / wall_s, 3)
            << " simulated seconds per wall second\n";
}

} // namespace

void add_result_flags(CLI::App& app, SimulationFlags& flags, bool one_layout) {
  add_output_flags(app, flags.output, output_format_names(), true);
  const auto* output = "Output";
  if (one_layout) {
    app.add_option("--timeline", flags.timeline, "Chrome trace of the run, for ui.perfetto.dev")
        ->type_name("FILE")
        ->group(output);
  }
  app.add_option("--timeline-dir",
                 flags.timeline_folder,
                 "Folder for a Chrome trace of each layout (LAYOUT.json) and, for Holistic Trace "
                 "Analysis, one of each rank (LAYOUT/rank_N.json)")
      ->type_name("DIR")
      ->group(output);
  app.add_flag("--stats", flags.stats, "Wall time of each layout, on stderr")->group(output);
  app.add_flag("--dump-scenario",
               flags.dump_scenario,
               "Print the scenario file that means the same, and stop")
      ->group(output);
}

ExitCode simulate_and_report(const Scenario& scenario,
                             const SimulationFlags& flags,
                             int gpu_limit,
                             bool alone) {
  const Output output{flags.output, output_format_names()};
  if (flags.dump_scenario) {
    output.write(dumped(scenario));
    return ExitCode::success;
  }
  const TimelineWriter timelines{flags};
  if (flags.output.file && flags.timeline &&
      std::filesystem::weakly_canonical(*flags.output.file) ==
          std::filesystem::weakly_canonical(*flags.timeline)) {
    throw InputError::at("--output, --timeline", "name one file", "give two");
  }
  warn_of_long_contexts(scenario);

  Report report;
  const auto start = std::chrono::steady_clock::now();
  {
    ProgressLine progress{static_cast<int>(scenario.layouts.size())};
    RunOptions options{.record_timeline = timelines.wanted(), .gpu_limit = gpu_limit};
    options.on_progress = [&](const std::string& layout, int step, int steps) {
      progress.show(layout, step, steps);
    };
    options.on_result = [&](const Plan& plan, const Machine&, const LayoutResult& result) {
      timelines.write(plan, result);
    };
    if (scenario.layouts.size() == 1) {
      report = {scenario, {run_layout(scenario, scenario.layouts.front(), options)}};
    } else {
      report = run_scenario(scenario, options);
    }
  }
  report.compares = !alone;
  const double wall_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const auto& first = report.results.front();
  const bool for_people = output.format() == "text" || output.format() == "markdown";
  if (alone && for_people && first.status == Status::invalid) {
    throw LayoutError{first.tag + ": " + first.reason};
  }
  output.write(render(report, output_format_named(output.format(), "--format"), output.colour()));
  std::cout.flush();
  print_summary(report, wall_s, flags.stats);
  if (alone && first.status != Status::ok) {
    std::cerr << "decodesim: " << first.tag << ": " << first.reason << "\n";
    return ExitCode::bad_input;
  }
  return ExitCode::success;
}

} // namespace decodesim
