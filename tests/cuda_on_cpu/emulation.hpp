#pragma once

#include <cuda_runtime.h>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

/// CUDA's runtime, cuBLASLt and NCCL on the CPU, as far as the programs of validation/cuda use
/// them: the same sources, without a GPU. What the libraries report is reported; what they need not
/// notice, such as threads that miss a barrier, is a breach. (docs/models/device-executor.md)
namespace cuda_on_cpu {

constexpr int breach_exit_code = 99;

/// Says what the program did wrong, in which kernel, and ends the process with `breach_exit_code`.
[[noreturn]] void breach(const std::string& what);

void breach_unless(bool holds, const char* what);

/// Says on standard error why something is refused, which no library does.
void say(const std::string& why);

/// The error, which cudaGetLastError gives next, too. Says why.
cudaError_t refused(cudaError_t error, const std::string& why);

/// A call of a library: one thread of the host at a time. In a process that was forked from one
/// that had called before it is a breach.
class Call {
public:
  Call();

  /// Lets other threads call for 50 us.
  void pause();

private:
  std::unique_lock<std::recursive_mutex> lock_;
};

/// With DECODESIM_EMULATED_SEED=number what may run in any order does, one drawn from that number:
/// streams, only when the host waits; nodes of graphs; threads of blocks. Else in program order,
/// and streams as early as they can.
bool order_is_random();

/// 0 to count - 1 in the order that draw number `draw` gives.
std::vector<int> drawn_order(int count, unsigned draw);

/// Name of the kernel that runs, for messages; "" between kernels.
extern std::string running_kernel;

/// Tries to run a piece of work of a stream; false while it waits for something.
using Attempt = std::function<bool()>;
/// Makes the attempts of one run of a piece of work, at the time of the call or of the graph's
/// launch.
using Work = std::function<Attempt()>;

/// Work that never waits.
Work without_waiting(std::function<void()> run);

/// Puts work on a stream or, while that captures, into its graph.
void enqueue(cudaStream_t stream, const std::string& name, Work work);

/// Whether this thread captures, as cudaStreamCaptureModeThreadLocal means it.
bool is_capturing();

/// Success, or the error of a call that no capture allows.
cudaError_t unless_capturing(const char* call);

/// Runs what streams hold until the stream, or with `all` every stream, is empty.
void finish(Call& call, cudaStream_t stream, bool all = false);

/// Whether all bytes are in one allocation of the device.
bool is_on_device(const void* at, std::size_t bytes);

// Elements of matrices and messages, in the host's memory or the device's.
std::size_t size_of(cudaDataType_t type);
float element(const void* array, cudaDataType_t type, std::size_t index);
/// Rounds to the type.
void set_element(void* array, cudaDataType_t type, std::size_t index, float value);

} // namespace cuda_on_cpu
