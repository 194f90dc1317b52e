#include "validation/cuda/executor/measured_run.hpp"

#include "sim/version.hpp"
#include "validation/cuda/device_description.hpp"
#include "validation/cuda/executor/cuda_device.hpp"
#include "validation/executor/rank_process.hpp"
#include "validation/executor/watchdog.hpp"

#include <iostream>
#include <unistd.h>
#include <utility>
#include <vector>

namespace decodesim {

namespace {

/// Exit code of a run that cannot finish, as of the simulator.
constexpr int unfinished = 4;

class RankOnGpu {
public:
  RankOnGpu(const Plan& plan,
            const Model& model,
            int rank,
            const RankSettings& settings,
            const Rendezvous& rendezvous,
            ExecutorOptions options)
      : device_{settings.gpu, rendezvous}, executor_{plan,
                                                     model,
                                                     rank,
                                                     device_,
                                                     std::move(options)},
        watchdog_{2 * settings.patience,
                  [this] { return executor_.waiting_operations(); },
                  [rank](const Watchdog::Waiting& waiting) {
                    std::cerr << "decodesim-measure: rank " << rank << " hangs:";
                    for (const auto& one : waiting) {
                      std::cerr << "\n  " << one;
                    }
                    std::cerr << std::endl;
                    ::_exit(unfinished);
                  }} {
    executor_.prepare();
  }

  PlanExecutor& executor() { return executor_; }

  CudaDevice& device() { return device_; }

private:
  CudaDevice device_;
  PlanExecutor executor_;
  Watchdog watchdog_;
};

void prepare_process(const RankSettings& settings, int rank, int ranks) {
  if (settings.shares_gpu) {
    let_ranks_share_a_gpu(rank, ranks);
  }
}

} // namespace

RankRun measure_rank(const Plan& plan,
                     const Model& model,
                     int rank,
                     const RankSettings& settings,
                     const Rendezvous& rendezvous) {
  prepare_process(settings, rank, plan.ranks());
  RankOnGpu on_gpu{plan,
                   model,
                   rank,
                   settings,
                   rendezvous,
                   {.communicates = settings.communicates, .patience = settings.patience}};
  const auto meet = [&](const char* name) {
    if (settings.communicates) {
      rendezvous.meet(name, rank, plan.ranks());
    }
  };
  auto& executor = on_gpu.executor();
  // Kernels are loaded and connections made outside of any graph's capture.
  meet("warm-up");
  (void)executor.run(); // with spans, so that one that hangs says where
  executor.record_spans(false);
  if (settings.graph) {
    executor.use_graphs();
    meet("graphs");
    (void)executor.run();
  }
  meet("totals");
  RankRun run{.rank = rank, .totals = executor.run()};
  if (settings.spans) {
    executor.record_spans(true);
    meet("spans");
    run.recorded = executor.run();
  }
  meet("end"); // what was sent is received before a communicator is gone
  return run;
}

Logits measure_logits(const Plan& plan,
                      const Model& model,
                      int rank,
                      const RankSettings& settings,
                      const Rendezvous& rendezvous) {
  prepare_process(settings, rank, plan.ranks());
  const RankPlace place{plan, rank};
  LogitsCollector collector;
  CudaDevice* device = nullptr;
  ExecutorOptions options{.spans = false, .patience = settings.patience};
  options.on_logits = [&](Part, int step, int micro_batch, const SamplingCall& call) {
    const auto elements = call.rows * call.part_columns * call.parts;
    std::vector<std::byte> stored(static_cast<std::size_t>(
        static_cast<double>(elements) * element_bytes(call.logits.type).value()));
    device->download(stored.data(), call.logits.data, stored.size());
    if (place.tp_index == 0) {
      auto on_host = call;
      on_host.logits.data = stored.data();
      collector.add(place, step, micro_batch, on_host);
    }
  };
  RankOnGpu on_gpu{plan, model, rank, settings, rendezvous, options};
  device = &on_gpu.device();
  (void)on_gpu.executor().run();
  rendezvous.meet("end", rank, plan.ranks());
  return collector.logits();
}

std::string provenance_json(const std::string& start_utc, const std::string& command) {
  auto from = describe_device();
  from.after = std::exchange(from.before, std::nullopt);
  from.start_utc = start_utc;
  from.end_utc = utc_now();
  from.program = "decodesim-measure";
  from.version = version();
  from.revision = revision();
  from.command = command;
  return provenance_line(from);
}

} // namespace decodesim
