#pragma once

#include "sim/network/collective_algorithm.hpp"

#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace decodesim::testing {

/// GPUs behind a switch in each node, with a NIC each; links of a node are numbered 2 x member (up)
/// and 2 x member + 1 (down), those of the NICs from 10,000 on.
class SwitchedGroup final : public GroupNetwork {
public:
  struct Shape {
    int nodes = 1;
    int per_node = 8;
    int compute_capability = 90;
    double link_gbytes_per_s = 450;
    double moved_gbytes_per_s = 357; ///< by the kernels of a GPU
    double link_latency_us = 0.2;
    double nic_gbytes_per_s = 50;
    double network_hop_us = 1.06;
    bool reduces = true;
    Transport transport = Transport::nvlink;
  };

  explicit SwitchedGroup(const Shape& shape) : shape_{shape} {
    const int n = shape.nodes * shape.per_node;
    costs_[shape.transport] = {
        .base = {}, .hop = {}, .bandwidth = BytesPerSecond{shape.moved_gbytes_per_s * 1e9}};
    costs_[Transport::network] = {.base = {},
                                  .hop = Seconds{shape.network_hop_us * 1e-6},
                                  .bandwidth = BytesPerSecond{shape.nic_gbytes_per_s * 0.96e9}};
    for (int from = 0; from < n; ++from) {
      for (int to = 0; to < n; ++to) {
        const bool inside = node(from) == node(to);
        const int base = inside ? 0 : 10'000;
        const double gbytes = inside ? shape.link_gbytes_per_s : shape.nic_gbytes_per_s;
        paths_[{from, to}] = {.links = {base + 2 * from, base + 2 * to + 1},
                              .latency = Seconds{inside ? 2e-6 * shape.link_latency_us : 1.64e-6},
                              .bandwidth = BytesPerSecond{gbytes * 1e9},
                              .transport = inside ? shape.transport : Transport::network};
      }
    }
    // A ring for every NIC, each node's part turned.
    for (int ring = 0; ring < (shape.nodes == 1 ? 1 : shape.per_node); ++ring) {
      auto& edges = channels_.emplace_back();
      std::vector<int> order;
      for (int k = 0; k < n; ++k) {
        order.push_back((k / shape.per_node) * shape.per_node + (k + ring) % shape.per_node);
      }
      for (int k = 0; k < n; ++k) {
        const int from = order[static_cast<std::size_t>(k)];
        const int to = order[static_cast<std::size_t>((k + 1) % n)];
        edges.push_back({.from = from, .to = to, .path = &paths_.at({from, to})});
      }
    }
  }

  [[nodiscard]] int members() const override { return shape_.nodes * shape_.per_node; }

  [[nodiscard]] int node(int member) const override { return member / shape_.per_node; }

  [[nodiscard]] const Path& path(int from, int to) const override { return paths_.at({from, to}); }

  [[nodiscard]] const TransportCost& cost(Transport transport) const override {
    return costs_.at(transport);
  }

  [[nodiscard]] const std::vector<std::vector<RingEdge>>& channels() const override {
    return channels_;
  }

  [[nodiscard]] std::optional<SwitchPort> switch_port(int member) const override {
    if (!shape_.reduces) {
      return std::nullopt;
    }
    return SwitchPort{.up = 2 * member,
                      .down = 2 * member + 1,
                      .latency = Seconds{shape_.link_latency_us * 1e-6},
                      .efficiency_ratio = 1.0};
  }

  [[nodiscard]] int compute_capability() const override { return shape_.compute_capability; }

  [[nodiscard]] bool amd_cpu() const override { return false; }

  /// What a transfer takes when nothing else moves.
  [[nodiscard]] Seconds idle_time(const Transfer& transfer) const {
    return transfer.idle_time([&](LinkDirection link) {
      return BytesPerSecond{(link < 10'000 ? shape_.link_gbytes_per_s : shape_.nic_gbytes_per_s) *
                            1e9};
    });
  }

private:
  Shape shape_;
  std::map<std::pair<int, int>, Path> paths_;
  std::map<Transport, TransportCost> costs_;
  std::vector<std::vector<RingEdge>> channels_;
};

} // namespace decodesim::testing
