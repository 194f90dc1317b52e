#include "validation/cuda/device_description.hpp"

#include "validation/cuda/device_error.hpp"
#include "validation/cuda/gpu_monitor.hpp"

#include <array>
#include <ctime>

namespace decodesim {

namespace {

/// "13.0" of 13000.
std::string cuda_version() {
  int version = 0;
  check(cudaRuntimeGetVersion(&version), "ask for the version of CUDA");
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// "2.28.9" of 22809.
std::string nccl_version() {
  int version = 0;
  check(ncclGetVersion(&version), "ask for the version of NCCL");
  return std::to_string(version / 10000) + "." + std::to_string(version % 10000 / 100) + "." +
         std::to_string(version % 100);
}

/// "13.1.0" of 130100.
std::string cublas_version() {
  const auto version = cublasLtGetVersion();
  return std::to_string(version / 10000) + "." + std::to_string(version % 10000 / 100) + "." +
         std::to_string(version % 100);
}

} // namespace

std::string current_pci_bus_id() {
  int device = 0;
  check(cudaGetDevice(&device), "find a CUDA device");
  std::array<char, 32> id{};
  check(cudaDeviceGetPCIBusId(id.data(), static_cast<int>(id.size()), device),
        "ask for the bus id of the device");
  return id.data();
}

Provenance describe_device() {
  int devices = 0;
  check(cudaGetDeviceCount(&devices), "find a CUDA device");
  int device = 0;
  check(cudaGetDevice(&device), "find a CUDA device");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "ask for the properties of the device");
  const GpuMonitor monitor{current_pci_bus_id()};
  return {.device = properties.name,
          .devices = devices,
          .compute_capability =
              std::to_string(properties.major) + "." + std::to_string(properties.minor),
          .sm_count = properties.multiProcessorCount,
          .l2_bytes = properties.l2CacheSize,
          .memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem),
          .driver = monitor.driver_version(),
          .cuda = cuda_version(),
          .nccl = nccl_version(),
          .cublas = cublas_version(),
          .before = monitor.state()};
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

} // namespace decodesim
