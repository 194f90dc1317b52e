#include "validation/executor/stored_elements.hpp"

#include "sim/error.hpp"

#include <bit>

namespace decodesim {

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U);
}

float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

StoredElements::StoredElements(const Array& array) : array_{array} {
  if (array.type != DataType::fp32 && array.type != DataType::bf16) {
    throw SimulationError{"the CPU computes in fp32 and bf16, not in " + to_string(array.type)};
  }
}

void StoredElements::check(std::int64_t index) const {
  if (index < 0 || index >= array_.elements) {
    throw SimulationError{"element " + std::to_string(index) + " of an array of " +
                          std::to_string(array_.elements)};
  }
}

float StoredElements::at(std::int64_t index) const {
  check(index);
  return array_.type == DataType::fp32
             ? static_cast<const float*>(array_.data)[index]
             : from_bf16(static_cast<const std::uint16_t*>(array_.data)[index]);
}

void StoredElements::set(std::int64_t index, float value) {
  check(index);
  if (array_.type == DataType::fp32) {
    static_cast<float*>(array_.data)[index] = value;
  } else {
    static_cast<std::uint16_t*>(array_.data)[index] = to_bf16(value);
  }
}

std::int32_t StoredElements::id_at(std::int64_t index) const {
  check(index);
  return static_cast<const std::int32_t*>(array_.data)[index];
}

void StoredElements::set_id(std::int64_t index, std::int32_t value) {
  check(index);
  static_cast<std::int32_t*>(array_.data)[index] = value;
}

} // namespace decodesim
