#pragma once

#include "sim/plan/plan.hpp"

#include <cstddef>
#include <vector>

namespace decodesim {

/// Where the buffers of a program lie in one piece of memory.
struct MemoryPlaces {
  std::vector<std::size_t> offset; ///< of each buffer; of a gathered part: within its buffer's
  std::vector<std::size_t> bytes;  ///< that may be touched: of the buffer, or more where a
                                   ///< collective pads it
  std::size_t total = 0;
};

/// Buffers are cut to 256 bytes. Weights, caches, gather buffers and what other streams touch or
/// what outlives a pass have memory of their own; activations of the compute stream share it with
/// those that live at other times (BufferKind::activation: from a write to the last read of it).
/// @param rank  whose groups pad the arrays of collectives
[[nodiscard]] MemoryPlaces memory_places(const Plan& plan, int rank);

} // namespace decodesim
