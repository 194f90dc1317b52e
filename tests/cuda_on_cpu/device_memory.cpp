#include "tests/cuda_on_cpu/emulation.hpp"

#include <cstring>
#include <map>
#include <sys/mman.h>

using namespace cuda_on_cpu;

namespace {

constexpr std::size_t all_bytes = std::size_t{141} << 30;
constexpr std::size_t page = 4096;
constexpr std::size_t alignment = 256; // cudaMalloc's, as the programming guide promises
constexpr std::size_t most_poisoned = 1 << 20;
constexpr int poison = 0xff; // NaN in every type

std::map<const char*, std::size_t> allocations;
std::size_t used_bytes = 0;

std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

/// Memory that ends at a page that nothing may touch, up to the alignment, and begins after one.
char* map_between_guards(std::size_t bytes) {
  const auto aligned = round_up(bytes, alignment);
  const auto pages = round_up(aligned, page);
  void* mapped = ::mmap(
      nullptr, pages + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    return nullptr;
  }
  auto* first = static_cast<char*>(mapped) + page;
  ::mprotect(first, pages, PROT_READ | PROT_WRITE);
  return first + pages - aligned;
}

/// What was freed stays mapped, so that nothing else comes there, and may not be touched.
void take_away(char* at, std::size_t bytes) {
  const auto aligned = round_up(bytes, alignment);
  const auto pages = round_up(aligned, page);
  ::mmap(at + aligned - pages,
         pages,
         PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
         -1,
         0);
}

bool overlap(const void* a, const void* b, std::size_t bytes) {
  return static_cast<const char*>(a) < static_cast<const char*>(b) + bytes &&
         static_cast<const char*>(b) < static_cast<const char*>(a) + bytes;
}

} // namespace

bool cuda_on_cpu::is_on_device(const void* at, std::size_t bytes) {
  const auto* first = static_cast<const char*>(at);
  auto next = allocations.upper_bound(first);
  return next != allocations.begin() && (--next, first + bytes <= next->first + next->second);
}

extern "C" {

cudaError_t cudaMemGetInfo(std::size_t* left, std::size_t* all) {
  const Call call;
  *all = all_bytes;
  *left = all_bytes - used_bytes;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  const Call call;
  if (const auto error = unless_capturing("cudaMalloc")) {
    return error;
  }
  *memory = nullptr;
  if (bytes == 0) {
    return cudaSuccess;
  }
  char* at = used_bytes + bytes <= all_bytes ? map_between_guards(bytes) : nullptr;
  if (at == nullptr) {
    return refused(cudaErrorMemoryAllocation, std::to_string(bytes) + " bytes");
  }
  std::memset(at, poison, std::min(bytes, most_poisoned));
  allocations[at] = bytes;
  used_bytes += bytes;
  *memory = at;
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  Call call;
  if (const auto error = unless_capturing("cudaFree")) {
    return error;
  }
  if (memory == nullptr) {
    return cudaSuccess;
  }
  const auto found = allocations.find(static_cast<char*>(memory));
  breach_unless(found != allocations.end(), "frees what was not allocated");
  finish(call, nullptr, true);
  take_away(static_cast<char*>(memory), found->second);
  used_bytes -= found->second;
  allocations.erase(found);
  return cudaSuccess;
}

cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
  const Call call;
  if (const auto error = unless_capturing("cudaMemset")) {
    return error;
  }
  breach_unless(is_on_device(memory, bytes), "sets memory that is not the device's");
  enqueue(nullptr, "memset", without_waiting([=] { std::memset(memory, value, bytes); }));
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(
    void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const Call call;
  breach_unless(is_on_device(to, bytes) == (kind != cudaMemcpyDeviceToHost) &&
                    is_on_device(from, bytes) == (kind != cudaMemcpyHostToDevice),
                "copies between other places than it says");
  breach_unless(!overlap(to, from, bytes), "copies to what it copies from");
  enqueue(stream, "memcpy", without_waiting([=] { std::memcpy(to, from, bytes); }));
  return cudaSuccess;
}

/// Returns before copies on the device have ended.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  Call call;
  if (const auto error = unless_capturing("cudaMemcpy")) {
    return error;
  }
  if (bytes > 0) {
    cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  }
  if (kind != cudaMemcpyDeviceToDevice) {
    finish(call, nullptr);
  }
  return cudaSuccess;
}
}
