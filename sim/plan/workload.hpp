#pragma once

#include "sim/model/model.hpp"

#include <cstdint>

namespace decodesim {

/// A static batch: `batch_size` sequences arrive at once, with equal lengths.
struct Workload {
  int batch_size = 1;              ///< sequences in flight on the whole layout
  std::int64_t input_tokens = 512; ///< prompt tokens per sequence
  std::int64_t output_tokens = 32; ///< generated tokens per sequence, the first from prefill
  Precision precision = {};

  [[nodiscard]] int decode_steps() const { return static_cast<int>(output_tokens - 1); }
};

} // namespace decodesim
