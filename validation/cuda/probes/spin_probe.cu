#include "validation/cuda/device_error.hpp"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"

#include <cstdint>

namespace decodesim {

namespace {

__device__ std::uint64_t global_nanoseconds() {
  std::uint64_t now = 0;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

__global__ void spin(std::uint64_t nanoseconds) {
  const auto start = global_nanoseconds();
  while (global_nanoseconds() - start < nanoseconds) {
  }
}

} // namespace

void probe_spin(ProbeSession& session) {
  DeviceTimer timer{session.limits().rule};
  for (const std::int64_t nanoseconds : {20'000, 100'000, 1'000'000}) {
    session.point({.parameters = {{"nanoseconds", nanoseconds}}}, [&](ProbeResult& point) {
      timer.time(point, 1, [&](int) {
        spin<<<1, 1, 0, timer.stream()>>>(static_cast<std::uint64_t>(nanoseconds));
        check(cudaGetLastError(), "launch the spinning kernel");
      });
    });
  }
}

} // namespace decodesim
