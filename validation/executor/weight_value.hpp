#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define DECODESIM_ON_DEVICE __host__ __device__
#else
#define DECODESIM_ON_DEVICE
#endif

namespace decodesim {

/// A number in [-1, 1) for each element of each tensor, the same on hosts and GPUs.
/// Source: the output function of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
DECODESIM_ON_DEVICE constexpr float weight_value(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  z ^= z >> 31U;
  return static_cast<float>(z >> 40U) * 0x1p-23F - 1.0F;
}

} // namespace decodesim
