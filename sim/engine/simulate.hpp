#pragma once

#include "sim/device/kernel_cost.hpp"
#include "sim/engine/timeline.hpp"
#include "sim/host/framework.hpp"
#include "sim/network/collective_algorithm.hpp"
#include "sim/plan/plan.hpp"
#include "topologies/machine.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace decodesim {

enum class RingOrder {
  searched, ///< the best order found on the machine's graph
  ranks     ///< the order of the ranks
};

enum class Folding {
  automatic, ///< ranks that do the same at the same times are played once
  none       ///< every rank is played
};

struct SimulationOptions {
  std::string collectives = "ring"; ///< a registered collective algorithm
  Fidelity fidelity = Fidelity::flow;
  /// Host costs beside the GPU's own launches, and delays of ranks at collectives.
  Framework framework = {};
  LaunchMode launch = LaunchMode::graph; ///< the framework's own is only its default
  std::uint64_t seed = 0;                ///< of the delays
  KernelLibrary kernels; ///< how the engine's kernels differ from those of the GPU file
  RingOrder ring_order = RingOrder::searched;
  Folding fold = Folding::automatic;
  /// Every decode step is played, not only some of those that differ in nothing but their context.
  bool every_token = false;
  bool record_timeline = false; ///< then every decode step is played
  /// Called now and then with the decode step reached, for progress display; may be empty.
  std::function<void(int step, int steps)> on_progress;
};

/// How one GPU spent a stretch of time. At each instant the first that holds: a kernel runs; a
/// kernel whose data is there waits for its launch (other); data moves (exposed communication); a
/// collective waits for a late member; a receive has no sender yet (bubble); nothing of these
/// (other).
struct GpuTime {
  double compute_s = 0;
  double communication_s = 0;
  double waiting_s = 0;
  double bubble_s = 0;
  double other_s = 0;

  [[nodiscard]] double total_s() const {
    return compute_s + communication_s + waiting_s + bubble_s + other_s;
  }
};

struct LinkUse {
  std::string name; ///< "gpu0->nvswitch"
  double bytes = 0;
  double utilisation_ratio = 0; ///< bytes over what the link could carry from first token to end
};

/// What a simulation found. Instants are simulated seconds since the batch arrived.
struct SimulationResult {
  double first_token_s = 0;       ///< when every sequence has its first token
  double end_s = 0;               ///< when every sequence has its last token
  std::vector<double> step_end_s; ///< when every sequence has the token of that decode step
  int simulated_ranks = 0;        ///< ranks that were played; the others do the same as one of them
  int simulated_steps = 0;        ///< decode steps that were played; the others are interpolated
  std::vector<GpuTime> decode_time_of_rank; ///< see docs/models/time.md for the window
  std::vector<LinkUse> links;               ///< links used in decode, busiest first
  Timeline timeline;                        ///< empty unless recorded
  double wall_s = 0;
};

/// Plays a plan on a machine with SimGrid.
///
/// @param gpu_of_rank  machine GPU index of each rank, distinct
/// @throws LayoutError when more streams differ than can be simulated
/// @throws SimulationError when the plan cannot finish, naming the operations that hang
/// @throws InputError when ranks and GPUs do not fit or two members cannot reach each other
[[nodiscard]] SimulationResult simulate(const Plan& plan,
                                        const Machine& machine,
                                        const std::vector<int>& gpu_of_rank,
                                        const SimulationOptions& options = {});

} // namespace decodesim
