#include "sim/result/run.hpp"

#include "sim/error.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/plan/expert_loads.hpp"
#include "sim/result/child_process.hpp"
#include "sim/result/memory.hpp"
#include "sim/result/result_transfer.hpp"
#include "sim/scenario/mapping.hpp"
#include "strategies/build_plan.hpp"
#include "topologies/describe_machine.hpp"
#include "topologies/machine.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace decodesim {

namespace {

/// A span takes 56 bytes in memory and about 300 in a file.
constexpr double most_timeline_operations = 1e7;

void refuse_endless_timeline(const Plan& plan) {
  double operations = 0;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    const auto& program = plan.program(rank);
    operations += static_cast<double>(program.prologue.size()) +
                  static_cast<double>(program.body.size()) * plan.decode_steps;
  }
  if (operations > most_timeline_operations) {
    throw InputError::at("timeline",
                         "of " + plan.layout + " would show " +
                             std::to_string(static_cast<long long>(operations)) + " operations",
                         "at most " +
                             std::to_string(static_cast<long long>(most_timeline_operations)) +
                             "; lower osl, or record none");
  }
}

/// Shares of the ranks' time in decode, all ranks together.
void add_shares(LayoutResult& result, const std::vector<GpuTime>& time_of_rank) {
  GpuTime sum;
  for (const auto& time : time_of_rank) {
    sum.compute_s += time.compute_s;
    sum.communication_s += time.communication_s;
    sum.waiting_s += time.waiting_s;
    sum.bubble_s += time.bubble_s;
    sum.other_s += time.other_s;
  }
  const double total = sum.total_s();
  if (total <= 0) {
    return; // one output token: nothing is decoded
  }
  result.breakdown = {.compute_ratio = sum.compute_s / total,
                      .communication_ratio = sum.communication_s / total,
                      .waiting_ratio = (sum.waiting_s + sum.bubble_s) / total,
                      .other_ratio = sum.other_s / total};
  result.bubble_ratio = sum.bubble_s / total;
}

void add_measures(LayoutResult& result, const Workload& workload, SimulationResult found) {
  result.ttft_s = found.first_token_s;
  result.end_to_end_s = found.end_s;
  if (workload.decode_steps() > 0) {
    result.tpot_s = (found.end_s - found.first_token_s) / workload.decode_steps();
  }
  const auto tokens = static_cast<double>(workload.output_tokens) * workload.batch_size;
  result.tokens_per_s = tokens / found.end_s;
  add_shares(result, found.decode_time_of_rank);
  result.links = std::move(found.links);
  result.timeline = std::move(found.timeline);
  result.simulated_ranks = found.simulated_ranks;
  result.simulated_steps = found.simulated_steps;
  result.wall_s = found.wall_s;
}

std::optional<ExpertUse> experts_of(const Plan& plan) {
  if (plan.expert_loads == nullptr) {
    return std::nullopt;
  }
  ExpertUse use{.hit = plan.expert_loads->mean_experts_hit(),
                .busiest_ratio = plan.expert_loads->mean_imbalance(),
                .exchanged = exchanged_per_step(plan)};
  for (const auto& program : plan.programs) {
    use.weights = std::max(use.weights, program.expert_weights);
  }
  return use;
}

LayoutResult run_on(const Model& model,
                    const Machine& machine,
                    const Scenario& scenario,
                    const Layout& layout,
                    const RunOptions& options) {
  LayoutResult result{.layout = layout, .tag = layout.tag(), .gpus = layout.ranks()};
  const auto gpus = options.gpu_limit > 0 ? std::min(options.gpu_limit, machine.gpu_count())
                                          : machine.gpu_count();
  Plan plan;
  std::vector<int> mapped;
  try {
    if (layout.ranks() > gpus) {
      throw LayoutError{"needs " + std::to_string(layout.ranks()) + " GPUs; there are " +
                        std::to_string(gpus)};
    }
    mapped = gpu_of_rank(scenario.mapping, layout, machine.gpu_count(), "mapping");
    plan = build_plan(model, layout, scenario.workload);
  } catch (const LayoutError& problem) {
    result.status = Status::invalid;
    result.reason = problem.what();
    return result;
  }
  result.memory = memory_of_fullest_gpu(plan, machine.gpu);
  result.traffic = traffic_per_step(plan, scenario.collectives);
  result.experts = experts_of(plan);
  result.assumed = assumed_numbers(machine);
  for (auto& number : assumed_numbers(scenario.framework)) {
    result.assumed.push_back(std::move(number));
  }
  if (fits(*result.memory)) {
    if (options.record_timeline) {
      refuse_endless_timeline(plan);
    }
    SimulationOptions simulation{.collectives = scenario.collectives,
                                 .fidelity = scenario.fidelity,
                                 .framework = scenario.framework,
                                 .launch = scenario.launch,
                                 .seed = scenario.workload.experts.seed,
                                 .kernels = scenario.framework.library(),
                                 .ring_order = scenario.ring_order,
                                 .fold = scenario.fold,
                                 .every_token = scenario.every_token,
                                 .record_timeline = options.record_timeline};
    if (options.on_progress) {
      simulation.on_progress = [&](int step, int steps) {
        options.on_progress(result.tag, step, steps);
      };
    }
    try {
      add_measures(result, scenario.workload, simulate(plan, machine, mapped, simulation));
    } catch (const LayoutError& problem) { // more streams than can be simulated
      result.status = Status::invalid;
      result.reason = problem.what();
      return result;
    }
  } else {
    result.status = Status::does_not_fit;
    result.reason = does_not_fit_reason(*result.memory);
  }
  if (options.on_result) {
    options.on_result(plan, machine, result);
  }
  return result;
}

/// Model and machine of a scenario, checked with its mapping.
struct Loaded {
  Model model;
  Machine machine;
};

Loaded load(const Scenario& scenario) {
  Loaded loaded{.model = find_model(scenario.model, "model"),
                .machine = machine_of(scenario, "machine")};
  check_mapping(scenario.mapping, loaded.machine.gpu_count(), "mapping");
  return loaded;
}

int processors() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

} // namespace

LayoutResult run_layout(const Scenario& scenario, const Layout& layout, const RunOptions& options) {
  const auto loaded = load(scenario);
  return run_on(loaded.model, loaded.machine, scenario, layout, options);
}

LayoutResult run_layout(const Model& model,
                        const Machine& machine,
                        const Scenario& scenario,
                        const Layout& layout,
                        const RunOptions& options) {
  check_mapping(scenario.mapping, machine.gpu_count(), "mapping");
  return run_on(model, machine, scenario, layout, options);
}

Report run_scenario(const Scenario& scenario, const RunOptions& options) {
  const auto loaded = load(scenario);
  std::vector<ChildTask> tasks;
  for (const auto& layout : scenario.layouts) {
    ChildTask task{.name = layout.tag()};
    task.work = [&, layout](const std::function<void(int, int)>& report) {
      auto in_child = options;
      in_child.on_progress = [&](const std::string&, int step, int steps) { report(step, steps); };
      return pack(run_on(loaded.model, loaded.machine, scenario, layout, in_child));
    };
    if (options.on_progress) {
      task.on_report = [&, tag = task.name](int step, int steps) {
        options.on_progress(tag, step, steps);
      };
    }
    tasks.push_back(std::move(task));
  }
  const auto packed =
      run_in_children(tasks, options.processes > 0 ? options.processes : processors());
  Report report{.scenario = scenario};
  for (std::size_t i = 0; i < packed.size(); ++i) {
    report.results.push_back(unpack(packed[i], scenario.layouts[i]));
  }
  return report;
}

} // namespace decodesim
