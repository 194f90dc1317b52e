#pragma once

#include "topologies/machine.hpp"

#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace decodesim {

/// Cost of a link in the search for ways, in s: latency + 1 MiB / bandwidth. Large enough a message
/// that bandwidth decides, small enough that of two equally wide ways the one with fewer crossings
/// is taken.
[[nodiscard]] double way_weight(const Link& link);

/// Ways between the vertices of the first node, by the rules of Routes; searched when asked for and
/// kept.
class NodeWays {
public:
  explicit NodeWays(const Machine& machine); ///< `machine` must outlive this
  ~NodeWays();
  NodeWays(const NodeWays&) = delete;
  NodeWays& operator=(const NodeWays&) = delete;

  /// @param from, to  vertices of the first node, different
  /// @return links in order; nothing when there is no way
  [[nodiscard]] std::optional<std::vector<LinkDirection>> between(int from, int to);

  /// The same where every way is allowed.
  [[nodiscard]] std::optional<std::vector<LinkDirection>> wires(int from, int to);

private:
  class Search;

  /// @param direct  only by links that peer-to-peer access allows
  [[nodiscard]] const Search& search(int source, bool direct);

  const Machine& machine_;
  MachineGraph node_; ///< the first node without its network links
  std::map<std::pair<int, bool>, Search> searches_;
};

} // namespace decodesim
