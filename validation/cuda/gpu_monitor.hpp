#pragma once

#include "validation/measure/run_file.hpp"

#include <optional>
#include <string>

namespace decodesim {

/// Reads a GPU's clocks and why they are held down, through NVML, which is loaded if it is there.
/// It never changes a setting.
class GpuMonitor {
public:
  /// @param pci_bus_id  as cudaDeviceGetPCIBusId gives it
  explicit GpuMonitor(const std::string& pci_bus_id);
  ~GpuMonitor();
  GpuMonitor(const GpuMonitor&) = delete;
  GpuMonitor& operator=(const GpuMonitor&) = delete;

  /// Nothing where NVML, or the GPU in it, is not there.
  [[nodiscard]] std::optional<GpuState> state() const;

  /// "580.65.06", or empty.
  [[nodiscard]] std::string driver_version() const;

private:
  void* library_ = nullptr;
  void* device_ = nullptr;
};

/// Names of the bits of NVML's throttle reasons; idleness is none.
[[nodiscard]] std::vector<std::string> throttle_reason_names(unsigned long long bits);

} // namespace decodesim
