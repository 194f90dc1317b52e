#pragma once

#include "sim/result/result.hpp"
#include "sim/result/table.hpp"

namespace decodesim {

/// Layouts beside one another, a row each: memory, latency, throughput.
[[nodiscard]] Table speed_table(const Report& report);

/// Traffic of a step and shares of the GPUs' time; without rows when no layout has run.
[[nodiscard]] Table time_table(const Report& report);

} // namespace decodesim
