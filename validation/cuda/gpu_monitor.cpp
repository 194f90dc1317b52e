#include "validation/cuda/gpu_monitor.hpp"

#include <array>
#include <dlfcn.h>
#include <utility>

namespace decodesim {

namespace {

// NVML's interface as nvml.h declares it; the header comes with the driver, which need not be here.
constexpr unsigned sm_clock = 1;
constexpr unsigned memory_clock = 2;
constexpr unsigned core_temperature = 0;

template <class Function> Function* symbol(void* library, const char* name) {
  return library == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(library, name));
}

/// Value that NVML's `name` puts behind its last argument, or zero.
template <class Value, class... Arguments>
Value ask(void* library, const char* name, Arguments... arguments) {
  const auto function = symbol<int(Arguments..., Value*)>(library, name);
  Value value{};
  return function != nullptr && function(arguments..., &value) == 0 ? value : Value{};
}

} // namespace

GpuMonitor::GpuMonitor(const std::string& pci_bus_id) {
  library_ = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  const auto start = symbol<int()>(library_, "nvmlInit_v2");
  if (start != nullptr && start() == 0) {
    device_ = ask<void*>(library_, "nvmlDeviceGetHandleByPciBusId_v2", pci_bus_id.c_str());
  }
}

GpuMonitor::~GpuMonitor() {
  if (const auto stop = symbol<int()>(library_, "nvmlShutdown")) {
    stop();
  }
  if (library_ != nullptr) {
    dlclose(library_);
  }
}

std::optional<GpuState> GpuMonitor::state() const {
  if (device_ == nullptr) {
    return std::nullopt;
  }
  const auto clock = [this](unsigned kind) {
    return static_cast<int>(ask<unsigned>(library_, "nvmlDeviceGetClockInfo", device_, kind));
  };
  return GpuState{.sm_clock_mhz = clock(sm_clock),
                  .memory_clock_mhz = clock(memory_clock),
                  .temperature_c = static_cast<int>(ask<unsigned>(
                      library_, "nvmlDeviceGetTemperature", device_, core_temperature)),
                  .power_w = ask<unsigned>(library_, "nvmlDeviceGetPowerUsage", device_) * 1e-3,
                  .throttle_reasons = throttle_reason_names(ask<unsigned long long>(
                      library_, "nvmlDeviceGetCurrentClocksThrottleReasons", device_))};
}

std::string GpuMonitor::driver_version() const {
  std::array<char, 96> text{};
  const auto get = symbol<int(char*, unsigned)>(library_, "nvmlSystemGetDriverVersion");
  return get != nullptr && get(text.data(), text.size()) == 0 ? text.data() : "";
}

std::vector<std::string> throttle_reason_names(unsigned long long bits) {
  // Source: NVML API reference, nvmlClocksThrottleReasons; bit 0 is idleness.
  constexpr std::array<std::pair<unsigned long long, const char*>, 8> reasons{
      {{0x2, "applications_clocks_setting"},
       {0x4, "sw_power_cap"},
       {0x8, "hw_slowdown"},
       {0x10, "sync_boost"},
       {0x20, "sw_thermal_slowdown"},
       {0x40, "hw_thermal_slowdown"},
       {0x80, "hw_power_brake_slowdown"},
       {0x100, "display_clock_setting"}}};
  std::vector<std::string> names;
  for (const auto& [bit, name] : reasons) {
    if ((bits & bit) != 0) {
      names.emplace_back(name);
    }
  }
  return names;
}

} // namespace decodesim
