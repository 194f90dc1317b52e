#pragma once

#include "topologies/routes.hpp"

#include <vector>

namespace decodesim {

/// The narrowest cut of a machine into two halves.
struct Bisection {
  BytesPerSecond bandwidth;  ///< from one half to the other, per direction
  std::vector<int> one_half; ///< GPU indices, in order; the others are the other half
};

/// Bisection bandwidth: the least maximum flow from one half of the GPUs to the other, over all
/// ways to halve them (of an odd number one half has one more).
///
/// Model:  only links on the way between two GPUs carry traffic, each direction its bandwidth; what
///         NVLink joins is not helped by PCIe beside it. Maximum flow by push-relabel
///         (Boost.Graph).
/// Limits: exact up to 16 GPUs of a single node. Above, the first half in file order against the
///         second: an upper bound. In a cluster the first nodes / 2 (rounded down) against the
///         others, each node sending no more than its GPUs together send to the network: exact for
///         a single switch, and for other fabrics when the halves fill whole leaf switches.
///
/// @return bandwidth 0 and no GPU for a single GPU
[[nodiscard]] Bisection find_bisection(const Machine& machine, const Routes& routes);

} // namespace decodesim
