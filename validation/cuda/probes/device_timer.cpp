#include "validation/cuda/probes/device_timer.hpp"

#include "validation/cuda/device_description.hpp"
#include "validation/cuda/device_error.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>

namespace decodesim {

namespace {

/// Long beside the few microseconds between an event and what follows it.
constexpr double sample_us = 1500.0;
constexpr int most_repeats = 512;

struct GraphDeleter {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }

  void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
};

template <class Handle>
using GraphHandle = std::unique_ptr<std::remove_pointer_t<Handle>, GraphDeleter>;

} // namespace

DeviceTimer::DeviceTimer(const StoppingRule& rule) : rule_{rule}, monitor_{current_pci_bus_id()} {
  int device = 0;
  check(cudaGetDevice(&device), "find a CUDA device");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "create a stream");
  check(cudaEventCreate(&start_), "create an event");
  check(cudaEventCreate(&stop_), "create an event");
  int l2_bytes = 0;
  check(cudaDeviceGetAttribute(&sm_count_, cudaDevAttrMultiProcessorCount, device),
        "ask for the number of processors");
  check(cudaDeviceGetAttribute(&l2_bytes, cudaDevAttrL2CacheSize, device),
        "ask for the size of the L2 cache");
  l2_bytes_ = static_cast<std::size_t>(l2_bytes);
}

DeviceTimer::~DeviceTimer() {
  cudaEventDestroy(stop_);
  cudaEventDestroy(start_);
  cudaStreamDestroy(stream_);
}

int DeviceTimer::copies_that_flush(std::size_t bytes) const {
  // One is in use while the others, of twice the cache, pass.
  const auto others = (2 * l2_bytes_ + bytes - 1) / std::max<std::size_t>(bytes, 1);
  return static_cast<int>(std::min<std::size_t>(1 + others, most_repeats));
}

double DeviceTimer::elapsed_us(const std::function<void()>& enqueue) {
  check(cudaEventRecord(start_, stream_), "record an event");
  enqueue();
  check(cudaEventRecord(stop_, stream_), "record an event");
  check(cudaEventSynchronize(stop_), "wait for the device");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, start_, stop_), "read the time between events");
  return milliseconds * 1e3;
}

int DeviceTimer::repeats_for(int copies, const std::function<void(int)>& launch) {
  launch(0);
  check(cudaStreamSynchronize(stream_), "run the operation");
  const double one = elapsed_us([&] { launch(1); });
  const auto wanted = static_cast<int>(std::clamp(sample_us / std::max(one, 1.0), 4.0, 1e6));
  const int cycles = std::max(1, (wanted + copies - 1) / copies);
  return std::min(most_repeats, cycles * copies);
}

void DeviceTimer::sample(ProbeResult& result, int repeats, const std::function<void()>& enqueue) {
  (void)elapsed_us(enqueue);
  (void)elapsed_us(enqueue);
  const auto samples = take_samples(rule_, [&] { return elapsed_us(enqueue) / repeats; });
  result.samples_us = samples.values;
  result.converged = samples.converged;
  result.repeats = repeats;
  if (const auto state = monitor_.state()) {
    result.sm_clock_mhz = state->sm_clock_mhz;
    result.throttle_reasons = state->throttle_reasons;
  }
}

void DeviceTimer::time(ProbeResult& result, int copies, const std::function<void(int)>& launch) {
  const int repeats = repeats_for(copies, launch);
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "capture a graph");
  cudaGraph_t captured = nullptr;
  try {
    for (int i = 0; i < repeats; ++i) {
      launch(i);
    }
  } catch (...) {
    cudaStreamEndCapture(stream_, &captured);
    cudaGraphDestroy(captured);
    throw;
  }
  check(cudaStreamEndCapture(stream_, &captured), "capture a graph");
  const GraphHandle<cudaGraph_t> graph{captured};
  cudaGraphExec_t instantiated = nullptr;
  check(cudaGraphInstantiate(&instantiated, captured, 0), "instantiate a graph");
  const GraphHandle<cudaGraphExec_t> executable{instantiated};
  sample(result, repeats, [&] {
    check(cudaGraphLaunch(executable.get(), stream_), "launch a graph");
  });
}

void DeviceTimer::time_eager(ProbeResult& result,
                             int copies,
                             const std::function<void(int)>& launch) {
  const int repeats = repeats_for(copies, launch);
  sample(result, repeats, [&] {
    for (int i = 0; i < repeats; ++i) {
      launch(i);
    }
  });
}

} // namespace decodesim
