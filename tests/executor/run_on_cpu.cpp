#include "tests/executor/run_on_cpu.hpp"

#include "validation/executor/cpu_device.hpp"

#include <exception>
#include <mutex>
#include <thread>

namespace decodesim::testing {

Logits run_on_cpu(const Plan& plan, const Model& model) {
  CpuFabric fabric;
  LogitsCollector collector;
  std::mutex mutex;
  std::exception_ptr first_error;
  const auto play = [&](int rank) {
    try {
      CpuDevice device{fabric};
      const RankPlace place{plan, rank};
      ExecutorOptions options;
      options.on_logits = [&](Part, int step, int micro_batch, const SamplingCall& call) {
        collector.add(place, step, micro_batch, call);
      };
      PlanExecutor executor{plan, model, rank, device, options};
      executor.prepare();
      (void)executor.run();
    } catch (...) {
      const std::lock_guard lock{mutex};
      if (!first_error) {
        first_error = std::current_exception();
      }
      fabric.fail();
    }
  };
  std::vector<std::thread> threads;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    threads.emplace_back(play, rank);
  }
  for (auto& thread : threads) {
    thread.join();
  }
  if (first_error) {
    std::rethrow_exception(first_error);
  }
  return collector.logits();
}

} // namespace decodesim::testing
