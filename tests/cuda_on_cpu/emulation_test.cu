#include "sim/temporary_folder.hpp"
#include "tests/cuda_on_cpu/emulation.hpp"
#include "validation/cuda/device_buffer.hpp"
#include "validation/cuda/kernels/matrix_product.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <sys/wait.h>
#include <unistd.h>

// That the emulation notices what it is for.

namespace decodesim {
namespace {

using testing::ExitedWithCode;
using namespace cuda_on_cpu;

/// Threads below `first` leave before the others wait.
__global__ void leave_early(int first) {
  if (threadIdx.x >= first) {
    __syncthreads();
  }
}

__global__ void wait_at_two_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void sum_lanes(float* sums, int lanes) {
  float sum = static_cast<float>(threadIdx.x);
  if (threadIdx.x < lanes) {
    for (int bits = 16; bits > 0; bits /= 2) {
      sum += __shfl_xor_sync(0xffffffffU, sum, bits);
    }
  }
  sums[threadIdx.x] = sum;
}

/// Turns a block's values round, with a barrier in between or without.
__global__ void turn_round(const float* from, float* to, bool waits) {
  __shared__ float shared[64];
  shared[threadIdx.x] = from[threadIdx.x];
  if (waits) {
    __syncthreads();
  }
  to[threadIdx.x] = shared[63 - threadIdx.x];
}

template <class T> __global__ void use_dynamic_memory(T* first) {
  extern __shared__ float dynamic[];
  dynamic[threadIdx.x] = 1.0F;
  *first = dynamic[0];
}

__global__ void set_all(float* values, float value) { values[threadIdx.x] = value; }

std::array<float, 64> on_host(const DeviceBuffer& buffer) {
  std::array<float, 64> values{};
  check(cudaMemcpy(values.data(), buffer.at(), sizeof values, cudaMemcpyDeviceToHost), "copy");
  return values;
}

cudaStream_t new_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "make a stream");
  return stream;
}

cudaEvent_t new_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "make an event");
  return event;
}

} // namespace

TEST(Emulation, ThreadsThatMissABarrierAreABreach) {
  const auto run = [](int first) {
    leave_early<<<2, 64>>>(first);
    check(cudaDeviceSynchronize(), "run it");
  };
  EXPECT_EXIT(run(1), ExitedWithCode(breach_exit_code), "leave_early has 63 of 64 threads");
  EXPECT_EXIT((run(0), ::_exit(0)), ExitedWithCode(0), "");
}

TEST(Emulation, DifferentBarriersAreABreach) {
  EXPECT_EXIT((wait_at_two_barriers<<<1, 64>>>()),
              ExitedWithCode(breach_exit_code),
              "wait for each other at lines");
}

// Lanes 0 to 31 sum to 496.
TEST(Emulation, AnExchangeNeedsAllLanesOfItsMask) {
  const auto run = [](unsigned threads, int lanes) {
    const DeviceBuffer sums{64 * sizeof(float)};
    sum_lanes<<<1, threads>>>(sums.at<float>(), lanes);
    ::_exit(on_host(sums)[7] == 496.0F ? 0 : 1);
  };
  EXPECT_EXIT(run(32, 32), ExitedWithCode(0), "");
  EXPECT_EXIT(run(32, 31), ExitedWithCode(breach_exit_code), "31 of 32 threads");
  EXPECT_EXIT(run(48, 48), ExitedWithCode(breach_exit_code), "not whole");
}

// What a thread reads of shared memory before another has written it is NaN.
TEST(Emulation, AMissingBarrierGivesNaN) {
  const DeviceBuffer from{64 * sizeof(float)};
  const DeviceBuffer to{64 * sizeof(float)};
  set_all<<<1, 64>>>(from.at<float>(), 3.0F);
  turn_round<<<1, 64>>>(from.at<float>(), to.at<float>(), true);
  EXPECT_EQ(on_host(to)[0], 3.0F);
  turn_round<<<1, 64>>>(from.at<float>(), to.at<float>(), false);
  EXPECT_TRUE(std::isnan(on_host(to)[0]));
}

TEST(Emulation, MoreThan48KBOfSharedMemoryHasToBeAskedFor) {
  const DeviceBuffer first{sizeof(float)};
  constexpr int bytes = 60 << 10;
  use_dynamic_memory<float><<<1, 32, bytes>>>(first.at<float>());
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(
                use_dynamic_memory<float>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
            cudaSuccess);
  use_dynamic_memory<float><<<1, 32, bytes>>>(first.at<float>());
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaFuncSetAttribute(
                use_dynamic_memory<float>, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 << 10),
            cudaErrorInvalidValue);
}

TEST(Emulation, BlocksAndGridsHaveLimits) {
  const DeviceBuffer values{sizeof(float)};
  set_all<<<1, 1025>>>(values.at<float>(), 1.0F);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  set_all<<<dim3{1, 65536}, 1>>>(values.at<float>(), 1.0F);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  set_all<<<0, 1>>>(values.at<float>(), 1.0F);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
}

TEST(Emulation, MemoryOfOthersIsABreach) {
  const auto run = [](std::size_t offset, bool frees) {
    float* values = nullptr;
    check(cudaMalloc(reinterpret_cast<void**>(&values), 64 * sizeof(float)), "allocate");
    check(frees ? cudaFree(values) : cudaSuccess, "free");
    set_all<<<1, 1>>>(values + offset, 1.0F);
    check(cudaDeviceSynchronize(), "run it");
    ::_exit(0);
  };
  EXPECT_EXIT(run(63, false), ExitedWithCode(0), "");
  EXPECT_EXIT(run(64, false), ExitedWithCode(breach_exit_code), "set_all touches memory");
  EXPECT_EXIT(run(0, true), ExitedWithCode(breach_exit_code), "set_all touches memory");
}

/// Whether another stream sees in each of 20 runs what the first one has written.
bool sees_what_was_written(bool waits) {
  ::setenv("DECODESIM_EMULATED_SEED", "1", 1);
  const DeviceBuffer written{64 * sizeof(float)};
  const DeviceBuffer copy{64 * sizeof(float)};
  const auto writer = new_stream();
  const auto reader = new_stream();
  const auto event = new_event();
  bool all = true;
  for (int i = 0; i < 20; ++i) {
    set_all<<<1, 64, 0, writer>>>(written.at<float>(), static_cast<float>(i));
    check(cudaEventRecord(event, writer), "record");
    check(waits ? cudaStreamWaitEvent(reader, event, 0) : cudaSuccess, "wait");
    check(cudaMemcpyAsync(copy.at(), written.at(), copy.bytes(), cudaMemcpyDeviceToDevice, reader),
          "copy");
    check(cudaDeviceSynchronize(), "finish");
    all = all && on_host(copy)[0] == static_cast<float>(i);
  }
  return all;
}

TEST(Emulation, AMissingWaitShowsInRandomOrder) {
  EXPECT_EXIT(::_exit(sees_what_was_written(true) ? 0 : 1), ExitedWithCode(0), "");
  EXPECT_EXIT(::_exit(sees_what_was_written(false) ? 0 : 1), ExitedWithCode(1), "");
}

TEST(Emulation, ACaptureRefusesWhatItMayNotHold) {
  const auto first = new_stream();
  const auto second = new_stream();
  const auto event = new_event();
  const DeviceBuffer values{64 * sizeof(float)};
  check(cudaStreamBeginCapture(first, cudaStreamCaptureModeThreadLocal), "capture");
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorStreamCaptureUnsupported);
  check(cudaEventRecord(event, first), "fork");
  check(cudaStreamWaitEvent(second, event, 0), "fork");
  set_all<<<1, 64, 0, second>>>(values.at<float>(), 1.0F);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(first, &graph), cudaErrorStreamCaptureUnjoined);
}

/// Sums as many elements in a process as its parent, or another number.
void sum_in_two_processes(const TemporaryFolder& folder,
                          std::size_t of_parent,
                          std::size_t of_child) {
  ncclUniqueId id{};
  folder.path().string().copy(id.internal, sizeof id.internal - 1);
  const bool is_child = ::fork() == 0;
  ::setenv("NCCL_HOSTID", is_child ? "child" : "parent", 1);
  ncclComm_t both = nullptr;
  check(ncclCommInitRank(&both, 2, id, is_child ? 1 : 0), "join");
  const DeviceBuffer values{64 * sizeof(float)};
  set_all<<<1, 64>>>(values.at<float>(), is_child ? 1.0F : 2.0F);
  const auto count = is_child ? of_child : of_parent;
  check(ncclAllReduce(values.at(), values.at(), count, ncclFloat32, ncclSum, both, nullptr), "sum");
  const auto sums = on_host(values);
  int status = 0;
  if (!is_child) {
    ::wait(&status);
  }
  ::_exit(status == 0 && sums[0] == 3.0F && sums[63] == 3.0F ? 0 : 1);
}

TEST(Emulation, RanksHaveToCallTheSame) {
  const TemporaryFolder same;
  const TemporaryFolder other;
  EXPECT_EXIT(sum_in_two_processes(same, 64, 64), ExitedWithCode(0), "");
  EXPECT_EXIT(
      sum_in_two_processes(other, 64, 32), ExitedWithCode(breach_exit_code), "another rank calls");
}

TEST(Emulation, ThereAreFp8ProductsOfMultiplesOf16Alone) {
  const DeviceBuffer memory{1 << 20};
  MatrixProducts products;
  const auto prepare = [&](std::int64_t k) {
    const Array y{.data = memory.at(), .type = DataType::bf16};
    products.prepare(ProductCall{.m = 1,
                                 .n = 32,
                                 .k = k,
                                 .x = y,
                                 .w = {.data = memory.at(), .type = DataType::fp8},
                                 .y = y});
  };
  EXPECT_NO_THROW(prepare(64));
  EXPECT_THROW(prepare(72), std::runtime_error);
}

} // namespace decodesim
