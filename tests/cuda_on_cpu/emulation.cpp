#include "tests/cuda_on_cpu/emulation.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <random>
#include <unistd.h>

namespace cuda_on_cpu {

namespace {

std::recursive_mutex calls;
cudaError_t last_error = cudaSuccess;

/// Memory of the device has pages around it that nothing may touch.
void on_memory_fault(int) { breach("touches memory that is not its own"); }

} // namespace

std::string running_kernel;

void say(const std::string& why) { std::cerr << "emulated CUDA: " << why << std::endl; }

void breach(const std::string& what) {
  say((running_kernel.empty() ? "the program" : running_kernel) + " " + what);
  ::_exit(breach_exit_code);
}

void breach_unless(bool holds, const char* what) {
  if (!holds) {
    breach(what);
  }
}

cudaError_t refused(cudaError_t error, const std::string& why) {
  say(cudaGetErrorString(error) + (": " + why));
  last_error = error;
  return error;
}

Call::Call() : lock_{calls} {
  static const pid_t first_caller = [] {
    std::signal(SIGSEGV, on_memory_fault);
    return ::getpid();
  }();
  breach_unless(first_caller == ::getpid(), "uses CUDA after a fork of a process that did");
}

void Call::pause() {
  lock_.unlock();
  ::usleep(50);
  lock_.lock();
}

bool order_is_random() {
  static const bool is_random = std::getenv("DECODESIM_EMULATED_SEED") != nullptr;
  return is_random;
}

std::vector<int> drawn_order(int count, unsigned draw) {
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  if (order_is_random()) {
    static const unsigned long seed = std::stoul(std::getenv("DECODESIM_EMULATED_SEED"));
    std::mt19937_64 random{seed << 32 | draw};
    std::shuffle(order.begin(), order.end(), random);
  }
  return order;
}

} // namespace cuda_on_cpu

// What the one GPU is.

using namespace cuda_on_cpu;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  const Call call;
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  const Call call;
  return device == 0 ? cudaSuccess : refused(cudaErrorInvalidDevice, "there is GPU 0 alone");
}

cudaError_t cudaGetDevice(int* device) {
  const Call call;
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const Call call;
  *properties = {};
  std::string{"NVIDIA H200"}.copy(properties->name, sizeof properties->name - 1);
  properties->major = 9;
  properties->multiProcessorCount = 132;
  properties->l2CacheSize = 50 << 20;
  properties->totalGlobalMem = std::size_t{141} << 30;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  const Call call;
  breach_unless(attribute == cudaDevAttrMultiProcessorCount, "asks for what is not emulated");
  *value = 132;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char* id, int bytes, int) {
  const Call call;
  id[std::string{"0000:19:00.0"}.copy(id, static_cast<std::size_t>(bytes) - 1)] = '\0';
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

const char* cudaGetErrorString(cudaError_t error) {
  static thread_local std::string text;
  text = error == cudaErrorMemoryAllocation ? "out of memory"
                                            : "CUDA's error " + std::to_string(error);
  return text.c_str();
}
}
