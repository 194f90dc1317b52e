#include "sim/data_files.hpp"
#include "topologies/machine.hpp"
#include "topologies/routes.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace decodesim {
namespace {

using namespace literals;

Machine preset(const std::string& name, int nodes = 1) {
  return find_machine(name, nodes, "--machine");
}

int count(const Machine& machine, VertexKind kind) {
  return static_cast<int>(std::count_if(machine.vertices.begin(),
                                        machine.vertices.end(),
                                        [&](const auto& vertex) { return vertex.kind == kind; }));
}

// ------------------------------------------------------------------------------------- presets

bool has_nics(const std::string& name) { return count(preset(name), VertexKind::nic) > 0; }

class MachinePreset : public testing::TestWithParam<std::string> {};

TEST_P(MachinePreset, IsConnectedAndSourced) {
  for (const int nodes : {1, 2}) {
    if (nodes > 1 && !has_nics(GetParam())) {
      continue;
    }
    const auto machine = preset(GetParam(), nodes);
    EXPECT_EQ(machine.name, GetParam());
    EXPECT_FALSE(machine.summary.empty());
    const Routes routes{machine};
    for (int from = 0; from < machine.gpu_count(); ++from) {
      for (int to = 0; to < machine.gpu_count(); ++to) {
        if (from != to) {
          const auto& path = routes.between(from, to);
          EXPECT_GT(path.latency, 0.0_us);
          EXPECT_TRUE(machine.transports.contains(path.transport));
        }
      }
    }
    for (const auto& link : machine.links) {
      EXPECT_FALSE(link.bandwidth.source.empty());
      EXPECT_FALSE(link.latency.source.empty());
    }
    for (const auto& [transport, cost] : machine.transports) {
      EXPECT_FALSE(cost.base.source.empty());
      EXPECT_FALSE(cost.hop.source.empty());
      EXPECT_FALSE(cost.bandwidth.source.empty());
    }
    EXPECT_EQ(boost::num_vertices(machine.graph), machine.vertices.size());
    EXPECT_EQ(boost::num_edges(machine.graph), 2 * machine.links.size());
  }
}

TEST_P(MachinePreset, MovesNoMoreThanItsLinksDo) {
  const auto machine = preset(GetParam(), has_nics(GetParam()) ? 2 : 1);
  const Routes routes{machine};
  for (int to = 1; to < machine.gpu_count(); ++to) {
    const auto& path = routes.between(0, to);
    auto most = path.bandwidth;
    if (path.transport == Transport::nvlink) {
      most = BytesPerSecond{};
      for (const auto& link : machine.links) {
        if (link.kind == LinkKind::nvlink &&
            (link.from == machine.gpus[0] || link.to == machine.gpus[0])) {
          most += link.bandwidth.value;
        }
      }
    } else if (path.transport == Transport::host_memory) {
      most = 63.0_GBps; // the link between sockets is for all GPUs: the way bounds, not the cap
    }
    EXPECT_LE(machine.transports.at(path.transport).bandwidth.value, most) << to;
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         MachinePreset,
                         testing::ValuesIn(data_file_names(DataKind::machine)),
                         [](const auto& preset_info) {
                           auto name = preset_info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(DgxA100, HasThePartsOfItsUserGuide) {
  const auto machine = preset("dgx-a100-80g");
  EXPECT_EQ(machine.gpu.name, "a100-sxm4-80g");
  EXPECT_EQ(count(machine, VertexKind::gpu), 8);
  EXPECT_EQ(count(machine, VertexKind::nvswitch), 1);
  EXPECT_EQ(count(machine, VertexKind::pcie_switch), 4);
  EXPECT_EQ(count(machine, VertexKind::socket), 2);
  EXPECT_EQ(count(machine, VertexKind::nic), 8);
  // 8 GPUs on NVSwitch, 8 GPUs and 8 NICs on PCIe switches, 4 uplinks, 4 root ports, 1 between
  // the sockets, 2 to their memory.
  EXPECT_EQ(machine.links.size(), 8u + 16u + 4u + 4u + 1u + 2u);
  // 12 NVLinks of 25 GB/s.
  EXPECT_EQ(machine.links.front().physical_links, 12);
  EXPECT_EQ(machine.links.front().bandwidth.value, 300.0_GBps);
}

TEST(DgxH100, HasEighteenNvlinksAndOneNicPerGpu) {
  const auto machine = preset("dgx-h100");
  EXPECT_EQ(machine.links.front().physical_links, 18);
  EXPECT_EQ(machine.links.front().bandwidth.value, 450.0_GBps);
  EXPECT_EQ(count(machine, VertexKind::nic), 8);
  EXPECT_EQ(count(machine, VertexKind::pcie_switch), 8);
}

TEST(Transports, AddUpWithTheLinksToTheFittedStep) {
  // A ring step on a DGX A100 was fitted as 0.96 us: two NVLink crossings of 0.2 us and the hop.
  const auto machine = preset("dgx-a100-80g", 2);
  const Routes routes{machine};
  const auto step = [&](int from, int to) {
    const auto& path = routes.between(from, to);
    return (path.latency + machine.transports.at(path.transport).hop.value).value();
  };
  EXPECT_NEAR(step(0, 1), 0.96e-6, 1e-12);
  // NCCL's constant for a step over a network is 2.7 us.
  EXPECT_NEAR(step(0, 8), 2.7e-6, 1e-12);
}

TEST(Transports, AreKeptOnlyWhereGpusUseThem) {
  // The GPUs of one DGX never talk over PCIe or the network.
  const auto server = preset("dgx-a100-80g");
  EXPECT_EQ(server.transports.size(), 1u);
  EXPECT_TRUE(server.transports.contains(Transport::nvlink));
  const auto cluster = preset("dgx-a100-80g", 2);
  EXPECT_EQ(cluster.transports.size(), 2u);
  EXPECT_TRUE(cluster.transports.contains(Transport::network));
}

// ------------------------------------------------------------------------------------ clusters

TEST(Cluster, IsEqualNodesBehindOneSwitch) {
  const auto server = preset("dgx-a100-80g");
  const auto cluster = preset("dgx-a100-80g", 2);
  EXPECT_EQ(cluster.nodes, 2);
  EXPECT_EQ(cluster.gpu_count(), 16);
  EXPECT_EQ(cluster.gpus_per_node(), 8);
  EXPECT_EQ(cluster.vertices.size(), 2 * server.vertices.size() + 1);
  // Each node has its links and one from each of 8 NICs to the fabric.
  EXPECT_EQ(cluster.links.size(), 2 * (server.links.size() + 8));
  EXPECT_EQ(cluster.vertices.back().id, "fabric");
  EXPECT_EQ(cluster.vertices.back().node, -1);
  EXPECT_EQ(cluster.gpu_name(0), "node0/gpu0");
  EXPECT_EQ(cluster.gpu_name(15), "node1/gpu7");
  const auto& last = cluster.vertex(cluster.gpus[15]);
  EXPECT_EQ(last.node, 1);
  EXPECT_EQ(last.gpu, 15);
  EXPECT_EQ(cluster.direction_name(0), "node0/gpu0->node0/nvswitch");
  EXPECT_EQ(cluster.direction_name(1), "node0/nvswitch->node0/gpu0");
}

TEST(Cluster, OfFourHundredAndTwentyNodesLoads) {
  // 3,360 GPUs, on which Megatron-Turing NLG was trained.
  const auto cluster = preset("dgx-a100-80g", 420);
  EXPECT_EQ(cluster.gpu_count(), 3360);
  EXPECT_EQ(cluster.gpu_name(3359), "node419/gpu7");
}

} // namespace
} // namespace decodesim
