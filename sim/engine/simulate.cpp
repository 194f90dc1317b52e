#include "sim/engine/simulate.hpp"

#include "sim/engine/player.hpp"
#include "sim/error.hpp"

#include <algorithm>
#include <chrono>
#include <set>

namespace decodesim {

namespace {

constexpr int most_steps_all_played = 64;
/// Relative error of a step's time at which the windows lie close enough.
constexpr double prediction_tolerance = 1e-4;

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

/// Plays all steps, or windows of them: twice as many until each predicts its neighbours.
SimulationResult play(const Plan& plan,
                      const Machine& machine,
                      const std::vector<int>& gpu_of_rank,
                      SimulationOptions options) {
  const int steps = plan.decode_steps;
  const bool regular = is_regular(plan);
  const bool samples =
      steps > most_steps_all_played && !options.every_token && !options.record_timeline && regular;
  if (!regular) {
    options.fold = Folding::none;
  }
  const int settling = is_pipeline(plan) ? 4 : 2;
  for (int windows = 5;; windows = 2 * windows - 1) {
    auto sampled = samples ? SampledSteps{steps, windows, settling, settling} : SampledSteps{steps};
    const bool all = sampled.all();
    Player player{plan, machine, gpu_of_rank, options, std::move(sampled)};
    auto result = player.play();
    if (all || player.worst_prediction() <= prediction_tolerance) {
      return result;
    }
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
