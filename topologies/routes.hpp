#pragma once

#include "sim/network/path.hpp"
#include "topologies/machine.hpp"

#include <vector>

namespace decodesim {

/// Ways between the GPUs of a machine: for each pair the one that moves a large message soonest.
///
/// Dijkstra with the weight latency + 1 MiB / bandwidth per link; ties go to the lower vertex index.
/// Traffic never passes through a GPU that is not an end; it enters and leaves a network only
/// through NICs. Rows are searched on demand and kept, so that clusters of thousands of GPUs only
/// pay for the pairs that are asked for. Not safe to call from several threads.
class Routes {
public:
  explicit Routes(const Machine& machine); ///< `machine` must outlive this

  /// @param from, to  GPU indices, different
  /// @throws InputError when there is no way
  [[nodiscard]] const Path& between(int from, int to) const;

private:
  const Machine& machine_;
  mutable std::vector<std::vector<Path>> rows_; ///< [from][to], empty until asked for
};

} // namespace decodesim
