#pragma once

#include <cstdint>

namespace decodesim {

/// Delays that differ from rank to rank, exponentially distributed: most are short, some long.
///
/// A delay depends on nothing but the seed and where it is drawn for (a counter-based generator),
/// so that results do not depend on the order in which ranks are simulated. Of n such delays the
/// longest lasts on average H(n) = 1 + 1/2 + ... + 1/n times their mean.
/// Reference: splitmix64, Steele, Lea, Flood, OOPSLA 2014; Salmon et al., Parallel random numbers:
/// as easy as 1, 2, 3, SC 2011.
class LaunchJitter {
public:
  explicit LaunchJitter(std::uint64_t seed) : seed_{seed} {}

  struct Place {
    int rank = 0;
    int step = -1;     ///< -1 in the prefill
    int operation = 0; ///< index in the part of the rank's program
  };

  /// A delay, in units of the mean.
  [[nodiscard]] double delay(const Place& place) const;

private:
  std::uint64_t seed_;
};

} // namespace decodesim
