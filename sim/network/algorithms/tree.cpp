#include "sim/network/ring_pieces.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace decodesim {

namespace {

/// Parent of node `i` in a binary tree over nodes 0 to n-1 in which half of the nodes are leaves;
/// -1 for the root, node 0.
int parent_in_tree(int i, int n) {
  if (i == 0) {
    return -1;
  }
  const int lowest_bit = i & -i;
  const int up = (i ^ lowest_bit) | (lowest_bit << 1);
  return up < n ? up : i ^ lowest_bit;
}

/// The second tree is the first with its nodes renumbered, so that a leaf of one is inside the
/// other: shifted by one for an odd number, mirrored for an even one.
int renumbered(int i, int n) { return n % 2 == 0 ? n - 1 - i : (i + 1) % n; }

struct TreeEdge {
  int child = 0; ///< member
  int parent = 0;
  int depth = 0;     ///< of the child, in edges from the root
  Seconds from_root; ///< hops on the way from the root to the child
};

/// Edges of one tree, nearest to the root first: a binary tree over the nodes' first members,
/// and in each node a chain from there.
std::vector<TreeEdge>
tree_edges(const std::vector<std::vector<int>>& nodes, bool second, const GroupNetwork& group) {
  const int n = static_cast<int>(nodes.size());
  const auto node_at = [&](int position) { return second ? renumbered(position, n) : position; };
  std::vector<TreeEdge> edges;
  const auto add = [&](int parent, int child) {
    const auto& path = group.path(parent, child);
    const auto hop = group.cost(path.transport).hop + path.latency;
    TreeEdge edge{.child = child, .parent = parent, .depth = 1, .from_root = hop};
    for (const auto& one : edges) {
      if (one.child == parent) {
        edge.depth = one.depth + 1;
        edge.from_root = one.from_root + hop;
      }
    }
    edges.push_back(edge);
  };
  std::vector<int> open{0};
  while (!open.empty()) {
    const int position = open.front();
    open.erase(open.begin());
    for (int child = 1; child < n; ++child) {
      if (parent_in_tree(child, n) == position) {
        add(nodes[static_cast<std::size_t>(node_at(position))].front(),
            nodes[static_cast<std::size_t>(node_at(child))].front());
        open.push_back(child);
      }
    }
  }
  for (const auto& members : nodes) {
    for (std::size_t i = 1; i < members.size(); ++i) {
      add(members[i - 1], members[i]);
    }
  }
  std::stable_sort(
      edges.begin(), edges.end(), [](const auto& a, const auto& b) { return a.depth < b.depth; });
  return edges;
}

/// Members node by node, in the order in which a channel visits them.
std::vector<std::vector<int>> nodes_of(const std::vector<RingEdge>& channel,
                                       const GroupNetwork& group) {
  // A channel may begin in the middle of a node; its crossing into a node is where a node begins.
  std::size_t begin = 0;
  for (std::size_t i = 0; i < channel.size(); ++i) {
    if (group.node(channel[i].from) != group.node(channel[i].to)) {
      begin = (i + 1) % channel.size();
      break;
    }
  }
  std::vector<std::vector<int>> nodes;
  for (std::size_t k = 0; k < channel.size(); ++k) {
    const int member = channel[(begin + k) % channel.size()].from;
    if (nodes.empty() || group.node(nodes.back().front()) != group.node(member)) {
      nodes.emplace_back();
    }
    nodes.back().push_back(member);
  }
  return nodes;
}

void add_hop(Flow& flow, int from, int to, const GroupNetwork& group) {
  const auto& links = group.path(from, to).links;
  flow.links.insert(flow.links.end(), links.begin(), links.end());
  flow.hops.emplace_back(from, to);
}

struct Limits {
  Seconds base;
  std::optional<BytesPerSecond> cap;
};

/// A GPU's limit on a transport holds for all its edges of that kind together, each way.
Limits limits_of(const std::vector<std::vector<TreeEdge>>& trees, const GroupNetwork& group) {
  std::map<std::pair<int, Transport>, int> edges_at;
  const auto for_each_end = [&](const auto& action) {
    for (const auto& edges : trees) {
      for (const auto& edge : edges) {
        const auto transport = group.path(edge.parent, edge.child).transport;
        action(edge.child, transport);
        action(edge.parent, transport);
      }
    }
  };
  for_each_end([&](int member, Transport transport) { ++edges_at[{member, transport}]; });
  Limits limits;
  for_each_end([&](int member, Transport transport) {
    const auto& cost = group.cost(transport);
    limits.base = std::max(limits.base, cost.base);
    const auto share = cost.bandwidth / edges_at.at({member, transport});
    limits.cap = limits.cap ? std::min(*limits.cap, share) : share;
  });
  return limits;
}

/// Chunks are reduced up the tree and, from the root, sent down again, one after another over
/// every edge; the first chunk pays the latency.
void add_steps(Transfer& transfer,
               const std::vector<TreeEdge>& edges,
               Bytes bytes,
               const Limits& limits,
               const GroupNetwork& group) {
  const int chunks = chunk_count(bytes);
  const auto members = static_cast<std::size_t>(group.members());
  std::vector<int> up_before(members, -1);   // last piece over the edge above a member
  std::vector<int> down_before(members, -1); // to the member
  for (int chunk = 0; chunk < chunks; ++chunk) {
    std::vector<std::vector<int>> arrived(members); // this chunk's pieces, from below
    const auto add = [&](int from, int to, std::vector<int> after, int& before) {
      const auto& path = group.path(from, to);
      Piece piece{.latency = {},
                  .flow = {.bytes = bytes / static_cast<double>(chunks),
                           .cap = limits.cap,
                           .links = {},
                           .hops = {}},
                  .after = std::move(after)};
      if (before < 0) {
        piece.latency = group.cost(path.transport).hop + path.latency +
                        (piece.after.empty() ? limits.base : Seconds{});
      } else {
        piece.after.push_back(before);
      }
      add_hop(piece.flow, from, to, group);
      before = transfer.add(std::move(piece));
      return before;
    };
    for (auto edge = edges.rbegin(); edge != edges.rend(); ++edge) {
      const auto child = static_cast<std::size_t>(edge->child);
      const int piece = add(edge->child, edge->parent, arrived[child], up_before[child]);
      arrived[static_cast<std::size_t>(edge->parent)].push_back(piece);
    }
    const int root = edges.front().parent;
    std::vector<int> have(members, -1); // the piece that brought the reduced chunk
    for (const auto& edge : edges) {
      const auto child = static_cast<std::size_t>(edge.child);
      auto after = edge.parent == root ? arrived[static_cast<std::size_t>(root)]
                                       : std::vector{have[static_cast<std::size_t>(edge.parent)]};
      have[child] = add(edge.parent, edge.child, std::move(after), down_before[child]);
    }
  }
}

/// All-reduce: two binary trees over the nodes per channel, each with half of the channel's data,
/// and chains inside the nodes; reduced up and broadcast down, chunk after chunk. Every edge
/// carries its tree's data once each way. Latency: base + twice the hops to the farthest member.
/// Others as ring.
Transfer tree(const CollectiveTask& task, const GroupNetwork& group) {
  if (task.kind != CollectiveKind::all_reduce) {
    return ring_transfer(task, group);
  }
  const auto& channels = group.channels();
  std::vector<std::vector<TreeEdge>> trees;
  for (const auto& channel : channels) {
    const auto nodes = nodes_of(channel, group);
    trees.push_back(tree_edges(nodes, false, group));
    trees.push_back(tree_edges(nodes, true, group));
  }
  const auto limits = limits_of(trees, group);
  const auto bytes = task.total_bytes / (2.0 * static_cast<double>(channels.size()));
  Transfer transfer;
  if (task.fidelity == Fidelity::step) {
    for (const auto& edges : trees) {
      add_steps(transfer, edges, bytes, limits, group);
    }
    return transfer;
  }
  Piece piece{.latency = {}, .flow = {.bytes = bytes, .cap = limits.cap, .links = {}, .hops = {}}};
  for (const auto& edges : trees) {
    for (const auto& edge : edges) {
      add_hop(piece.flow, edge.child, edge.parent, group);
      add_hop(piece.flow, edge.parent, edge.child, group);
      piece.latency = std::max(piece.latency, 2.0 * edge.from_root);
    }
  }
  piece.latency += limits.base;
  transfer.add(std::move(piece));
  return transfer;
}

const RegisterCollectiveAlgorithm registration{
    {.name = "tree",
     .summary = "All-reduce over double binary trees of nodes, chains inside; others as ring",
     .reference = "NCCL; Sanders, Speck, Traeff, Parallel Computing 35(12), 2009",
     .transfer = tree,
     .arrays_received = [](CollectiveKind kind, int members) {
       return (kind == CollectiveKind::all_reduce ? 2.0 : 1.0) * (members - 1.0);
     }}};

} // namespace

} // namespace decodesim
