#include "validation/cuda/device_error.hpp"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"

#include <chrono>

namespace decodesim {

namespace {

__global__ void empty() {}

/// Fewer than a stream queues, so that the host never waits for the device.
constexpr int eager_launches = 256;

void launch_empty(cudaStream_t stream, int kernels) {
  for (int i = 0; i < kernels; ++i) {
    empty<<<1, 32, 0, stream>>>();
  }
  check(cudaGetLastError(), "launch an empty kernel");
}

/// Microseconds of the host for `work`; waits for the device afterwards, off the clock.
template <class Work> double host_us(cudaStream_t stream, const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const auto stop = std::chrono::steady_clock::now();
  check(cudaStreamSynchronize(stream), "wait for the device");
  return std::chrono::duration<double, std::micro>(stop - start).count();
}

template <class Work>
void time_host(const StoppingRule& rule,
               cudaStream_t stream,
               int operations,
               const Work& work,
               ProbeResult& point) {
  (void)host_us(stream, work);
  (void)host_us(stream, work);
  const auto samples = take_samples(rule, [&] { return host_us(stream, work) / operations; });
  point.samples_us = samples.values;
  point.converged = samples.converged;
  point.repeats = operations;
}

/// A graph of empty kernels, one after the other.
class EmptyGraph {
public:
  EmptyGraph(cudaStream_t stream, int kernels) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "capture a graph");
    launch_empty(stream, kernels);
    check(cudaStreamEndCapture(stream, &graph_), "capture a graph");
    check(cudaGraphInstantiate(&executable_, graph_, 0), "instantiate a graph");
  }

  ~EmptyGraph() {
    cudaGraphExecDestroy(executable_);
    cudaGraphDestroy(graph_);
  }

  EmptyGraph(const EmptyGraph&) = delete;
  EmptyGraph& operator=(const EmptyGraph&) = delete;

  void launch(cudaStream_t stream) const {
    check(cudaGraphLaunch(executable_, stream), "launch a graph");
  }

private:
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

} // namespace

void probe_launch(ProbeSession& session) {
  DeviceTimer timer{session.limits().rule};
  const auto& rule = session.limits().rule;
  const auto stream = timer.stream();
  session.point(
      {.parameters = {{"launch", "eager"}, {"kind", "host"}, {"kernels", 1}}},
      [&](ProbeResult& point) {
        time_host(
            rule, stream, eager_launches, [&] { launch_empty(stream, eager_launches); }, point);
      });
  session.point({.parameters = {{"launch", "eager"}, {"kind", "device"}, {"kernels", 1}}},
                [&](ProbeResult& point) {
                  timer.time_eager(point, 1, [&](int) { launch_empty(stream, 1); });
                });
  session.point(
      {.parameters = {{"launch", "graph"}, {"kind", "device"}, {"kernels", 1}}},
      [&](ProbeResult& point) { timer.time(point, 1, [&](int) { launch_empty(stream, 1); }); });
  for (const int kernels : {1, 10, 100, 1000}) {
    session.point({.parameters = {{"launch", "graph"}, {"kind", "host"}, {"kernels", kernels}}},
                  [&](ProbeResult& point) {
                    const EmptyGraph graph{stream, kernels};
                    time_host(
                        rule, stream, 1, [&] { graph.launch(stream); }, point);
                  });
  }
}

} // namespace decodesim
