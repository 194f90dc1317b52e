#pragma once

#include "sim/network/forwarded_network.hpp"
#include "sim/network/nccl/choice.hpp"
#include "sim/network/nccl/link_calibration.hpp"

namespace decodesim::nccl {

/// A group as one algorithm with one protocol sees it: the same ways, other costs.
///
/// Inside a node the costs are those of the calibration of link and generation; what was not
/// measured there (trees, NVLS of a generation without it) takes that of the ring with the same
/// protocol, times what NCCL's constants say of the two. Between nodes a step costs NCCL's constant
/// and what the network's file adds to it, and a NIC moves what that file says.
class ProtocolNetwork final : public ForwardedNetwork {
public:
  /// All but the task must outlive this.
  ProtocolNetwork(const GroupNetwork& group,
                  const GroupGraph& graph,
                  Version version,
                  const Candidate& chosen,
                  const CollectiveTask& task);

  [[nodiscard]] const TransportCost& cost(Transport transport) const override;

private:
  [[nodiscard]] KernelCost kernel(const LinkCalibration& link, double scale) const;
  [[nodiscard]] TransportCost in_node_cost(Transport transport) const;
  [[nodiscard]] TransportCost network_cost() const;
  /// Share of its bandwidth that a tree reaches with a message of that size.
  [[nodiscard]] double efficiency() const;

  const GroupGraph& graph_;
  Version version_;
  Candidate chosen_;
  CollectiveTask task_;
  Seconds base_; ///< of the slowest transport of the ring
  mutable std::map<Transport, TransportCost> costs_;
};

} // namespace decodesim::nccl
