#include "sim/engine/simulate.hpp"
#include "sim/error.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/hand_plan.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"
#include "topologies/channels.hpp"
#include "topologies/ring.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

constexpr double base = 3 * us;
constexpr double bytes = 8e6;

/// 100 GB/s NVLinks of which a GPU moves 80 GB/s, software 0.25 us a hop, links of 0.5 us.
Machine on_a_switch(int gpus) {
  auto sketch = switched_gpus(gpus, 100, 0.5);
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  auto machine = sketch.machine();
  machine.in_switch_reduction =
      Sourced<double>{.value = 0.5, .kind = SourceKind::assumed, .source = "round"};
  return machine;
}

/// Servers of `gpus` GPUs on one switch, each GPU with a NIC of its own on 50 GB/s PCIe, 10 GB/s
/// network links; nothing but software costs time otherwise.
Machine cluster(int nodes, int gpus) {
  auto sketch = switched_gpus(gpus, 100, 0);
  for (int i = 0; i < gpus; ++i) {
    const auto number = std::to_string(i);
    sketch.vertices.emplace_back("nic" + number, "nic");
    sketch.links.push_back({"gpu" + number, "pcie" + number, "pcie", 50, 0});
    sketch.vertices.emplace_back("pcie" + number, "pcie_switch");
    sketch.links.push_back({"nic" + number, "pcie" + number, "pcie", 50, 0});
  }
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  sketch.nodes = nodes;
  sketch.network_gbytes_per_s = 10;
  return sketch.machine();
}

/// Seconds that one collective of 8 MB among all ranks takes.
double time_of(const Machine& machine,
               const std::string& algorithm,
               CollectiveKind kind = CollectiveKind::all_reduce,
               Fidelity fidelity = Fidelity::flow) {
  const auto one = program({collective_op("c", kind, bytes), sampling(kernel_op("k", 0))});
  const auto plan = hand_plan(std::vector(static_cast<std::size_t>(machine.gpu_count()), one));
  return simulate(plan,
                  machine,
                  first_gpus(machine.gpu_count()),
                  {.collectives = algorithm, .fidelity = fidelity})
      .end_s;
}

constexpr double in_node_hop = 0.25 * us;
constexpr double network_hop = 0.25 * us;

} // namespace

// ------------------------------------------------------------------------------------- channels

// Two nodes of two GPUs and two NICs: two rings, half of the array each. Every edge of a ring of 4
// carries 2 x 3/4 of its half; a NIC carries one ring: 0.75 S at 10 GB/s, half of what one ring
// would need. Latency: 2 x 3 hops.
TEST(RingChannels, UseEveryNicOfANode) {
  EXPECT_SAME(time_of(cluster(2, 2), "ring"), base + 6 * network_hop + 0.75 * bytes / 10e9);
}

TEST(RingChannels, LeaveTheNodeFromADifferentGpuEach) {
  const auto machine = cluster(3, 4);
  const Routes routes{machine};
  std::vector<int> gpus(12);
  std::iota(gpus.begin(), gpus.end(), 0);
  const auto channels = find_channels(machine, routes, find_ring(machine, routes, gpus));
  ASSERT_EQ(channels.size(), 4u);
  std::map<int, int> leaves;
  for (const auto& ring : channels) {
    ASSERT_EQ(ring.size(), 12u);
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const int next = ring[(i + 1) % ring.size()];
      leaves[ring[i]] += ring[i] / 4 == next / 4 ? 0 : 1;
    }
  }
  for (const int gpu : gpus) {
    EXPECT_EQ(leaves[gpu], 1) << "GPU " << gpu;
  }
}

TEST(RingChannels, StayOnOneRail) {
  const auto machine = cluster(4, 4);
  const Routes routes{machine};
  const auto channels = find_channels(machine, routes, find_ring(machine, routes, first_gpus(16)));
  ASSERT_EQ(channels.size(), 4u);
  for (const auto& ring : channels) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const int next = ring[(i + 1) % ring.size()];
      EXPECT_TRUE(ring[i] / 4 == next / 4 || ring[i] % 4 == next % 4);
    }
  }
}

// Five GPUs that are all joined directly: 4 links each make two cycles through all of them, in both
// directions four rings that use each direction of each of the 10 links once.
TEST(RingChannels, UseUpDirectLinks) {
  MachineSketch sketch;
  for (int i = 0; i < 5; ++i) {
    sketch.vertices.emplace_back("gpu" + std::to_string(i), "gpu");
    for (int j = 0; j < i; ++j) {
      sketch.links.push_back(
          {"gpu" + std::to_string(j), "gpu" + std::to_string(i), "nvlink", 25, 0});
    }
  }
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 1e5};
  const auto machine = sketch.machine();
  const Routes routes{machine};
  const auto channels = find_channels(machine, routes, {0, 1, 2, 3, 4});
  ASSERT_EQ(channels.size(), 4u);
  std::map<LinkDirection, int> used;
  for (const auto& ring : channels) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      ++used[routes.between(ring[i], ring[(i + 1) % ring.size()]).links.front()];
    }
  }
  EXPECT_EQ(used.size(), 20u);
  for (const auto& [link, times] : used) {
    EXPECT_EQ(times, 1);
  }
  // 2 x 4/5 of a quarter of the array over every link.
  EXPECT_SAME(time_of(machine, "ring"), base + 8 * in_node_hop + 1.6 * bytes / 4 / 25e9);
}

// gpu0, 1, 5 and 4 of a DGX-1 are joined in one circle only, by links of 50, 25, 50 and 25 GB/s:
// two rings, there and back, of half the array each over every link: 1.5 / 2 S at 25 GB/s.
TEST(RingChannels, GoBothWaysAroundACircle) {
  const auto machine = find_machine("dgx1-v100", 1, "test");
  const Routes routes{machine};
  const auto channels = find_channels(machine, routes, {0, 1, 5, 4});
  ASSERT_EQ(channels.size(), 2u);
  EXPECT_EQ(channels[0], (std::vector<int>{0, 1, 5, 4}));
  EXPECT_EQ(channels[1], (std::vector<int>{0, 4, 5, 1}));
}

// Between two DGX-1 every ring stays on NVLink inside the nodes, and each of the four NICs of a
// node is left and entered by one of them.
TEST(RingChannels, OfNodesWithDirectLinksStayOnThem) {
  const auto machine = find_machine("dgx1-v100", 2, "test");
  const Routes routes{machine};
  const auto channels = find_channels(machine, routes, find_ring(machine, routes, first_gpus(16)));
  ASSERT_EQ(channels.size(), 4u);
  std::map<int, int> out;
  std::map<int, int> in;
  for (const auto& ring : channels) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const int next = ring[(i + 1) % ring.size()];
      const auto& path = routes.between(ring[i], next);
      if (ring[i] / 8 == next / 8) {
        EXPECT_EQ(path.transport, Transport::nvlink) << ring[i] << " to " << next;
        continue;
      }
      for (const auto link : path.links) {
        out[machine.head(link)] += machine.vertex(machine.head(link)).kind == VertexKind::nic &&
                                   machine.vertex(machine.head(link)).node == ring[i] / 8;
        in[machine.tail(link)] += machine.vertex(machine.tail(link)).kind == VertexKind::nic &&
                                  machine.vertex(machine.tail(link)).node == next / 8;
      }
    }
  }
  for (const auto* uses : {&out, &in}) {
    int nics = 0;
    for (const auto& [vertex, times] : *uses) {
      EXPECT_LE(times, 1) << machine.vertex(vertex).id;
      nics += times;
    }
    EXPECT_EQ(nics, 8);
  }
}

// --------------------------------------------------------------------------------------- others

// Two nodes of two: each GPU has one peer on the switch, 80 GB/s, and two on the network, of which
// each gets half of what its NIC moves. Every pair moves S, two each way over a NIC at 10 GB/s.
TEST(OneShotAllReduce, SharesALimitAmongThePeersOfThatTransport) {
  auto sketch = switched_gpus(2, 1000, 0);
  for (const std::string number : {"0", "1"}) {
    sketch.vertices.emplace_back("nic" + number, "nic");
    sketch.links.push_back({"gpu" + number, "pcie" + number, "pcie", 1000, 0});
    sketch.vertices.emplace_back("pcie" + number, "pcie_switch");
    sketch.links.push_back({"nic" + number, "pcie" + number, "pcie", 1000, 0});
  }
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  sketch.nodes = 2;
  sketch.network_gbytes_per_s = 1000;
  EXPECT_SAME(time_of(sketch.machine(), "one-shot"), base + 0.25 * us + bytes / 40e9);
}

// Four nodes of one GPU. First tree: 0 over 2 over 1 and 3; the second is its mirror image: 3 over
// 1 over 2 and 0. Node 2 sends half of the array up in the first tree and down to two, and half of
// it up in the second: 2 S over its NIC, as node 1; the farthest node is two hops from its root.
TEST(TreeAllReduce, OfFourNodesMovesTwiceTheArrayOverTheBusiestNic) {
  EXPECT_SAME(time_of(cluster(4, 1), "tree"), base + 4 * network_hop + 2 * bytes / 10e9);
}

// In one node it is two chains of four in the same order: every inner GPU sends S up and S down.
TEST(TreeAllReduce, OfOneNodeIsAChain) {
  EXPECT_SAME(time_of(cluster(1, 4), "tree"), base + 6 * in_node_hop + 2 * bytes / 80e9);
}

TEST(TreeAllReduce, NeedsLogarithmicallyManyHops) {
  // 64 nodes: 0 over 32, and 5 levels below: 6 hops each way; 126 for a ring.
  const auto latency = [](const std::string& algorithm) {
    const auto machine = cluster(64, 1);
    const auto one = program(
        {collective_op("c", CollectiveKind::all_reduce, 1e-6), sampling(kernel_op("k", 0))});
    return simulate(
               hand_plan(std::vector(64, one)), machine, first_gpus(64), {.collectives = algorithm})
        .end_s;
  };
  EXPECT_NEAR(latency("tree"), base + 12 * network_hop, 1e-12);
  EXPECT_NEAR(latency("ring"), base + 126 * network_hop, 1e-12);
}

// Two nodes of two: 1/2 S around each node at 80 GB/s, 2 x 1/2 x S/2 over each NIC, 1/2 S again;
// 1 + 2 + 1 hops, and the base once.
TEST(HierarchicalCollectives, GoThroughEveryLevelOnce) {
  const auto machine = cluster(2, 2);
  const double inside = in_node_hop + 0.5 * bytes / 80e9;
  EXPECT_SAME(time_of(machine, "hierarchical"),
              base + inside + 2 * network_hop + 0.5 * bytes / 10e9 + inside);
  // All-gather: half of each rail's S/2 over its NIC, then half of S around each node.
  EXPECT_SAME(time_of(machine, "hierarchical", CollectiveKind::all_gather),
              base + network_hop + 0.25 * bytes / 10e9 + inside);
  EXPECT_SAME(time_of(machine, "hierarchical", CollectiveKind::reduce_scatter),
              base + network_hop + 0.25 * bytes / 10e9 + inside);
  EXPECT_SAME(time_of(machine, "hierarchical", CollectiveKind::broadcast),
              base + network_hop + bytes / 10e9 + in_node_hop + bytes / 80e9);
}

TEST(HierarchicalCollectives, NeedEquallyManyRanksOnEachNode) {
  const auto one =
      program({collective_op("c", CollectiveKind::all_reduce, bytes), sampling(kernel_op("k", 0))});
  const auto machine = cluster(2, 2);
  EXPECT_THROW(
      (void)simulate(
          hand_plan({one, one, one}), machine, first_gpus(3), {.collectives = "hierarchical"}),
      LayoutError);
}

// The switch reduces: (n+1)/n S up and down each port at half of 80 GB/s; two crossings of the
// switch, each 0.25 us of software and two links of 0.5 us.
TEST(NvlsCollectives, CrossEveryPortOnce) {
  const auto machine = on_a_switch(4);
  const double crossing = (0.25 + 2 * 0.5) * us;
  EXPECT_SAME(time_of(machine, "nvls"), base + 2 * crossing + 1.25 * bytes / 40e9);
  EXPECT_SAME(time_of(machine, "nvls", CollectiveKind::all_gather), base + crossing + bytes / 40e9);
  EXPECT_SAME(time_of(machine, "nvls", CollectiveKind::reduce_scatter),
              base + crossing + bytes / 40e9);
}

TEST(NvlsCollectives, NeedASwitchThatReduces) {
  auto machine = on_a_switch(4);
  machine.in_switch_reduction.reset();
  EXPECT_THROW((void)time_of(machine, "nvls"), LayoutError);
  EXPECT_THROW((void)time_of(cluster(2, 2), "nvls"), LayoutError);
}

// ------------------------------------------------------------------------------------- fidelity

class EveryCollective : public ::testing::TestWithParam<std::tuple<const char*, CollectiveKind>> {};

// Equal edges and idle links: chunk by chunk takes as long as all at once, but for the filling of
// chains and trees.
TEST_P(EveryCollective, TakesTheSameTimeInStepsOnAnIdleSwitch) {
  const auto [algorithm, kind] = GetParam();
  const auto machine = on_a_switch(4);
  const double flow = time_of(machine, algorithm, kind, Fidelity::flow);
  const double step = time_of(machine, algorithm, kind, Fidelity::step);
  // Chunks of at most 512 KiB follow one another: 8 MB are 16 of 0.5 MB, and 4 MB (half of the
  // array in each of the two trees) 8. A pipeline of k edges takes k - 1 chunks longer to fill: a
  // chain has 3, a tree 3 up and 3 down. In the trees, 4 edges of a GPU share its 80 GB/s.
  const std::string name = algorithm;
  const bool chain =
      kind == CollectiveKind::broadcast &&
      (name == "ring" || name == "tree" || name == "hierarchical" || name == "ideal");
  const bool tree = kind == CollectiveKind::all_reduce && name == "tree";
  const double filling = chain  ? 2 * 0.5e6 / (name == "ideal" ? 100e9 : 80e9)
                         : tree ? 5 * 0.5e6 / 20e9
                                : 0.0;
  EXPECT_SAME(step, flow + filling);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    EveryCollective,
    ::testing::Combine(
        ::testing::Values("ring", "tree", "hierarchical", "nvls", "one-shot", "two-shot", "ideal"),
        ::testing::Values(CollectiveKind::all_reduce,
                          CollectiveKind::all_gather,
                          CollectiveKind::reduce_scatter,
                          CollectiveKind::broadcast)));

// Between nodes the hops differ: a flow adds the longest way's latency to the bytes of the slowest
// link, steps overlap them; never slower, and the same but for the latency.
TEST(Fidelity, OverSeveralNodesDiffersByLatencyAtMost) {
  for (const std::string algorithm : {"ring", "hierarchical"}) {
    const auto machine = cluster(2, 4);
    const double flow = time_of(machine, algorithm, CollectiveKind::all_reduce, Fidelity::flow);
    const double step = time_of(machine, algorithm, CollectiveKind::all_reduce, Fidelity::step);
    EXPECT_LE(step, flow * (1 + 1e-9)) << algorithm;
    EXPECT_GE(step, 0.75 * flow) << algorithm;
  }
}

// Two groups of two on either side of one 10 GB/s uplink: gpu0 with gpu2, gpu1 with gpu3. Each
// gets half of it, in one flow or in two messages one after the other.
TEST(Fidelity, OnASharedUplinkIsTheSame) {
  MachineSketch sketch;
  sketch.vertices = {{"gpu0", "gpu"},
                     {"gpu1", "gpu"},
                     {"gpu2", "gpu"},
                     {"gpu3", "gpu"},
                     {"left", "pcie_switch"},
                     {"right", "pcie_switch"}};
  sketch.links = {{"gpu0", "left", "pcie", 50, 0},
                  {"gpu1", "left", "pcie", 50, 0},
                  {"gpu2", "right", "pcie", 50, 0},
                  {"gpu3", "right", "pcie", 50, 0},
                  {"left", "right", "pcie", 10, 0}};
  sketch.costs = {.base_us = 3, .hop_us = 0.25, .gbytes_per_s = 80};
  const auto machine = sketch.machine();
  const auto one =
      program({collective_op("c", CollectiveKind::all_reduce, bytes), sampling(kernel_op("k", 0))});
  auto plan = hand_plan({one, one, one, one});
  plan.axes = {GroupAxis{"all", {{0, 2}, {1, 3}}, 4}};
  for (const auto fidelity : {Fidelity::flow, Fidelity::step}) {
    EXPECT_SAME(simulate(plan, machine, first_gpus(4), {.fidelity = fidelity}).end_s,
                base + 2 * 0.25 * us + bytes / 5e9);
  }
}
