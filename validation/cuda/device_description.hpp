#pragma once

#include "validation/measure/run_file.hpp"

#include <string>

namespace decodesim {

/// What a run file says of this process's current device, its state now (`before`) and the
/// libraries. Times, program, version and command are the caller's.
/// @throws DeviceError when there is no device
[[nodiscard]] Provenance describe_device();

/// Now in UTC: "2026-01-31T12:00:00Z".
[[nodiscard]] std::string utc_now();

/// Bus id of the current device as NVML knows it.
[[nodiscard]] std::string current_pci_bus_id();

} // namespace decodesim
