#pragma once

#include "sim/routing/routing.hpp"

#include <cstdint>

namespace decodesim {

/// Random numbers of one token in one layer, or of one layer: a stream of its own for each place,
/// so that numbers do not depend on who asks first. The distributions of the standard library
/// differ between its implementations; these do not.
///
/// Source: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA
/// 2014), its output function also mixing the place into the state.
class TokenRandom {
public:
  TokenRandom(std::uint64_t seed, const TokenPlace& place)
      : TokenRandom{seed, place.iteration, place.layer} {
    mix_in(static_cast<std::uint64_t>(place.sequence));
    mix_in(static_cast<std::uint64_t>(place.position));
  }

  TokenRandom(std::uint64_t seed, int iteration, int layer) : state_{mixed(seed)} {
    mix_in(static_cast<std::uint64_t>(iteration));
    mix_in(static_cast<std::uint64_t>(layer));
  }

  std::uint64_t next() {
    state_ += increment;
    return mixed(state_);
  }

  /// From 0 to `count` - 1, each as likely but for 2^-32 x count.
  int below(int count) {
    return static_cast<int>(((next() >> 32U) * static_cast<std::uint64_t>(count)) >> 32U);
  }

  /// In [0, 1).
  double unit() { return static_cast<double>(next() >> 11U) * 0x1p-53; }

private:
  static constexpr std::uint64_t increment = 0x9e3779b97f4a7c15U;

  static std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

  void mix_in(std::uint64_t value) { state_ = mixed(state_ + increment + value); }

  std::uint64_t state_;
};

} // namespace decodesim
