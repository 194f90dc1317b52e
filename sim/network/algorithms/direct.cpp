#include "sim/network/collective_algorithm.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace decodesim {

namespace {

/// Every ordered pair (a broadcast: the root and each other) moves `bytes` in each of `rounds`
/// rounds; each GPU's limit is shared by its n-1 peers.
Transfer direct(const CollectiveTask& task, const GroupNetwork& group, Bytes bytes, int rounds) {
  const int members = group.members();
  const bool from_root = task.kind == CollectiveKind::broadcast;
  Flow all{.bytes = static_cast<double>(rounds) * bytes, .cap = {}, .links = {}, .hops = {}};
  Seconds base;
  Seconds slowest_hop;
  std::map<std::tuple<int, Transport, bool>, int> peers; // member, over what, whether it sends
  for (int from = 0; from < (from_root ? 1 : members); ++from) {
    for (int to = 0; to < members; ++to) {
      if (to == from) {
        continue;
      }
      const auto& path = group.path(from, to);
      const auto& cost = group.cost(path.transport);
      all.links.insert(all.links.end(), path.links.begin(), path.links.end());
      all.hops.emplace_back(from, to);
      base = std::max(base, cost.base);
      slowest_hop = std::max(slowest_hop, cost.hop + path.latency);
      ++peers[{from, path.transport, true}];
      ++peers[{to, path.transport, false}];
    }
  }
  for (const auto& [end, count] : peers) {
    const auto share = group.cost(std::get<Transport>(end)).bandwidth / count;
    all.cap = all.cap ? std::min(*all.cap, share) : share;
  }
  Transfer transfer;
  if (task.fidelity == Fidelity::flow) {
    transfer.add(
        {.latency = base + static_cast<double>(rounds) * slowest_hop, .flow = std::move(all)});
    return transfer;
  }
  std::vector<std::vector<int>> received(static_cast<std::size_t>(members));
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::vector<int>> now(static_cast<std::size_t>(members));
    for (const auto& [from, to] : all.hops) {
      now[static_cast<std::size_t>(to)].push_back(
          transfer.add({.latency = slowest_hop + (round == 0 ? base : Seconds{}),
                        .flow = {.bytes = bytes,
                                 .cap = all.cap,
                                 .links = group.path(from, to).links,
                                 .hops = {{from, to}}},
                        .after = received[static_cast<std::size_t>(from)]}));
    }
    received = std::move(now);
  }
  return transfer;
}

/// What each pair moves in collectives without a reduction over all.
Bytes part(const CollectiveTask& task, const GroupNetwork& group) {
  return task.kind == CollectiveKind::broadcast ? task.total_bytes
                                                : task.total_bytes / group.members();
}

/// All-reduce: every ordered pair moves the whole array S. All-gather, reduce-scatter: S/n. Latency
/// base + the slowest hop.
Transfer one_shot(const CollectiveTask& task, const GroupNetwork& group) {
  return direct(task,
                group,
                task.kind == CollectiveKind::all_reduce ? task.total_bytes : part(task, group),
                1);
}

/// All-reduce as a direct reduce-scatter, then a direct all-gather: every ordered pair moves 2 S/n,
/// latency base + two slowest hops. Others as one-shot.
Transfer two_shot(const CollectiveTask& task, const GroupNetwork& group) {
  return task.kind == CollectiveKind::all_reduce
             ? direct(task, group, task.total_bytes / group.members(), 2)
             : one_shot(task, group);
}

const RegisterCollectiveAlgorithm one_shot_registration{
    {.name = "one-shot",
     .summary = "Every rank reads the whole array of every peer (small all-reduces)",
     .reference = "custom all-reduce of vLLM and TensorRT-LLM",
     .transfer = one_shot,
     .arrays_received = [](CollectiveKind kind, int members) {
       return (kind == CollectiveKind::all_reduce ? members : 1.0) * (members - 1.0);
     }}};

const RegisterCollectiveAlgorithm two_shot_registration{
    {.name = "two-shot",
     .summary = "Direct reduce-scatter, then direct all-gather",
     .reference = "custom all-reduce of vLLM and TensorRT-LLM",
     .transfer = two_shot,
     .arrays_received = [](CollectiveKind kind, int members) {
       return (kind == CollectiveKind::all_reduce ? 2.0 : 1.0) * (members - 1.0);
     }}};

} // namespace

} // namespace decodesim
