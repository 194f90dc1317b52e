#include "sim/engine/prepared_transfers.hpp"

#include "sim/plan/expert_loads.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <tuple>

namespace decodesim {

namespace {

/// Numbers what is equal, so that exact values need not be compared again.
template <class Key> class Numbers {
public:
  std::int64_t operator()(const Key& key) {
    return known_.try_emplace(key, static_cast<std::int64_t>(known_.size())).first->second;
  }

  [[nodiscard]] std::int64_t at(const Key& key) const { return known_.at(key); }

private:
  std::map<Key, std::int64_t> known_;
};

} // namespace

/// Works out a plan's transfers and the graph of who takes part in them and what they cross.
class PreparedTransfers::Writer {
public:
  Writer(const Plan& plan,
         const std::vector<ProgramIndex>& indices,
         const Communication& communication,
         const std::vector<bool>& shares_memory)
      : plan_{plan}, communication_{communication}, shares_memory_{shares_memory},
        links_{2 * static_cast<int>(communication.machine().links.size())} {
    const auto& machine = communication.machine();
    for (int link = 0; link < links_; ++link) {
      graph.kind_of_resource.push_back(number(machine.link(link).bandwidth.value.value()));
    }
    graph.kind_of_resource.resize(static_cast<std::size_t>(links_ + machine.gpu_count()),
                                  number(machine.gpu.memory_bandwidth.value.value()));
    graph.rank_of_resource.resize(graph.kind_of_resource.size(), -1);
    graph.role_of_rank = plan.program_of_rank;
    graph.transfers_of_rank.resize(static_cast<std::size_t>(plan.ranks()));
    for (int rank = 0; rank < plan.ranks(); ++rank) {
      graph.rank_of_resource[static_cast<std::size_t>(memory_of(rank))] = rank;
      const auto role =
          static_cast<std::size_t>(plan.program_of_rank[static_cast<std::size_t>(rank)]);
      for (const auto* one : indices[role].collectives) {
        add_collective(rank, *one);
      }
      for (const auto* one : indices[role].messages) {
        add_message(rank, *one);
      }
    }
  }

  CommunicationGraph graph;
  std::vector<Transfer> transfers;

  /// Resources below this are directions of links, the others memories.
  [[nodiscard]] int links() const { return links_; }

  /// Sender and receiver of a rank's message.
  [[nodiscard]] std::pair<int, int> ends_of(int rank, const Message& message) const {
    const int peer = plan_.group(message.axis, rank)[static_cast<std::size_t>(message.peer)];
    return message.direction == Message::Direction::send ? std::pair{rank, peer}
                                                         : std::pair{peer, rank};
  }

  [[nodiscard]] std::int64_t communicator(const Message& message) const {
    return communicators_.at({message.axis, message.channel});
  }

private:
  static std::int64_t bits(double value) { return std::bit_cast<std::int64_t>(value); }

  std::int64_t number(double value) { return bandwidths_(bits(value)); }

  int memory_of(int rank) const { return links_ + communication_.gpu(rank); }

  int add(Transfer transfer, bool message, const std::vector<int>& ranks) {
    const bool shared = std::any_of(ranks.begin(), ranks.end(), [&](int rank) {
      return shares_memory_[static_cast<std::size_t>(
          plan_.program_of_rank[static_cast<std::size_t>(rank)])];
    });
    CommunicationGraph::Transfer in_graph{.message = message};
    if (message) {
      in_graph.ranks = ranks;
    }
    std::vector<std::int64_t> shape;
    for (const auto& piece : transfer.pieces) {
      auto& resources = in_graph.resources.emplace_back(piece.flow.links);
      for (const auto& [from, to] : shared ? piece.flow.hops : decltype(piece.flow.hops){}) {
        for (const int member : {from, to}) {
          resources.push_back(memory_of(ranks[static_cast<std::size_t>(member)]));
        }
      }
      shape.insert(shape.end(),
                   {bits(piece.latency.value()),
                    bits(piece.flow.bytes.value()),
                    piece.flow.cap ? bits(piece.flow.cap->value()) : -1,
                    static_cast<std::int64_t>(piece.after.size())});
      shape.insert(shape.end(), piece.after.begin(), piece.after.end());
    }
    in_graph.shape = shapes_(shape);
    graph.transfers.push_back(std::move(in_graph));
    transfers.push_back(std::move(transfer));
    return static_cast<int>(transfers.size()) - 1;
  }

  void add_collective(int rank, const Collective& collective) {
    const auto& axis = plan_.axis(collective.axis);
    const int group = axis.group_of_rank[static_cast<std::size_t>(rank)];
    const auto [entry, added] = collectives_.try_emplace(
        {&axis, group, collective.kind, collective.total_bytes.value()}, -1);
    if (added) {
      entry->second = add(communication_.collective(axis, group, collective),
                          false,
                          communication_.members(axis, group));
    }
    graph.transfers_of_rank[static_cast<std::size_t>(rank)].push_back(entry->second);
  }

  void add_message(int rank, const Message& message) {
    const auto [from, to] = ends_of(rank, message);
    const auto [entry, added] = messages_.try_emplace({from, to, message.bytes.value()}, -1);
    if (added) {
      entry->second = add(communication_.message(from, to, message.bytes), true, {from, to});
    }
    graph.transfers_of_rank[static_cast<std::size_t>(rank)].push_back(entry->second);
    const auto communicator = communicators_({message.axis, message.channel});
    if (channels_.emplace(communicator, from, to).second) {
      graph.channels.push_back({.communicator = communicator, .from = from, .to = to});
    }
  }

  const Plan& plan_;
  const Communication& communication_;
  const std::vector<bool>& shares_memory_;
  int links_ = 0;
  Numbers<std::int64_t> bandwidths_;
  Numbers<std::vector<std::int64_t>> shapes_;
  Numbers<std::pair<std::string, std::string>> communicators_; // axis, channel
  std::map<std::tuple<const GroupAxis*, int, CollectiveKind, double>, int> collectives_;
  std::map<std::tuple<int, int, double>, int> messages_; // from, to, bytes
  std::set<std::tuple<std::int64_t, int, int>> channels_;
};

PreparedTransfers::PreparedTransfers(const Plan& plan,
                                     const std::vector<ProgramIndex>& indices,
                                     const Communication& communication,
                                     const std::vector<bool>& shares_memory,
                                     Folding folding,
                                     Platform& platform)
    : PreparedTransfers{
          plan, indices, Writer{plan, indices, communication, shares_memory}, folding, platform} {
  prepare_exchanges(plan, indices, communication, shares_memory, platform);
}

void PreparedTransfers::prepare_exchanges(const Plan& plan,
                                          const std::vector<ProgramIndex>& indices,
                                          const Communication& communication,
                                          const std::vector<bool>& shares_memory,
                                          Platform& platform) {
  std::map<std::tuple<std::string, int, Exchange::Direction>, ExchangeEnd> known; // axis, group
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    const auto r = static_cast<std::size_t>(rank);
    for (const auto* exchange :
         indices[static_cast<std::size_t>(plan.program_of_rank[r])].exchanges) {
      const auto& axis = plan.axis(exchange->axis);
      const auto [entry, added] =
          known.try_emplace({axis.name, axis.group_of_rank[r], exchange->direction});
      if (added) {
        const auto& ranks = plan.group(exchange->axis, rank);
        const bool share_memory = std::any_of(ranks.begin(), ranks.end(), [&](int member) {
          return shares_memory[static_cast<std::size_t>(
              plan.program_of_rank[static_cast<std::size_t>(member)])];
        });
        entry->second = {.communicator = communicator_sizes_.size(),
                         .group = exchange_groups_.size()};
        communicator_sizes_.push_back(static_cast<int>(ranks.size()));
        exchange_groups_.push_back(ways_between(ranks,
                                                plan.expert_loads->grid().tp,
                                                exchange->direction,
                                                share_memory,
                                                communication,
                                                platform));
      }
      ends_[r].exchanges.push_back(entry->second);
    }
  }
}

/// Ways between all members that do not share their tokens: which of them are used, each step
/// decides anew.
PreparedTransfers::ExchangeGroup PreparedTransfers::ways_between(const std::vector<int>& ranks,
                                                                 int tp,
                                                                 Exchange::Direction direction,
                                                                 bool share_memory,
                                                                 const Communication& communication,
                                                                 Platform& platform) {
  ExchangeGroup group{.members = ranks.size(), .pieces = {}};
  std::vector<int> gpus;
  for (const int rank : ranks) {
    gpus.push_back(communication.gpu(rank));
  }
  const int members = static_cast<int>(ranks.size());
  for (int from = 0; from < members; ++from) {
    for (int to = 0; to < members; ++to) {
      auto& prepared = group.pieces.emplace_back();
      if (from / tp == to / tp) {
        continue;
      }
      const auto transfer = communication.exchange(ranks, {{from, to, 1}}, Bytes{1}, direction);
      const auto& piece = transfer.pieces.front();
      std::vector<int> memories;
      if (share_memory) {
        memories = {gpus[static_cast<std::size_t>(from)], gpus[static_cast<std::size_t>(to)]};
      }
      prepared = {.id = piece_count_++,
                  .latency_s = piece.latency.value(),
                  .bytes = piece.flow.bytes, // for a row of one byte
                  .route = platform.add_route(piece.flow, memories, gpus),
                  .links = std::make_shared<std::vector<LinkDirection>>(piece.flow.links),
                  .after = 0,
                  .next = {}};
    }
  }
  return group;
}

PreparedTransfer PreparedTransfers::exchange(std::size_t group,
                                             const std::vector<SentRows>& rows,
                                             Bytes row_bytes) const {
  const auto& [members, pieces] = exchange_groups_[group];
  PreparedTransfer transfer;
  transfer.pieces.reserve(rows.size());
  for (const auto& sent : rows) {
    transfer.pieces.push_back(
        pieces[static_cast<std::size_t>(sent.from) * members + static_cast<std::size_t>(sent.to)]);
    auto& bytes = transfer.pieces.back().bytes;
    bytes = bytes.value() * static_cast<double>(sent.rows) * row_bytes;
  }
  return transfer;
}

PreparedTransfers::PreparedTransfers(const Plan& plan,
                                     const std::vector<ProgramIndex>& indices,
                                     const Writer& writer,
                                     Folding folding,
                                     Platform& platform)
    : fold_{writer.graph, folding == Folding::automatic},
      ends_(static_cast<std::size_t>(plan.ranks())) {
  const auto& graph = writer.graph;
  std::vector<std::size_t> played(graph.transfers.size());
  transfers_.reserve(graph.transfers.size()); // ends point into it
  for (int transfer = 0; transfer < static_cast<int>(graph.transfers.size()); ++transfer) {
    const int first = fold_.transfer(transfer);
    if (first == transfer) {
      played[static_cast<std::size_t>(transfer)] = transfers_.size();
      transfers_.push_back(ready(writer, transfer, platform));
    } else {
      played[static_cast<std::size_t>(transfer)] = played[static_cast<std::size_t>(first)];
    }
  }

  std::map<std::tuple<std::int64_t, int, int>, std::size_t> channels;
  for (const auto& [communicator, from, to] : graph.channels) {
    const auto [entry, added] = channels.try_emplace(
        {communicator, fold_.rank(from), fold_.rank(to)}, channel_pairs_.size());
    if (added) {
      channel_pairs_.emplace_back();
    }
    channel_pairs_[entry->second].emplace_back(from, to);
  }
  // Groups whose members are played by the same ranks are one.
  std::map<std::pair<const GroupAxis*, std::set<int>>, std::size_t> communicators;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    if (fold_.rank(rank) != rank) {
      continue;
    }
    const auto r = static_cast<std::size_t>(rank);
    const auto& index = indices[static_cast<std::size_t>(plan.program_of_rank[r])];
    auto transfer = graph.transfers_of_rank[r].begin();
    for (const auto* collective : index.collectives) {
      const auto& axis = plan.axis(collective->axis);
      std::set<int> members;
      for (const int member : plan.group(collective->axis, rank)) {
        members.insert(fold_.rank(member));
      }
      const auto size = static_cast<int>(members.size());
      const auto [entry, added] =
          communicators.try_emplace({&axis, std::move(members)}, communicator_sizes_.size());
      if (added) {
        communicator_sizes_.push_back(size);
      }
      ends_[r].collectives.push_back(
          {.communicator = entry->second,
           .transfer = &transfers_[played[static_cast<std::size_t>(*transfer++)]]});
    }
    for (const auto* message : index.messages) {
      const auto [from, to] = writer.ends_of(rank, *message);
      ends_[r].messages.push_back(
          {.channel =
               channels.at({writer.communicator(*message), fold_.rank(from), fold_.rank(to)}),
           .transfer = &transfers_[played[static_cast<std::size_t>(*transfer++)]]});
    }
  }
}

PreparedTransfer PreparedTransfers::ready(const Writer& writer, int transfer, Platform& platform) {
  const auto& pieces = writer.transfers[static_cast<std::size_t>(transfer)].pieces;
  PreparedTransfer prepared;
  prepared.pieces.reserve(pieces.size());
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    const auto& piece = pieces[p];
    Flow played{.bytes = piece.flow.bytes, .cap = piece.flow.cap, .links = {}, .hops = {}};
    std::vector<int> memories;
    for (const int resource : fold_.load(writer.graph, transfer, p)) {
      if (resource < writer.links()) {
        played.links.push_back(resource);
      } else {
        memories.push_back(resource - writer.links());
      }
    }
    for (const int before : piece.after) {
      prepared.pieces[static_cast<std::size_t>(before)].next.push_back(static_cast<int>(p));
    }
    std::vector<LinkDirection> links;
    for (const int alike : fold_.transfers_like(transfer)) {
      const auto& crossed = writer.transfers[static_cast<std::size_t>(alike)].pieces[p].flow.links;
      links.insert(links.end(), crossed.begin(), crossed.end());
    }
    prepared.pieces.push_back(
        {.id = piece_count_++,
         .latency_s = piece.latency.value(),
         .bytes = piece.flow.bytes,
         .route = platform.add_route(played, memories),
         .links = std::make_shared<std::vector<LinkDirection>>(std::move(links)),
         .after = static_cast<int>(piece.after.size()),
         .next = {}});
  }
  return prepared;
}

} // namespace decodesim
