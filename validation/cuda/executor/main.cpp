#include "sim/atomic_file.hpp"
#include "sim/cli/commands.hpp"
#include "sim/cli/flags.hpp"
#include "sim/error.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/result/child_process.hpp"
#include "sim/scenario/scenario_json.hpp"
#include "sim/temporary_folder.hpp"
#include "sim/version.hpp"
#include "strategies/build_plan.hpp"
#include "validation/cuda/device_description.hpp"
#include "validation/cuda/device_error.hpp"
#include "validation/cuda/executor/measured_run.hpp"
#include "validation/executor/executable.hpp"
#include "validation/executor/mps_daemon.hpp"
#include "validation/executor/rank_process.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <unistd.h>

namespace {

using namespace decodesim;

constexpr int most_patience_s = 3600;
constexpr unsigned mps_patience_s = 15;
/// For a rank to come to where the others are: loading the weights of a GPU takes seconds. Assumed.
constexpr std::chrono::seconds rendezvous_patience{120};

struct MeasureFlags {
  ScenarioFlags scenario;
  LayoutFlags layout;
  Flag gpus;
  std::string mode = "plain";
  Flag shard_rank;
  std::string spans = "on";
  Flag output;
  Flag rendezvous;
  Flag patience;
  bool check_logits = false;
};

/// A new folder in another, for messages between ranks or for pipes.
std::filesystem::path new_folder(const TemporaryFolder& in, const std::string& name) {
  std::filesystem::create_directory(in / name);
  return in / name;
}

/// What is to be done: one plan, how, and with which ranks.
struct Task {
  Scenario scenario;
  Model model;
  Plan plan;
  std::string mode;
  RankSettings settings;
  std::vector<int> ranks; ///< of the plan, that run here
  std::string command;
};

int choice(const std::string& flag, const std::string& value, std::vector<std::string> allowed) {
  const auto found = std::find(allowed.begin(), allowed.end(), value);
  if (found == allowed.end()) {
    throw InputError::unknown_name(flag, "value", value, allowed);
  }
  return static_cast<int>(found - allowed.begin());
}

Scenario scenario_of(const MeasureFlags& flags) {
  auto scenario = scenario_without_machine(flags.scenario);
  if (flags.layout.any_given() || scenario.layouts.empty()) {
    const bool open = (flags.layout.zero3 && !flags.layout.dp) ||
                      (flags.layout.strategy && !flags.layout.dp && !flags.layout.tp);
    if (open && !flags.gpus) {
      throw UsageError{"--gpus is required for a strategy without its degree"};
    }
    const auto gpus =
        flags.gpus ? static_cast<int>(parse_count(*flags.gpus, "--gpus", 1'000'000)) : 1;
    scenario.layouts = {layout_from(flags.layout, gpus)};
  }
  if (scenario.layouts.size() != 1) {
    throw UsageError{"one layout is executed at a time, the scenario file has " +
                     std::to_string(scenario.layouts.size())};
  }
  return scenario;
}

int shard_rank_of(const std::string& text, int ranks) {
  int rank = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rank);
  if (error != std::errc{} || end != text.data() + text.size() || rank < 0 || rank >= ranks) {
    throw InputError::at("--shard-rank",
                         "is \"" + text + "\"",
                         "the layout has ranks 0 to " + std::to_string(ranks - 1));
  }
  return rank;
}

Task task_of(const MeasureFlags& flags, const std::string& command) {
  choice("--mode", flags.mode, {"plain", "shard", "shared"});
  Task task{.scenario = scenario_of(flags), .mode = flags.mode, .command = command};
  const auto& layout = task.scenario.layouts.front();
  task.model = find_model(task.scenario.model, "--model");
  task.plan = build_plan(task.model, layout, task.scenario.workload);
  check(task.plan);
  check_executable(task.plan, task.model);
  const bool is_shard = flags.mode == "shard";
  task.settings = {.communicates = !is_shard,
                   .graph = task.scenario.launch == LaunchMode::graph,
                   .spans = choice("--spans", flags.spans, {"on", "off"}) == 0,
                   .shares_gpu = flags.mode == "shared"};
  if (flags.patience) {
    task.settings.patience =
        std::chrono::seconds{parse_count(*flags.patience, "--patience", most_patience_s)};
  }
  if (flags.shard_rank && !is_shard) {
    throw UsageError{"--shard-rank goes with --mode shard"};
  }
  if (is_shard) {
    const int rank = shard_rank_of(flags.shard_rank.value_or("0"), task.plan.ranks());
    task.ranks = {rank};
  } else {
    for (int rank = 0; rank < task.plan.ranks(); ++rank) {
      task.ranks.push_back(rank);
    }
  }
  return task;
}

/// The GPU of a rank. Called in the rank's own process: a process that has used CUDA cannot fork.
int gpu_of(const Task& task, int local_rank) {
  if (task.mode != "plain") {
    return 0;
  }
  int count = 0;
  check(cudaGetDeviceCount(&count), "count GPUs");
  if (local_rank >= count) {
    throw InputError::at("--mode",
                         "plain needs a GPU for each of the " + std::to_string(task.ranks.size()) +
                             " ranks, there are " + std::to_string(count),
                         "use --mode shard (one rank's kernels alone) or --mode shared");
  }
  return local_rank;
}

/// One rank's JSON, with what the GPU is.
std::string measured(const Task& task, int rank, int local_rank, const Rendezvous& rendezvous) {
  auto settings = task.settings;
  settings.gpu = gpu_of(task, local_rank);
  const auto start = utc_now();
  auto json =
      rank_run_json(task.plan, measure_rank(task.plan, task.model, rank, settings, rendezvous));
  json["provenance"] = nlohmann::ordered_json::parse(provenance_json(start, task.command));
  return json.dump();
}

/// Results of `work` from a process for each rank.
template <class Work>
std::vector<std::string> in_processes(const std::vector<int>& ranks, Work work) {
  std::vector<ChildTask> children;
  int local_rank = 0;
  for (const int rank : ranks) {
    children.push_back(
        {.name = "rank " + std::to_string(rank),
         .work = [rank, local_rank, work](const auto&) { return work(rank, local_rank); }});
    ++local_rank;
  }
  return run_in_children(children, static_cast<int>(children.size()));
}

/// Whether a process can use the GPU beside others; what is said when MPS is not of use.
std::string mps_problem(MpsDaemon& mps) {
  if (mps.problem().empty()) {
    try {
      (void)in_processes({0}, [](int, int) {
        ::alarm(mps_patience_s); // a server that cannot start may leave its client waiting
        check(cudaFree(nullptr), "use the GPU under MPS");
        return std::string{};
      });
    } catch (const std::exception& error) {
      mps.stop(error.what());
    }
  }
  return mps.problem();
}

void write_run(const Task& task,
               const std::string& not_comparable,
               const std::vector<std::string>& results,
               const Flag& output) {
  std::vector<nlohmann::ordered_json> ranks;
  for (const auto& one : results) {
    ranks.push_back(nlohmann::ordered_json::parse(one));
  }
  const auto layout = task.scenario.layouts.front().tag();
  const auto text =
      plan_run_text({.name = task.model.name + " " + layout + " " + task.mode +
                             (task.mode == "shard" ? " " + std::to_string(task.ranks.front()) : ""),
                     .scenario = scenario_to_json(task.scenario).dump(),
                     .mode = task.mode,
                     .graph = task.settings.graph,
                     .not_comparable = not_comparable,
                     .provenance = ranks.front().at("provenance").dump()},
                    ranks);
  const auto run = nlohmann::json::parse(text).at("plans").at(0);
  const auto sum = [](const nlohmann::json& times) {
    double all = 0;
    for (const double one : times) {
      all += one;
    }
    return times.empty() ? 0.0 : all / static_cast<double>(times.size());
  };
  if (output) {
    write_file(*output, text);
  } else {
    std::cout << text;
  }
  std::cerr << run.at("name").get<std::string>() << ": " << sum(run.at("steps"))
            << " us a decode step";
  if (task.settings.spans) {
    std::cerr << ", " << sum(run.at("recorded_steps")) << " us with events around operations";
  }
  std::cerr << (not_comparable.empty() ? "" : " (not comparable: " + not_comparable + ")") << "\n";
}

/// Compares the layout's logits with those of one rank on the same GPU.
ExitCode check_logits(Task task, const TemporaryFolder& folder) {
  if (task.mode == "shard") {
    throw UsageError{"--check-logits needs all ranks: use --mode plain or shared"};
  }
  const auto run = [&folder](const Task& of, const std::string& name) {
    const Rendezvous rendezvous{new_folder(folder, name), rendezvous_patience};
    Logits all;
    for (const auto& part : in_processes(of.ranks, [&](int rank, int local_rank) {
           auto settings = of.settings;
           settings.gpu = gpu_of(of, local_rank);
           return packed(measure_logits(of.plan, of.model, rank, settings, rendezvous));
         })) {
      all.merge(unpacked(part));
    }
    return all;
  };
  auto alone = task;
  alone.scenario.layouts = {Layout{}};
  alone.plan = build_plan(alone.model, Layout{}, alone.scenario.workload);
  alone.ranks = {0};
  alone.settings.shares_gpu = false;
  const double difference = largest_difference(run(alone, "alone"), run(task, "layout"));
  const double allowed = logits_tolerance(task.scenario.workload.precision);
  std::cout << task.plan.layout << ": logits differ from one rank's by " << difference
            << " of the largest, " << allowed << " are allowed\n";
  return difference <= allowed ? ExitCode::success : ExitCode::unfinished;
}

/// A rank that a launcher started: its result goes to rank 0 through the rendezvous.
ExitCode measure_launched(const Task& task, const LaunchedRank& place, const MeasureFlags& flags) {
  if (place.ranks != task.plan.ranks() || task.mode == "shard") {
    throw InputError::at(place.launcher,
                         "starts " + std::to_string(place.ranks) + " processes",
                         "the layout has " + std::to_string(task.plan.ranks()) +
                             " ranks; shard mode takes one process");
  }
  if (!flags.rendezvous) {
    throw UsageError{"--rendezvous is required under " + place.launcher +
                     ": an empty folder that all ranks see"};
  }
  const Rendezvous rendezvous{*flags.rendezvous, rendezvous_patience};
  const auto name = [](int rank) { return "result." + std::to_string(rank); };
  rendezvous.put(name(place.rank), measured(task, place.rank, place.local_rank, rendezvous));
  if (place.rank == 0) {
    std::vector<std::string> results;
    for (int rank = 0; rank < place.ranks; ++rank) {
      results.push_back(rendezvous.get(name(rank)));
    }
    write_run(task,
              task.mode == "shared" ? "whether ranks took turns on the GPU is not known" : "",
              results,
              flags.output);
  }
  return ExitCode::success;
}

ExitCode measure(const MeasureFlags& flags, const std::string& command) {
  const auto task = task_of(flags, command);
  // A stream that waits holds up those that share its queue to the GPU. The default is 8 queues,
  // and each communicator has streams, too.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", task.mode == "shared" ? "16" : "32", 0);
  if (const auto place = launched_rank()) {
    if (flags.check_logits) {
      throw UsageError{"--check-logits starts its processes itself, not under " + place->launcher};
    }
    return measure_launched(task, *place, flags);
  }
  const TemporaryFolder folder;
  std::optional<MpsDaemon> mps;
  std::string not_comparable;
  if (task.mode == "shared" && task.ranks.size() > 1) {
    mps.emplace(new_folder(folder, "mps"));
    const auto problem = mps_problem(*mps);
    not_comparable = problem.empty() ? "" : "ranks took turns on the GPU, without MPS: " + problem;
  }
  if (flags.check_logits) {
    return check_logits(task, folder);
  }
  const Rendezvous rendezvous{new_folder(folder, "ranks"), rendezvous_patience};
  const auto results = in_processes(task.ranks, [&](int rank, int local_rank) {
    return measured(task, rank, local_rank, rendezvous);
  });
  write_run(task, not_comparable, results, flags.output);
  return ExitCode::success;
}

int fail(ExitCode code, const std::string& message) {
  std::cerr << "decodesim-measure: " << message << "\n";
  return static_cast<int>(code);
}

} // namespace

int main(int argc, char** argv) {
  CLI::App program{
      "Executes the plan of a scenario on GPUs, and writes what it took: one run file\n"
      "(docs/models/device-executor.md).",
      "decodesim-measure"};
  program.set_version_flag("--version", "decodesim-measure " + version() + " (" + revision() + ")");
  program.footer(
      "Examples:\n"
      "  decodesim-measure --model llama-3-8b --tp 2 --batch-size 8 --output tp2.json\n"
      "  decodesim-measure --model llama-3-70b --tp 8 --mode shard --shard-rank 0\n"
      "  decodesim-measure --model llama-3.2-1b --pp 2 --mode shared --check-logits\n\n"
      "Exit codes: 0 success, 1 internal error, 2 usage, 3 bad input or a plan that cannot be\n"
      "executed, 4 a run that hangs, or logits that differ.");
  MeasureFlags flags;
  program.add_option("SCENARIO", flags.scenario.file, "Scenario file; flags override what it says")
      ->type_name("");
  add_model_and_workload_flags(program, flags.scenario);
  add_expert_flags(program, flags.scenario);
  add_machine_flags(program, flags.scenario);
  add_layout_flags(program, flags.layout);
  add_simulation_flags(program, flags.scenario);
  program.add_option("--gpus", flags.gpus, "GPUs that a strategy without its degree takes")
      ->type_name("N")
      ->group("Execution");
  program
      .add_option("--mode",
                  flags.mode,
                  "plain: a GPU for each rank; shard: the kernels of one rank alone; shared: all "
                  "ranks on one GPU [plain]")
      ->type_name("MODE")
      ->group("Execution");
  program.add_option("--shard-rank", flags.shard_rank, "Rank that shard mode executes [0]")
      ->type_name("N")
      ->group("Execution");
  program
      .add_option("--spans", flags.spans, "on: events around each operation, in a run more [on]")
      ->type_name("on|off")
      ->group("Execution");
  program
      .add_flag("--check-logits",
                flags.check_logits,
                "Compare the layout's logits with one rank's, and measure nothing")
      ->group("Execution");
  program
      .add_option("--rendezvous",
                  flags.rendezvous,
                  "Empty folder that all ranks see, under a launcher (Open MPI, Slurm, torchrun)")
      ->type_name("FOLDER")
      ->group("Execution");
  program.add_option("--patience", flags.patience, "Seconds after which a run hangs [60]")
      ->type_name("S")
      ->group("Execution");
  program.add_option("--output", flags.output, "Run file [stdout]")
      ->type_name("FILE")
      ->group("Execution");
  std::string command;
  for (int i = 0; i < argc; ++i) {
    command += (i == 0 ? "" : " ") + std::string{argv[i]};
  }
  try {
    program.parse(argc, argv);
    return static_cast<int>(measure(flags, command));
  } catch (const CLI::ParseError& error) {
    const bool is_help = error.get_exit_code() == 0;
    return is_help ? program.exit(error) : fail(ExitCode::usage, error.what());
  } catch (const UsageError& error) {
    return fail(ExitCode::usage, error.what());
  } catch (const InputError& error) {
    return fail(ExitCode::bad_input, error.what());
  } catch (const SimulationError& error) {
    return fail(ExitCode::unfinished, error.what());
  } catch (const std::exception& error) {
    return fail(ExitCode::internal, error.what());
  }
}
