#pragma once

#include "sim/network/collective_algorithm.hpp"

namespace decodesim {

/// A group with other costs of communication software: all else is that of the group.
class ForwardedNetwork : public GroupNetwork {
public:
  /// @param group  must outlive this
  explicit ForwardedNetwork(const GroupNetwork& group) : group_{group} {}

  [[nodiscard]] int members() const override { return group_.members(); }

  [[nodiscard]] int node(int member) const override { return group_.node(member); }

  [[nodiscard]] const Path& path(int from, int to) const override { return group_.path(from, to); }

  [[nodiscard]] const std::vector<std::vector<RingEdge>>& channels() const override {
    return group_.channels();
  }

  /// Its efficiency is in the bandwidth of the costs already.
  [[nodiscard]] std::optional<SwitchPort> switch_port(int member) const override {
    auto port = group_.switch_port(member);
    if (port) {
      port->efficiency_ratio = 1.0;
    }
    return port;
  }

  [[nodiscard]] int compute_capability() const override { return group_.compute_capability(); }

  [[nodiscard]] bool amd_cpu() const override { return group_.amd_cpu(); }

protected:
  [[nodiscard]] const GroupNetwork& group() const { return group_; }

private:
  const GroupNetwork& group_;
};

} // namespace decodesim
