#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/random_fill.cuh"
#include "validation/cuda/probes/device_timer.hpp"
#include "validation/cuda/probes/probe_list.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace decodesim {

namespace {

constexpr int threads = 512;
constexpr int in_flight = 4; ///< vectors that a thread loads before it uses the first

/// Calls use(vector, index) for each of `vectors`, several loads in flight.
template <class Use>
__device__ void for_each_vector(const uint4* from, std::int64_t vectors, const Use& use) {
  const auto step = static_cast<std::int64_t>(gridDim.x) * threads;
  for (auto base = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; base < vectors;
       base += in_flight * step) {
    uint4 held[in_flight];
#pragma unroll
    for (int i = 0; i < in_flight; ++i) {
      if (base + i * step < vectors) {
        held[i] = from[base + i * step];
      }
    }
#pragma unroll
    for (int i = 0; i < in_flight; ++i) {
      if (base + i * step < vectors) {
        use(held[i], base + i * step);
      }
    }
  }
}

/// The sum is written where it is a number that random data does not have, so that the loads stay.
__global__ void __launch_bounds__(threads)
    read_all(const uint4* from, std::int64_t vectors, uint4* never) {
  unsigned all = 0;
  for_each_vector(from, vectors, [&all](const uint4& one, std::int64_t) {
    all |= one.x | one.y | one.z | one.w;
  });
  if (all == 0) {
    *never = uint4{all, all, all, all};
  }
}

__global__ void __launch_bounds__(threads) write_all(uint4* to, std::int64_t vectors) {
  const auto step = static_cast<std::int64_t>(gridDim.x) * threads;
  for (auto i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < vectors;
       i += step) {
    to[i] = uint4{1, 2, 3, 4};
  }
}

__global__ void __launch_bounds__(threads)
    copy_all(const uint4* from, uint4* to, std::int64_t vectors) {
  for_each_vector(from, vectors, [to](const uint4& one, std::int64_t at) { to[at] = one; });
}

/// Arrays for the largest point, as far as three quarters of the free memory go.
std::size_t arena_bytes(std::size_t wanted) {
  std::size_t free_bytes = 0;
  std::size_t all = 0;
  check(cudaMemGetInfo(&free_bytes, &all), "ask for free memory");
  return std::min(wanted, free_bytes / 4 * 3);
}

} // namespace

void probe_memory_bandwidth(ProbeSession& session) {
  DeviceTimer timer{session.limits().rule};
  const DeviceBuffer arena{arena_bytes(std::size_t{16} << 30)}; // two copies of the largest point
  fill_random(arena.at(),
              static_cast<std::int64_t>(arena.bytes()),
              DataType::int8,
              100.0f,
              1,
              timer.stream());
  const std::size_t kib = 1024;
  const std::size_t mib = 1024 * kib;
  for (const std::string kind : {"read", "write", "copy"}) {
    for (const auto bytes : {16 * kib,
                             64 * kib,
                             256 * kib,
                             mib,
                             4 * mib,
                             8 * mib,
                             16 * mib,
                             32 * mib,
                             64 * mib,
                             128 * mib,
                             256 * mib,
                             1024 * mib,
                             4096 * mib}) {
      for (const std::string l2 : {"warm", "flushed"}) {
        const auto traffic = kind == "copy" ? 2 * bytes : bytes;
        if (l2 == "warm" && traffic > 2 * timer.l2_bytes()) {
          continue; // does not fit: as flushed
        }
        const ProbeResult shape{
            .parameters = {{"kind", kind}, {"array_bytes", static_cast<std::int64_t>(bytes)}},
            .l2 = l2,
            .bytes = static_cast<std::int64_t>(traffic)};
        session.point(shape, [&](ProbeResult& point) {
          const int copies = l2 == "warm" ? 1 : timer.copies_that_flush(traffic);
          if (static_cast<std::size_t>(copies) * traffic > arena.bytes()) {
            throw DeviceError{"the arrays do not fit into device memory"};
          }
          const auto vectors = static_cast<std::int64_t>(bytes / sizeof(uint4));
          const auto wanted = (vectors + threads - 1) / threads;
          const auto blocks =
              static_cast<unsigned>(std::min<std::int64_t>(wanted, timer.sm_count() * 16));
          timer.time(point, copies, [&](int i) {
            auto* from = arena.at<uint4>(static_cast<std::size_t>(i % copies) * traffic);
            if (kind == "read") {
              read_all<<<blocks, threads, 0, timer.stream()>>>(from, vectors, from);
            } else if (kind == "write") {
              write_all<<<blocks, threads, 0, timer.stream()>>>(from, vectors);
            } else {
              copy_all<<<blocks, threads, 0, timer.stream()>>>(from, from + vectors, vectors);
            }
            check(cudaGetLastError(), "launch the kernel that moves memory");
          });
        });
      }
    }
  }
}

} // namespace decodesim
