#include "sim/engine/simulate.hpp"

#include "sim/engine/player.hpp"
#include "sim/error.hpp"

#include <chrono>
#include <set>

namespace decodesim {

namespace {

/// Each stream is an actor with a stack of its own, two memory mappings; Linux allows a process
/// 65,530 of these (vm.max_map_count), and SimGrid aborts when they run out.
constexpr int most_actors = 30000;

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
  int actors = 0;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    actors += static_cast<int>(plan.program(rank).streams.size());
  }
  if (actors > most_actors) {
    throw LayoutError{"the layout has " + std::to_string(actors) +
                      " streams over all ranks; at most " + std::to_string(most_actors) +
                      " are simulated"};
  }
  check(plan);
  const auto started = std::chrono::steady_clock::now();
  auto result = Player{plan, machine, gpu_of_rank, options}.play();
  result.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return result;
}

} // namespace decodesim
