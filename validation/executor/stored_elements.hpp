#pragma once

#include "validation/executor/kernel_calls.hpp"

namespace decodesim {

/// An array in the host's memory, element by element.
class StoredElements {
public:
  /// @throws SimulationError when its type is none of fp32, bf16 and fp16
  explicit StoredElements(const Array& array);

  /// @throws SimulationError beyond the array
  [[nodiscard]] float at(std::int64_t index) const;
  void set(std::int64_t index, float value);

  /// The same as whole numbers: token ids.
  [[nodiscard]] std::int32_t id_at(std::int64_t index) const;
  void set_id(std::int64_t index, std::int32_t value);

private:
  Array array_;

  void check(std::int64_t index) const;
};

/// Nearest bf16, ties to even, as its upper 16 bits.
[[nodiscard]] std::uint16_t to_bf16(float value);
[[nodiscard]] float from_bf16(std::uint16_t bits);
[[nodiscard]] std::uint16_t to_fp16(float value);
[[nodiscard]] float from_fp16(std::uint16_t bits);

} // namespace decodesim
