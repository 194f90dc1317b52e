#include "sim/engine/simulate.hpp"

#include "sim/engine/player.hpp"
#include "sim/error.hpp"
#include "sim/host/host_costs.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <utility>

namespace decodesim {

namespace {

constexpr int most_steps_all_played = 64;
/// Relative error of a step's time at which the windows lie close enough.
constexpr double prediction_tolerance = 1e-4;
/// Steps of a window where ranks are delayed by chance, at first.
constexpr int jitter_steps = 16;
/// Standard error of the mean step at which these are enough.
constexpr double jitter_tolerance = 1e-3;

/// Operations that are the same on all ranks of a role and, but for the context of decode
/// attention, in all steps. New kinds are not until they are listed here.
bool is_regular(const Operation& op) {
  if (const auto* kernel = as_kernel(op)) {
    return std::holds_alternative<Gemm>(*kernel) || std::holds_alternative<Attention>(*kernel) ||
           std::holds_alternative<RowKernel>(*kernel);
  }
  return as_collective(op) != nullptr || as_point_to_point(op) != nullptr;
}

bool is_regular(const Plan& plan) {
  return std::all_of(plan.programs.begin(), plan.programs.end(), [](const Program& program) {
    const auto regular = [&](Part part) {
      const auto& operations = program.part(part);
      return std::all_of(
          operations.begin(), operations.end(), [](const Operation& op) { return is_regular(op); });
    };
    return regular(Part::prologue) && regular(Part::body) && regular(Part::epilogue);
  });
}

bool is_pipeline(const Plan& plan) {
  return std::any_of(plan.programs.begin(), plan.programs.end(), [](const Program& program) {
    return std::any_of(program.body.begin(), program.body.end(), [](const Operation& op) {
      return as_point_to_point(op) != nullptr;
    });
  });
}

/// Without the delays of ranks at collectives, which no window predicts of another.
SimulationOptions without_jitter(SimulationOptions options) {
  options.framework.jitter_eager.reset();
  options.framework.jitter_graph.reset();
  return options;
}

/// Plays all steps, or windows of them: twice as many until each predicts its neighbours. Where
/// ranks are delayed by chance, the windows that suffice without are played with it, so long that
/// the mean step is near that of all steps.
SimulationResult play(const Plan& plan,
                      const Machine& machine,
                      const std::vector<int>& gpu_of_rank,
                      SimulationOptions options) {
  const int steps = plan.decode_steps;
  const bool regular = is_regular(plan);
  const bool samples =
      steps > most_steps_all_played && !options.every_token && !options.record_timeline && regular;
  if (!regular || machine.shared_gpu) { // ranks on one GPU are not apart
    options.fold = Folding::none;
  }
  const int settling = is_pipeline(plan) ? 4 : 2;
  const bool jitters = host_costs(options.framework, machine.gpu, options.launch).jitters();
  if (!samples) {
    return Player{plan, machine, gpu_of_rank, options, SampledSteps{steps}}.play();
  }
  int windows = 5;
  const auto steady = without_jitter(options);
  for (bool close = false; !close;) {
    SampledSteps sampled{steps, windows, settling, settling};
    const bool all = sampled.all();
    Player player{plan, machine, gpu_of_rank, steady, std::move(sampled)};
    auto result = player.play();
    close = all || player.worst_prediction() <= prediction_tolerance;
    if (close && !jitters) {
      return result;
    }
    windows = close ? windows : 2 * windows - 1;
  }
  for (int measured = jitter_steps;;) {
    SampledSteps sampled{steps, windows, settling, measured};
    const bool all = sampled.all();
    Player player{plan, machine, gpu_of_rank, options, std::move(sampled)};
    auto result = player.play();
    const double needed = std::pow(player.spread() / jitter_tolerance, 2) / windows;
    if (all || needed <= 1.5 * measured) {
      return result;
    }
    measured = static_cast<int>(std::min(std::ceil(needed), static_cast<double>(steps)));
  }
}

} // namespace

SimulationResult simulate(const Plan& plan,
                          const Machine& machine,
                          const std::vector<int>& gpu_of_rank,
                          const SimulationOptions& options) {
  if (static_cast<int>(gpu_of_rank.size()) != plan.ranks()) {
    throw InputError::at("mapping",
                         "places " + std::to_string(gpu_of_rank.size()) + " ranks",
                         "the plan has " + std::to_string(plan.ranks()));
  }
  std::set<int> taken;
  for (const int gpu : gpu_of_rank) {
    if (gpu < 0 || gpu >= machine.gpu_count()) {
      throw InputError::at("mapping",
                           "names GPU " + std::to_string(gpu),
                           machine.name + " has GPUs 0 to " +
                               std::to_string(machine.gpu_count() - 1));
    }
    if (!taken.insert(gpu).second) {
      throw InputError::at(
          "mapping", "places two ranks on GPU " + std::to_string(gpu), "one rank per GPU");
    }
  }
  check(plan);
  const auto started = std::chrono::steady_clock::now();
  auto result = play(plan, machine, gpu_of_rank, options);
  result.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return result;
}

} // namespace decodesim
