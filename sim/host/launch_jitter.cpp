#include "sim/host/launch_jitter.hpp"

#include <cmath>
#include <initializer_list>

namespace decodesim {

namespace {

std::uint64_t mix(std::uint64_t state) {
  state += 0x9e3779b97f4a7c15ULL;
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ULL;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebULL;
  return state ^ (state >> 31);
}

} // namespace

double LaunchJitter::delay(const Place& place) const {
  auto state = mix(seed_);
  for (const int one : {place.rank, place.step, place.operation}) {
    state = mix(state ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(one)));
  }
  const double uniform = (static_cast<double>(state >> 11) + 0.5) * 0x1p-53; // in (0, 1)
  return -std::log(uniform);
}

} // namespace decodesim
