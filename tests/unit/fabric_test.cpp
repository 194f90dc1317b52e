#include "sim/data_files.hpp"
#include "tests/unit/input_file.hpp"
#include "tests/unit/small_machine.hpp"
#include "topologies/bisection.hpp"
#include "topologies/describe_machine.hpp"
#include "topologies/ring.hpp"
#include "topologies/routes.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace decodesim {
namespace {

using namespace literals;

Machine cluster(const std::string& name, int nodes, const std::string& fabric) {
  return find_machine(name, nodes, "--machine", parse_fabric(fabric, "--fabric"));
}

std::vector<std::string> names(const Machine& machine, const Path& path) {
  std::vector<std::string> all;
  for (const auto direction : path.links) {
    all.push_back(machine.direction_name(direction));
  }
  return all;
}

int switches(const Machine& machine) {
  return static_cast<int>(machine.vertices.size()) - machine.nodes * machine.vertices_per_node;
}

double bisection_GBps(const Machine& machine) {
  return find_bisection(machine, Routes{machine}).bandwidth.value() / 1e9;
}

std::string message_of(const std::string& fabric) {
  const InputFile unused{""};
  return unused.message_of([&] { (void)parse_fabric(fabric, "--fabric"); });
}

// ------------------------------------------------------------------------------------------ text

TEST(FabricText, IsReadInAnyOrderAndWrittenInOne) {
  const auto fabric = parse_fabric("fat-tree:2to1:ports40:hdr", "--fabric");
  EXPECT_EQ(fabric.kind, FabricKind::fat_tree);
  EXPECT_EQ(fabric.network, "hdr");
  EXPECT_EQ(fabric.ports, 40);
  EXPECT_EQ(fabric.down, 2);
  EXPECT_EQ(fabric.up, 1);
  EXPECT_EQ(to_string(fabric), "fat-tree:hdr:ports40:2to1");
  for (const auto* text : {"single-switch", "single-switch:eth10", "rail-optimized:3to2"}) {
    EXPECT_EQ(to_string(parse_fabric(text, "--fabric")), text);
  }
  EXPECT_EQ(parse_fabric("single-switch", "--fabric"), Fabric{});
}

TEST(FabricText, SaysWhatIsWrong) {
  EXPECT_EQ(message_of("fat-tre"),
            "--fabric: fabric \"fat-tre\" is unknown; did you mean \"fat-tree\"? known: "
            "single-switch, fat-tree, rail-optimized");
  EXPECT_EQ(message_of("fat-tree:hrd"),
            "--fabric: network \"hrd\" is unknown; did you mean \"hdr\"? known: edr, efa100, "
            "eth10, eth100, eth25, hdr, loopback, ndr, roce10, roce100, roce200, roce400");
  EXPECT_EQ(message_of("fat-tree:ports1"),
            "--fabric: has the option \"ports1\"; ports2 to ports10000 are expected");
  for (const auto* option : {"1to2", "2", "0to0", "200to1", "2to", "2tox"}) {
    EXPECT_EQ(message_of(std::string{"fat-tree:"} + option),
              std::string{"--fabric: has the option \""} + option +
                  "\"; an oversubscription is written as 2to1, from 1to1 to 100to1");
  }
  EXPECT_EQ(message_of("fat-tree:hdr:ndr"),
            "--fabric: has the option \"ndr\" beside another of its sort");
  EXPECT_EQ(message_of("fat-tree:2to1:1to1"),
            "--fabric: has the option \"1to1\" beside another of its sort");
  EXPECT_EQ(
      message_of("single-switch:ports40"),
      "--fabric: has the option \"ports40\"; a single switch never blocks, whatever its ports; "
      "use fat-tree or rail-optimized");
}

TEST(Networks, AreSourced) {
  const auto all = data_file_names(DataKind::network);
  EXPECT_EQ(all.size(), 12u);
  for (const auto& name : all) {
    const auto network = find_network(name, "test");
    EXPECT_EQ(network.name, name);
    EXPECT_FALSE(network.bandwidth.source.empty());
    EXPECT_FALSE(network.latency.source.empty());
    EXPECT_FALSE(network.switch_latency.source.empty());
    EXPECT_FALSE(network.transport.hop.source.empty());
    EXPECT_LE(network.transport.bandwidth.value, network.bandwidth.value) << name;
  }
}

// -------------------------------------------------------------------------------------- fat tree

TEST(FatTree, GoesOverTheSpineFromLeafToLeaf) {
  // 40 ports, 20 of them for NICs: two nodes of 8 NICs a leaf. Five nodes fill two and a half.
  const auto machine = cluster("dgx-a100-80g", 5, "fat-tree:hdr:ports40");
  EXPECT_EQ(switches(machine), 3 + 1);
  const Routes routes{machine};
  EXPECT_EQ(names(machine, routes.between(0, 8))[2], "node0/nic0->leaf0");
  EXPECT_EQ(names(machine, routes.between(0, 8))[3], "leaf0->node1/nic0");
  const auto& path = routes.between(0, 39);
  EXPECT_EQ(names(machine, path),
            (std::vector<std::string>{"node0/gpu0->node0/switch0",
                                      "node0/switch0->node0/nic0",
                                      "node0/nic0->leaf0",
                                      "leaf0->spine",
                                      "spine->leaf2",
                                      "leaf2->node4/nic7",
                                      "node4/nic7->node4/switch3",
                                      "node4/switch3->node4/gpu7"}));
  // As behind one switch (1.64 us), and two more switches of 0.2 us.
  EXPECT_NEAR(path.latency.value(), 2.04e-6, 1e-15);
  EXPECT_EQ(path.bandwidth, 25.0_GBps);
}

TEST(FatTree, SharesUplinksByItsOversubscription) {
  // Two nodes, 16 NICs of 25 GB/s a leaf: 400 GB/s up, or 200 GB/s when oversubscribed 2 to 1; 24
  // ports instead of 20 for NICs would take three nodes.
  const auto full = cluster("dgx-a100-80g", 4, "fat-tree:hdr:ports40");
  EXPECT_EQ(full.links.back().bandwidth.value, 400.0_GBps);
  EXPECT_DOUBLE_EQ(bisection_GBps(full), 400.0);
  const auto half = cluster("dgx-a100-80g", 4, "fat-tree:hdr:ports24:2to1");
  EXPECT_EQ(half.links.back().bandwidth.value, 200.0_GBps);
  EXPECT_DOUBLE_EQ(bisection_GBps(half), 200.0);
}

TEST(FatTree, OfOneLeafIsASingleSwitch) {
  const auto machine = cluster("dgx-a100-80g", 2, "fat-tree:hdr");
  EXPECT_EQ(switches(machine), 1);
  EXPECT_EQ(machine.first_fabric_link(), static_cast<int>(machine.links.size()));
  EXPECT_DOUBLE_EQ(bisection_GBps(machine), 200.0);
}

TEST(FatTree, RefusesLeavesWithoutRoomForANode) {
  const InputFile unused{""};
  // 8 ports, 5 for NICs at 2 to 1 (floor of 16/3); 8 NICs need 12.
  EXPECT_EQ(
      unused.message_of([] { (void)cluster("dgx-a100-80g", 2, "fat-tree:ports8:2to1"); }),
      "fabric fat-tree:ports8:2to1: gives a leaf switch 5 of its 8 ports for NICs, and a node "
      "has 8; a leaf takes at least one node; use ports12 or more");
  EXPECT_EQ(switches(cluster("dgx-a100-80g", 2, "fat-tree:ports12:2to1")), 3);
}

TEST(FatTree, NeedsANetworkThatTellsOfItsSwitches) {
  const InputFile file{small_machine, "m.json"};
  const auto load = [&](const std::string& fabric) {
    return load_machine(file.path(), 2, parse_fabric(fabric, "--fabric"));
  };
  EXPECT_EQ(file.message_of([&] { (void)load("fat-tree"); }),
            "fabric fat-tree: names no network, and the machine's \"ib\" does not tell the latency "
            "of a switch; add one of edr, efa100, eth10, eth100, eth25, hdr, loopback, ndr, "
            "roce10, roce100, "
            "roce200, "
            "roce400");
  EXPECT_EQ(load("fat-tree:hdr").links.back().type, "hdr");
}

// ---------------------------------------------------------------------------------- rail-optimized

TEST(RailOptimized, KeepsTheSameNicOnOneSwitch) {
  // Leaves of 4 ports take NIC i of two nodes: two groups of 8 rails, and a spine.
  const auto machine = cluster("dgx-h100", 4, "rail-optimized:ndr:ports4");
  EXPECT_EQ(switches(machine), 2 * 8 + 1);
  const Routes routes{machine};
  EXPECT_EQ(names(machine, routes.between(3, 11))[2], "node0/nic3->leaf0.rail3");
  EXPECT_EQ(names(machine, routes.between(3, 11))[3], "leaf0.rail3->node1/nic3");
  // Another rail, and another group: over the spine.
  EXPECT_EQ(names(machine, routes.between(3, 8))[3], "leaf0.rail3->spine");
  EXPECT_EQ(names(machine, routes.between(3, 19))[4], "spine->leaf1.rail3");
}

TEST(RailOptimized, DividesOnlyBetweenGroups) {
  // Two nodes of one group: 8 NICs of 50 GB/s on 8 rails, whatever the spine.
  EXPECT_DOUBLE_EQ(bisection_GBps(cluster("dgx-h100", 2, "rail-optimized:ndr:ports4:2to1")), 400.0);
  // Leaves of 6 ports, 4 for nodes at 2 to 1: 8 nodes are two groups, each with 8 leaves x 4 NICs x
  // 50 GB/s / 2.
  EXPECT_DOUBLE_EQ(bisection_GBps(cluster("dgx-h100", 8, "rail-optimized:ndr:ports6:2to1")), 800.0);
}

// ------------------------------------------------------------------------------------------- both

TEST(Fabric, OfASingleSwitchIsTheDefault) {
  const auto one = find_machine("dgx-a100-80g", 2, "--machine");
  EXPECT_EQ(one.fabric, "single-switch");
  EXPECT_EQ(switches(one), 1);
  EXPECT_TRUE(find_machine("dgx-a100-80g", 1, "--machine").fabric.empty());
}

TEST(Fabric, BringsItsTransport) {
  // A DGX A100 on 10 Gbit/s Ethernet: 1.25 GB/s of the link, 20 us of the sockets.
  const auto machine = cluster("dgx-a100-80g", 2, "single-switch:eth10");
  EXPECT_EQ(Routes{machine}.between(0, 8).bandwidth, 1.25_GBps);
  EXPECT_NEAR(machine.transports.at(Transport::network).hop.value.value(), 20e-6, 1e-15);
}

TEST(Fabric, NeedsNics) {
  const InputFile unused{""};
  const auto message =
      unused.message_of([] { (void)cluster("rtx4090-pcie-8", 2, "single-switch:eth25"); });
  EXPECT_NE(
      message.find("rtx4090-pcie-8.json: /nodes: has no NIC; at least one entry of kind nic is "
                   "expected for more than one node"),
      std::string::npos)
      << message;
}

TEST(Fabric, OfThousandsOfGpusIsBuiltAtOnce) {
  // 420 nodes, two a leaf at 40 ports: 210 leaves; half of them send 16 x 25 GB/s each.
  const auto machine = cluster("dgx-a100-80g", 420, "fat-tree:hdr");
  EXPECT_EQ(switches(machine), 210 + 1);
  EXPECT_DOUBLE_EQ(bisection_GBps(machine), 105 * 400.0);
  const Routes routes{machine};
  std::vector<int> gpus(3360);
  std::iota(gpus.begin(), gpus.end(), 0);
  const auto ring = find_ring(machine, routes, gpus);
  // One NIC of each node into the next one; each uplink carries the ring once each way.
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, ring), 1 / 25e9);
  EXPECT_LT(describe_machine(machine).size(), 30'000u);
}

// ------------------------------------------------------------------------------------------- rails

TEST(Rails, AreOneWayPerNic) {
  const auto machine = cluster("dgx-h100", 2, "rail-optimized");
  const Routes routes{machine};
  const auto rails = routes.rails(2, 10);
  ASSERT_EQ(rails.size(), 8u);
  EXPECT_EQ(rails[2].links, routes.between(2, 10).links);
  // By NIC 5, on the other socket: staged in the memory there, on both sides.
  EXPECT_EQ(
      names(machine, rails[5]),
      (std::vector<std::string>{"node0/gpu2->node0/switch2",    "node0/switch2->node0/root2",
                                "node0/root2->node0/socket0",   "node0/socket0->node0/socket1",
                                "node0/socket1->node0/memory1", "node0/memory1->node0/socket1",
                                "node0/socket1->node0/root5",   "node0/root5->node0/switch5",
                                "node0/switch5->node0/nic5",    "node0/nic5->leaf0.rail5",
                                "leaf0.rail5->node1/nic5",      "node1/nic5->node1/switch5",
                                "node1/switch5->node1/root5",   "node1/root5->node1/socket1",
                                "node1/socket1->node1/memory1", "node1/memory1->node1/socket1",
                                "node1/socket1->node1/socket0", "node1/socket0->node1/root2",
                                "node1/root2->node1/switch2",   "node1/switch2->node1/gpu2"}));
}

TEST(Rails, InsideANodeAreTheOneWay) {
  const auto machine = cluster("dgx-h100", 2, "single-switch");
  const Routes routes{machine};
  const auto rails = routes.rails(0, 7);
  ASSERT_EQ(rails.size(), 1u);
  EXPECT_EQ(rails[0].links, routes.between(0, 7).links);
}

TEST(Rails, WithoutACommonNicAreTheOneWay) {
  // GPU 0 and GPU 71 of a rack reach the NICs of their own Grace CPU only.
  const auto machine = cluster("gb200-nvl72", 2, "single-switch");
  const Routes routes{machine};
  EXPECT_EQ(routes.rails(0, 72).size(), 2u);
  const auto rails = routes.rails(0, 143);
  ASSERT_EQ(rails.size(), 1u);
  EXPECT_EQ(rails[0].links, routes.between(0, 143).links);
}

} // namespace
} // namespace decodesim
