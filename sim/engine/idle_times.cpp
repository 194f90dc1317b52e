#include "sim/engine/idle_times.hpp"

#include "sim/device/kernel_cost.hpp"
#include "topologies/ring.hpp"
#include "topologies/routes.hpp"

#include <map>
#include <memory>
#include <utility>

namespace decodesim {

namespace {

class IdleTransfers {
public:
  IdleTransfers(const Machine& machine,
                std::vector<int> gpu_of_rank,
                const SimulationOptions& options)
      : machine_{machine}, gpu_of_rank_{std::move(gpu_of_rank)}, options_{options}, routes_{
                                                                                        machine} {
    for (const auto& [transport, cost] : machine.transports) {
      costs_[transport] = cost.cost();
    }
  }

  Seconds collective(const Collective& collective, const std::vector<int>& ranks) {
    const auto& gpus = ring(ranks);
    const auto gpu = [&](int member) { return gpus[static_cast<std::size_t>(member)]; };
    return idle_time(collective_flow(
        options_.collectives,
        collective.kind,
        collective.total_bytes,
        static_cast<int>(gpus.size()),
        [&](int from, int to) -> const Path& { return routes_.between(gpu(from), gpu(to)); },
        [&](Transport transport) -> const TransportCost& { return costs_.at(transport); }));
  }

  Seconds message(int from_rank, int to_rank, Bytes bytes) {
    const auto& path = routes_.between(gpu_of(from_rank), gpu_of(to_rank));
    const bool ideal = options_.collectives == CollectiveAlgorithm::ideal;
    return idle_time(message_flow(bytes, path, costs_.at(path.transport), ideal));
  }

private:
  [[nodiscard]] int gpu_of(int rank) const { return gpu_of_rank_[static_cast<std::size_t>(rank)]; }

  [[nodiscard]] Seconds idle_time(const Flow& flow) const {
    return flow.idle_time([&](LinkDirection link) { return machine_.link(link).bandwidth.value; });
  }

  /// GPUs of a group in ring order.
  const std::vector<int>& ring(const std::vector<int>& ranks) {
    auto& gpus = rings_[ranks];
    if (gpus.empty()) {
      for (const int rank : ranks) {
        gpus.push_back(gpu_of(rank));
      }
      if (options_.ring_order == RingOrder::searched) {
        gpus = find_ring(machine_, routes_, gpus);
      }
    }
    return gpus;
  }

  const Machine& machine_;
  std::vector<int> gpu_of_rank_;
  SimulationOptions options_;
  Routes routes_;
  std::map<Transport, TransportCost> costs_;
  std::map<std::vector<int>, std::vector<int>> rings_;
};

} // namespace

OperationTimes
idle_times(const Machine& machine, std::vector<int> gpu_of_rank, const SimulationOptions& options) {
  const auto transfers = std::make_shared<IdleTransfers>(machine, std::move(gpu_of_rank), options);
  return {.kernel =
              [&machine](int, const Kernel& kernel, StepContext at) {
                return kernel_time(kernel_work(kernel, at), machine.gpu);
              },
          .collective =
              [transfers](const Collective& collective, const std::vector<int>& ranks) {
                return transfers->collective(collective, ranks);
              },
          .message = [transfers](int from,
                                 int to,
                                 Bytes bytes) { return transfers->message(from, to, bytes); }};
}

} // namespace decodesim
