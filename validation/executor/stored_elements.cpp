#include "validation/executor/stored_elements.hpp"

#include "sim/error.hpp"

#include <bit>
#include <cmath>

namespace decodesim {

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U);
}

float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

std::uint16_t to_fp16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = (bits >> 16U) & 0x8000U;
  const auto size = bits & 0x7fffffffU;
  std::uint32_t half = 0;
  if (size > 0x7f800000U) {
    half = 0x7e00U; // not a number
  } else if (size >= 0x47800000U) {
    half = 0x7c00U; // 2^16 and more: infinite
  } else if (size < 0x38800000U) {
    // Below 2^-14: multiples of 2^-24.
    half = static_cast<std::uint32_t>(std::nearbyint(std::abs(value) * 0x1p24F));
  } else {
    half = (size - 0x38000000U + 0xfffU + ((size >> 13U) & 1U)) >> 13U;
  }
  return static_cast<std::uint16_t>(sign | half);
}

float from_fp16(std::uint16_t bits) {
  const auto exponent = (bits >> 10U) & 0x1fU;
  const auto fraction = bits & 0x3ffU;
  float size = 0;
  if (exponent == 0) {
    size = static_cast<float>(fraction) * 0x1p-24F;
  } else {
    const auto wide = exponent == 0x1fU ? 0xffU : exponent + 112U;
    size = std::bit_cast<float>(static_cast<std::uint32_t>((wide << 23U) | (fraction << 13U)));
  }
  return (bits & 0x8000U) != 0 ? -size : size;
}

StoredElements::StoredElements(const Array& array) : array_{array} {
  if (array.type != DataType::fp32 && array.type != DataType::bf16 &&
      array.type != DataType::fp16) {
    throw SimulationError{"the CPU computes in fp32, bf16 and fp16, not in " +
                          to_string(array.type)};
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
  if (array_.type == DataType::fp32) {
    return static_cast<const float*>(array_.data)[index];
  }
  const auto bits = static_cast<const std::uint16_t*>(array_.data)[index];
  return array_.type == DataType::bf16 ? from_bf16(bits) : from_fp16(bits);
}

void StoredElements::set(std::int64_t index, float value) {
  check(index);
  if (array_.type == DataType::fp32) {
    static_cast<float*>(array_.data)[index] = value;
  } else {
    static_cast<std::uint16_t*>(array_.data)[index] =
        array_.type == DataType::bf16 ? to_bf16(value) : to_fp16(value);
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
