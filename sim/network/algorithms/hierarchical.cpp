#include "sim/error.hpp"
#include "sim/network/ring_pieces.hpp"

#include <algorithm>
#include <map>

namespace decodesim {

namespace {

RingEdge edge(int from, int to, const GroupNetwork& group) {
  return {.from = from, .to = to, .path = &group.path(from, to)};
}

std::vector<RingEdge> ring_over(const std::vector<int>& members, const GroupNetwork& group) {
  std::vector<RingEdge> ring;
  for (std::size_t i = 0; i < members.size(); ++i) {
    ring.push_back(edge(members[i], members[(i + 1) % members.size()], group));
  }
  return ring;
}

/// Members by node, in member order.
std::vector<std::vector<int>> nodes_of(const GroupNetwork& group) {
  std::map<int, std::vector<int>> by_node;
  for (int member = 0; member < group.members(); ++member) {
    by_node[group.node(member)].push_back(member);
  }
  std::vector<std::vector<int>> nodes;
  for (auto& [node, members] : by_node) {
    if (!nodes.empty() && members.size() != nodes.front().size()) {
      throw LayoutError{"hierarchical collectives need equally many ranks on every node; here " +
                        std::to_string(nodes.front().size()) + " and " +
                        std::to_string(members.size())};
    }
    nodes.push_back(std::move(members));
  }
  return nodes;
}

/// One level after the other, N nodes with L members each: all-reduce as reduce-scatter in every
/// node (S), all-reduce among members of equal number (S/L each, one rail each) and all-gather in
/// every node (S); all-gather as its last two phases, reduce-scatter as its first two; broadcast
/// from the root's node to the others, then in every node. Rings on each level; a group in one node
/// or with one member a node is one ring.
Transfer hierarchical(const CollectiveTask& task, const GroupNetwork& group) {
  const auto nodes = nodes_of(group);
  const auto locals = nodes.front().size();
  if (nodes.size() == 1 || locals == 1) {
    return ring_transfer(task, group);
  }
  Transfer transfer;
  std::vector<std::vector<RingEdge>> inside;
  std::vector<std::size_t> place(static_cast<std::size_t>(group.members())); // in the first channel
  for (std::size_t i = 0; i < place.size(); ++i) {
    place[static_cast<std::size_t>(group.channels().front()[i].from)] = i;
  }
  for (auto members : nodes) {
    std::sort(members.begin(), members.end(), [&](int a, int b) {
      return place[static_cast<std::size_t>(a)] < place[static_cast<std::size_t>(b)];
    });
    inside.push_back(ring_over(members, group));
  }
  std::vector<std::vector<RingEdge>> across;
  for (std::size_t local = 0; local < locals; ++local) {
    std::vector<int> rail;
    for (const auto& members : nodes) {
      rail.push_back(members[local]);
    }
    across.push_back(ring_over(rail, group));
  }
  std::vector<int> done;
  const auto phase =
      [&](CollectiveKind kind, const std::vector<std::vector<RingEdge>>& rings, Bytes bytes) {
        done = add_rings(transfer,
                         {.kind = kind,
                          .bytes = bytes,
                          .rings = rings,
                          .starts = transfer.pieces.empty(),
                          .after = done},
                         task.fidelity,
                         group);
      };
  const auto whole = task.total_bytes;
  const auto part = whole / static_cast<double>(locals);
  switch (task.kind) {
  case CollectiveKind::all_reduce:
    phase(CollectiveKind::reduce_scatter, inside, whole);
    phase(CollectiveKind::all_reduce, across, part);
    phase(CollectiveKind::all_gather, inside, whole);
    break;
  case CollectiveKind::all_gather:
    phase(CollectiveKind::all_gather, across, part);
    phase(CollectiveKind::all_gather, inside, whole);
    break;
  case CollectiveKind::reduce_scatter:
    phase(CollectiveKind::reduce_scatter, inside, whole);
    phase(CollectiveKind::reduce_scatter, across, part);
    break;
  case CollectiveKind::broadcast:
    phase(CollectiveKind::broadcast, {across.front()}, whole);
    phase(CollectiveKind::broadcast, inside, whole);
    break;
  }
  return transfer;
}

const RegisterCollectiveAlgorithm registration{
    {.name = "hierarchical",
     .summary = "Rings inside the nodes and, one per rail, across them",
     .reference = "Cho et al., BlueConnect, MLSys 2019",
     .transfer = hierarchical,
     .arrays_received = [](CollectiveKind kind, int members) {
       return (kind == CollectiveKind::all_reduce ? 2.0 : 1.0) * (members - 1.0);
     }}};

} // namespace

} // namespace decodesim
