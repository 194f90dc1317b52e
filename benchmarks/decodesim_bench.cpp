/// What simulating costs in wall time and memory.
///
/// Goals, on one core: Llama-3-70B, TP = 8, DGX A100, every kernel a span: at most 4 ms a decode
/// step without and 6 ms with a recorded timeline, in 200 MB.
///
/// Counters: ms_per_step is wall time of the whole simulation over its decode steps (the prefill
/// counts as none, so that it is an upper bound); steps_per_s and tokens_per_s are simulated decode
/// steps and output tokens per wall second; peak_MB is the most resident memory of the process in
/// that benchmark, library and plan included.

#include "sim/engine/simulate.hpp"
#include "sim/model/hf_config.hpp"
#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "topologies/machine.hpp"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <malloc.h>
#include <numeric>
#include <string>

namespace {

using namespace decodesim;

/// The demo's comparison.
constexpr const char* demo_layouts = "zero3,tp,pp:naive,pp:gpipe,pp:1f1b";
constexpr int demo_gpus = 8;

Workload demo_workload() { return {.batch_size = 32}; }

/// Linux resets the process's peak when a 5 is written here.
void forget_peak_memory() {
  malloc_trim(0);
  std::ofstream{"/proc/self/clear_refs"} << 5;
}

/// In MB (1e6 bytes); 0 where /proc does not tell.
double peak_memory_mb() {
  std::ifstream status{"/proc/self/status"};
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") {
      double kib = 0;
      status >> kib;
      return kib * 1024 / 1e6;
    }
  }
  return 0;
}

void simulate_layout(benchmark::State& state, const Layout& layout, bool record_timeline) {
  forget_peak_memory();
  const auto model = find_model("llama-3-70b", "model");
  const auto machine = find_machine("dgx-a100-80g", 1, "machine");
  const auto workload = demo_workload();
  const auto plan = build_plan(model, layout, workload);
  std::vector<int> gpu_of_rank(static_cast<std::size_t>(layout.ranks()));
  std::iota(gpu_of_rank.begin(), gpu_of_rank.end(), 0);
  const SimulationOptions options{.fold = Folding::none, .record_timeline = record_timeline};
  double wall_s = 0;
  std::size_t spans = 0;
  for ([[maybe_unused]] auto _ : state) {
    auto result = simulate(plan, machine, gpu_of_rank, options);
    wall_s += result.wall_s;
    spans = result.timeline.spans.size();
    benchmark::DoNotOptimize(result);
  }
  const auto runs = static_cast<double>(state.iterations());
  const double steps = runs * workload.decode_steps();
  const double tokens = runs * static_cast<double>(workload.output_tokens) * workload.batch_size;
  state.counters["ms_per_step"] = 1e3 * wall_s / steps;
  state.counters["steps_per_s"] = steps / wall_s;
  state.counters["tokens_per_s"] = tokens / wall_s;
  state.counters["peak_MB"] = peak_memory_mb();
  if (record_timeline) {
    state.counters["spans"] = static_cast<double>(spans);
  }
}

/// Prefill and one decode step of 35 micro-batches a replica on 420 DGX A100.
void simulate_a_cluster(benchmark::State& state, const char* schedule, Folding fold) {
  forget_peak_memory();
  const auto model = find_model("mt-nlg-530b", "model");
  const auto machine = find_machine("dgx-a100-80g", 420, "machine");
  const Layout layout{.tp = 8, .pp = 35, .dp = 12, .schedule = schedule, .micro_batches = 35};
  const Workload workload{.batch_size = 420, .input_tokens = 128, .output_tokens = 2};
  const auto plan = build_plan(model, layout, workload);
  std::vector<int> gpu_of_rank(static_cast<std::size_t>(layout.ranks()));
  std::iota(gpu_of_rank.begin(), gpu_of_rank.end(), 0);
  int ranks = 0;
  for ([[maybe_unused]] auto _ : state) {
    ranks = simulate(plan, machine, gpu_of_rank, {.fold = fold}).simulated_ranks;
  }
  state.counters["ranks"] = ranks;
  state.counters["peak_MB"] = peak_memory_mb();
}

/// 2,000 tokens: some of the decode steps, the others interpolated.
void simulate_a_long_run(benchmark::State& state, const Layout& layout) {
  const auto model = find_model("llama-3-70b", "model");
  const auto machine = find_machine("dgx-a100-80g", 1, "machine");
  const auto plan = build_plan(model, layout, {.batch_size = 32, .output_tokens = 2000});
  std::vector<int> gpu_of_rank(static_cast<std::size_t>(layout.ranks()));
  std::iota(gpu_of_rank.begin(), gpu_of_rank.end(), 0);
  int steps = 0;
  for ([[maybe_unused]] auto _ : state) {
    steps = simulate(plan, machine, gpu_of_rank).simulated_steps;
  }
  state.counters["steps"] = steps;
}

void build_a_plan(benchmark::State& state, const Layout& layout) {
  const auto model = find_model("llama-3-70b", "model");
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(build_plan(model, layout, demo_workload()));
  }
}

void load_a_machine(benchmark::State& state, int nodes) {
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(find_machine("dgx-a100-80g", nodes, "machine"));
  }
}

void register_all() {
  const auto ms = benchmark::kMillisecond;
  for (const auto& layout : parse_layout_specs(demo_layouts, demo_gpus, "benchmark")) {
    for (const bool timeline : {false, true}) {
      benchmark::RegisterBenchmark(
          ("simulate/" + layout.tag() + (timeline ? "/timeline" : "")).c_str(),
          simulate_layout,
          layout,
          timeline)
          ->Unit(ms)
          ->UseRealTime();
    }
  }
  for (const auto& layout : parse_layout_specs(demo_layouts, demo_gpus, "benchmark")) {
    benchmark::RegisterBenchmark(("build_plan/" + layout.tag()).c_str(), build_a_plan, layout)
        ->Unit(ms);
  }
  for (const char* schedule : {"1f1b", "gpipe"}) {
    for (const auto fold : {Folding::automatic, Folding::none}) {
      benchmark::RegisterBenchmark(("mt-nlg-530b/tp8pp35dp12-" + std::string{schedule} +
                                    (fold == Folding::none ? "/unfolded" : "/folded"))
                                       .c_str(),
                                   simulate_a_cluster,
                                   schedule,
                                   fold)
          ->Unit(ms)
          ->UseRealTime();
    }
  }
  for (const auto& layout : parse_layout_specs(demo_layouts, demo_gpus, "benchmark")) {
    benchmark::RegisterBenchmark(("osl:2000/" + layout.tag()).c_str(), simulate_a_long_run, layout)
        ->Unit(ms)
        ->UseRealTime();
  }
  for (const int nodes : {1, 16, 128}) {
    benchmark::RegisterBenchmark(
        ("load_machine/nodes:" + std::to_string(nodes)).c_str(), load_a_machine, nodes)
        ->Unit(ms);
  }
}

} // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  try {
    register_all();
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& problem) {
    std::cerr << "decodesim_bench: " << problem.what() << '\n';
    return 1;
  }
  benchmark::Shutdown();
  return 0;
}
