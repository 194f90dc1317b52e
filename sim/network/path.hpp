#pragma once

#include "sim/units.hpp"

#include <vector>

namespace decodesim {

/// One direction of one link of a machine: 2 x link for the direction in which the link is written
/// down, 2 x link + 1 for the other way.
using LinkDirection = int;

/// What carries a path end to end: the slowest kind of link on it. `host_memory` is a copy staged
/// there, since the two ends have no peer-to-peer access.
/// Enumerators are the names used in files.
enum class Transport { nvlink, pcie, host_memory, network };

/// The way from one GPU to another: directed links in order, with repetition never.
struct Path {
  std::vector<LinkDirection> links;
  Seconds latency;          ///< sum over the links
  BytesPerSecond bandwidth; ///< of the narrowest link, when nothing else uses it
  Transport transport = Transport::nvlink;
};

/// Costs of communication software on one transport, apart from the links.
struct TransportCost {
  Seconds base;             ///< start of any collective or message
  Seconds hop;              ///< per step of a ring or per message, beside the path's latency
  BytesPerSecond bandwidth; ///< most that the kernels of one GPU move per direction
};

} // namespace decodesim
