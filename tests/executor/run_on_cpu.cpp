#include "tests/executor/run_on_cpu.hpp"

#include "validation/executor/cpu_device.hpp"
#include "validation/executor/plan_executor.hpp"
#include "validation/executor/stored_elements.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <thread>

namespace decodesim::testing {

Logits run_on_cpu(const Plan& plan, const Model& model) {
  CpuFabric fabric;
  std::mutex mutex;
  std::exception_ptr first_error;
  Logits all;
  const auto play = [&](int rank) {
    try {
      CpuDevice device{fabric};
      const RankPlace place{plan, rank};
      ExecutorOptions options;
      options.on_logits = [&](Part, int step, int micro_batch, const SamplingCall& call) {
        const StoredElements logits{call.logits};
        const auto first =
            static_cast<std::size_t>(place.first_sequence() + place.first_of(micro_batch));
        const auto pass = static_cast<std::size_t>(step + 1);
        const std::lock_guard lock{mutex};
        for (std::int64_t row = 0; row < call.rows; ++row) {
          const auto sequence = first + static_cast<std::size_t>(row);
          all.resize(std::max(all.size(), sequence + 1));
          auto& passes = all[sequence];
          passes.resize(std::max(passes.size(), pass + 1));
          passes[pass].clear();
          for (std::int64_t token = 0; token < call.vocabulary; ++token) {
            passes[pass].push_back(
                logits.at(((token / call.part_columns) * call.rows + row) * call.part_columns +
                          token % call.part_columns));
          }
        }
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
  return all;
}

double largest_difference(const Logits& a, const Logits& b) {
  double largest = 0;
  double difference = 0;
  if (a.size() != b.size()) {
    return 1;
  }
  for (std::size_t sequence = 0; sequence < a.size(); ++sequence) {
    if (a[sequence].size() != b[sequence].size()) {
      return 1;
    }
    for (std::size_t pass = 0; pass < a[sequence].size(); ++pass) {
      const auto& left = a[sequence][pass];
      const auto& right = b[sequence][pass];
      if (left.size() != right.size()) {
        return 1;
      }
      for (std::size_t token = 0; token < left.size(); ++token) {
        largest = std::max<double>(largest, std::abs(left[token]));
        const double gap = std::abs(left[token] - right[token]);
        difference = std::isnan(gap) ? 1e9 : std::max(difference, gap);
      }
    }
  }
  return difference / largest;
}

} // namespace decodesim::testing
