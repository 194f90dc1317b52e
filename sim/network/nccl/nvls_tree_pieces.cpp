#include "sim/network/nccl/nvls_tree_pieces.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace decodesim::nccl {

Transfer nvls_tree_transfer(const CollectiveTask& task, const GroupNetwork& group) {
  std::map<int, std::vector<int>> by_node;
  for (int member = 0; member < group.members(); ++member) {
    by_node[group.node(member)].push_back(member);
  }
  std::vector<std::vector<int>> nodes;
  for (auto& [node, members] : by_node) {
    nodes.push_back(std::move(members));
  }
  const auto per_node = nodes.front().size();
  const auto count = nodes.size();
  Flow ports{.bytes = (static_cast<double>(per_node) + 1.0) / static_cast<double>(per_node) *
                      task.total_bytes,
             .cap = group.cost(Transport::nvlink).bandwidth,
             .links = {},
             .hops = {}};
  Flow between{.bytes = 2.0 * (static_cast<double>(count) - 1.0) / static_cast<double>(count) *
                        task.total_bytes / static_cast<double>(per_node),
               .cap = group.cost(Transport::network).bandwidth,
               .links = {},
               .hops = {}};
  Seconds hop;
  for (std::size_t k = 0; k < count; ++k) {
    const auto& next = nodes[(k + 1) % count];
    if (nodes[k].size() != per_node) {
      throw LayoutError{"nvls-tree collectives need equally many ranks on every node"};
    }
    for (std::size_t i = 0; i < per_node; ++i) {
      const int member = nodes[k][i];
      const auto port = group.switch_port(member);
      if (!port) {
        throw LayoutError{"nvls-tree collectives need a switch that reduces in every node"};
      }
      ports.links.insert(ports.links.end(), {port->up, port->down});
      ports.hops.emplace_back(member, member);
      const auto& path = group.path(member, next[i]);
      between.links.insert(between.links.end(), path.links.begin(), path.links.end());
      between.hops.emplace_back(member, next[i]);
      hop = std::max(hop, group.cost(path.transport).hop + path.latency);
    }
  }
  const auto levels = std::floor(std::log2(static_cast<double>(count)));
  const auto latency = group.cost(Transport::network).base + 2.0 * levels * hop;
  Transfer transfer;
  transfer.add({.latency = latency, .flow = std::move(ports)});
  transfer.add({.latency = latency, .flow = std::move(between)});
  return transfer;
}

} // namespace decodesim::nccl
