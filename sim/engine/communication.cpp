#include "sim/engine/communication.hpp"

#include "sim/error.hpp"
#include "sim/network/custom/exchange_kernels.hpp"
#include "sim/plan/expert_loads.hpp"
#include "topologies/channels.hpp"
#include "topologies/ring.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace decodesim {

/// A group on the machine: ranks in ring order, its channels and switch ports.
class Communication::Group final : public GroupNetwork {
public:
  Group(const Communication& owner, std::vector<int> ranks)
      : owner_{owner}, ranks_{std::move(ranks)} {
    std::map<int, int> member_on;
    for (std::size_t i = 0; i < ranks_.size(); ++i) {
      gpus_.push_back(owner.gpu(ranks_[i]));
      member_on[gpus_.back()] = static_cast<int>(i);
    }
    if (ranks_.size() < 2) {
      return;
    }
    auto orders = owner.options_.ring_order == RingOrder::searched
                      ? find_channels(owner.machine_, owner.routes_, gpus_)
                      : std::vector<std::vector<int>>{gpus_};
    for (auto& order : orders) {
      std::rotate(order.begin(), std::find(order.begin(), order.end(), gpus_.front()), order.end());
      auto& channel = channels_.emplace_back();
      for (std::size_t i = 0; i < order.size(); ++i) {
        const int to = order[(i + 1) % order.size()];
        channel.push_back({.from = member_on.at(order[i]),
                           .to = member_on.at(to),
                           .path = &owner.routes_.between(order[i], to)});
      }
    }
  }

  [[nodiscard]] const std::vector<int>& ranks() const { return ranks_; }

  [[nodiscard]] int members() const override { return static_cast<int>(ranks_.size()); }

  [[nodiscard]] int node(int member) const override {
    return gpus_[static_cast<std::size_t>(member)] / owner_.machine_.gpus_per_node();
  }

  [[nodiscard]] const Path& path(int from, int to) const override {
    return owner_.routes_.between(gpus_[static_cast<std::size_t>(from)],
                                  gpus_[static_cast<std::size_t>(to)]);
  }

  [[nodiscard]] const TransportCost& cost(Transport transport) const override {
    return owner_.costs_.at(transport);
  }

  [[nodiscard]] const std::vector<std::vector<RingEdge>>& channels() const override {
    return channels_;
  }

  [[nodiscard]] std::optional<SwitchPort> switch_port(int member) const override {
    const auto& machine = owner_.machine_;
    const int peer = beside(member);
    if (peer < 0) {
      return std::nullopt;
    }
    const auto& there = path(member, peer).links;
    const auto& back = path(peer, member).links;
    const int hub = machine.head(there.front());
    if (!machine.in_switch_reduction || there.size() != 2 || back.size() != 2 ||
        machine.vertex(hub).kind != VertexKind::nvswitch) {
      return std::nullopt;
    }
    return SwitchPort{.up = there.front(),
                      .down = back.back(),
                      .latency = machine.link(there.front()).latency.value,
                      .efficiency_ratio = machine.in_switch_reduction->value};
  }

  [[nodiscard]] int compute_capability() const override { return owner_.compute_capability(); }

  [[nodiscard]] bool amd_cpu() const override { return owner_.machine_.cpu_vendor == "amd"; }

private:
  /// Another member on the same node, or -1.
  [[nodiscard]] int beside(int member) const {
    for (int other = 0; other < members(); ++other) {
      if (other != member && node(other) == node(member)) {
        return other;
      }
    }
    return -1;
  }

  const Communication& owner_;
  std::vector<int> ranks_;
  std::vector<int> gpus_;
  std::vector<std::vector<RingEdge>> channels_;
};

Communication::Communication(const Plan& plan,
                             const Machine& machine,
                             const std::vector<int>& gpu_of_rank,
                             const SimulationOptions& options)
    : plan_{plan}, machine_{machine}, gpu_of_rank_{gpu_of_rank}, options_{options},
      routes_{machine}, algorithm_{collective_algorithm_named(options.collectives, "collectives")} {
  for (const auto& [transport, cost] : machine.transports) {
    costs_[transport] = cost.cost();
  }
}

Communication::~Communication() = default;

std::vector<int> Communication::ring_order(const GroupAxis& axis, int group) const {
  auto order = axis.groups[static_cast<std::size_t>(group)];
  if (options_.ring_order == RingOrder::searched && order.size() > 2) {
    const int root = order.front();
    std::map<int, int> rank_on;
    std::vector<int> gpus;
    for (const int rank : order) {
      gpus.push_back(gpu(rank));
      rank_on[gpus.back()] = rank;
    }
    gpus = find_ring(machine_, routes_, gpus);
    std::transform(
        gpus.begin(), gpus.end(), order.begin(), [&](int one) { return rank_on.at(one); });
    // The root of a broadcast is the group's first rank, wherever the ring was found to begin.
    std::rotate(order.begin(), std::find(order.begin(), order.end(), root), order.end());
  }
  return order;
}

const Communication::Group& Communication::group(const GroupAxis& axis, int group) const {
  auto& known = groups_[{&axis, group}];
  if (known == nullptr) {
    known = std::make_unique<Group>(*this, ring_order(axis, group));
  }
  return *known;
}

const std::vector<int>& Communication::members(const GroupAxis& axis, int group) const {
  return this->group(axis, group).ranks();
}

const GroupNetwork& Communication::network(const GroupAxis& axis, int group) const {
  return this->group(axis, group);
}

Transfer
Communication::collective(const GroupAxis& axis, int group, const Collective& collective) const {
  const auto& network = this->group(axis, group);
  if (network.members() < 2) {
    throw SimulationError{"plan " + plan_.layout + ": a collective on axis \"" + axis.name +
                          "\" has a group of one rank"};
  }
  return algorithm_.transfer({.kind = collective.kind,
                              .total_bytes = collective.total_bytes,
                              .fidelity = options_.fidelity},
                             network);
}

Transfer Communication::exchange(const std::vector<int>& ranks,
                                 const std::vector<SentRows>& rows,
                                 Bytes row_bytes,
                                 Exchange::Direction direction) const {
  const auto& loads = *plan_.expert_loads;
  const auto& kernels = loads.settings().kernels;
  // A row stands for a token and a rank; of k experts drawn evenly over r ranks, r (1 - (1-1/r)^k)
  // are hit.
  const double places = static_cast<double>(ranks.size()) / std::max(1, loads.grid().shards());
  const double experts = loads.experts_per_token();
  const double hit = places * (1.0 - std::pow(1.0 - 1.0 / places, experts));
  const double copies =
      custom::copies_for_each_expert(kernels) && places > 1.0 ? experts / hit : 1.0;
  return exchange_by(kernels, copies, ranks, rows, row_bytes, direction);
}

Transfer Communication::exchange_by(const std::string& kernels,
                                    double copies,
                                    const std::vector<int>& ranks,
                                    const std::vector<SentRows>& rows,
                                    Bytes row_bytes,
                                    Exchange::Direction direction) const {
  const auto& named = options_.collectives;
  // NCCL's own go with NCCL's collectives; other algorithms have the machine's costs throughout.
  const bool measured = !algorithm_.ideal && (kernels != "nccl" || named.starts_with("nccl") ||
                                              named.starts_with("custom"));
  const auto peers = static_cast<double>(ranks.size()) - 1.0;
  const double wire_ratio =
      measured ? copies * custom::bytes_ratio(kernels, direction == Exchange::Direction::combine)
               : copies;
  std::map<Transport, std::optional<custom::ExchangeCost>> costs;
  const auto cost_of = [&](Transport transport) {
    const auto [entry, added] = costs.try_emplace(transport);
    if (added && measured) {
      entry->second = custom::exchange_cost(kernels,
                                            direction == Exchange::Direction::combine,
                                            transport,
                                            compute_capability(),
                                            costs_.at(transport).bandwidth);
    }
    return entry->second;
  };
  Transfer transfer;
  for (const auto& sent : rows) {
    const auto& path = routes_.between(gpu(ranks[static_cast<std::size_t>(sent.from)]),
                                       gpu(ranks[static_cast<std::size_t>(sent.to)]));
    auto cost = costs_.at(path.transport);
    if (const auto known = cost_of(path.transport)) {
      const auto start = known->base + peers * known->per_peer - path.latency;
      cost = {.base = std::max(start, Seconds{}), .hop = {}, .bandwidth = known->bandwidth};
    }
    transfer.add(exchange_piece(sent.from,
                                sent.to,
                                wire_ratio * static_cast<double>(sent.rows) * row_bytes,
                                path,
                                cost,
                                algorithm_.ideal));
  }
  return transfer;
}

int Communication::compute_capability() const {
  const auto& capability = machine_.gpu.compute_capability;
  return 10 * capability.major + capability.minor;
}

Transfer Communication::message(int from_rank, int to_rank, Bytes bytes) const {
  const auto& path = routes_.between(gpu(from_rank), gpu(to_rank));
  return message_transfer(bytes, path, costs_.at(path.transport), algorithm_.ideal);
}

CriticalPath critical_path(const Plan& plan,
                           const Machine& machine,
                           const std::vector<int>& gpu_of_rank,
                           const SimulationOptions& options) {
  const Communication communication{plan, machine, gpu_of_rank, options};
  const auto bandwidth = [&](LinkDirection direction) {
    return machine.link(direction).bandwidth.value;
  };
  return critical_path(
      plan,
      {.kernel =
           [&](int, const Kernel& kernel, StepContext at) {
             return kernel_time(kernel_work(kernel, at), machine.gpu, options.kernels);
           },
       .collective =
           [&](const Collective& collective, const std::vector<int>& ranks) {
             const auto& axis = plan.axis(collective.axis);
             const int group = axis.group_of_rank[static_cast<std::size_t>(ranks.front())];
             return communication.collective(axis, group, collective).idle_time(bandwidth);
           },
       .message =
           [&](int from, int to, Bytes bytes) {
             return communication.message(from, to, bytes).idle_time(bandwidth);
           },
       .exchange =
           [&](const Exchange& exchange,
               const std::vector<int>& ranks,
               const std::vector<SentRows>& rows) {
             return rows.empty()
                        ? Seconds{}
                        : communication
                              .exchange(ranks, rows, exchange.row_bytes, exchange.direction)
                              .idle_time(bandwidth);
           }});
}

} // namespace decodesim
