#include "sim/engine/simulate.hpp"
#include "strategies/build_plan.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/hand_plan.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

struct Route {
  int from;
  int to;
  double bytes;
};

/// End of each message when all start at once; rank i on GPU i.
std::vector<double> message_ends(const Machine& machine, const std::vector<Route>& routes) {
  std::vector<std::vector<Message>> messages(static_cast<std::size_t>(machine.gpu_count()));
  for (const auto& [from, to, bytes] : routes) {
    messages[static_cast<std::size_t>(from)].push_back(send_to(to, bytes));
    messages[static_cast<std::size_t>(to)].push_back(receive_from(from, bytes));
  }
  std::vector<Program> programs;
  for (const auto& list : messages) {
    programs.push_back(list.empty() ? program({}) : program({message_op("messages", list)}));
  }
  const auto result = simulate(hand_plan(std::move(programs)),
                               machine,
                               first_gpus(machine.gpu_count()),
                               {.record_timeline = true});
  std::vector<double> ends;
  for (const auto& [from, to, bytes] : routes) {
    for (const auto& arrow : result.timeline.arrows) {
      if (arrow.from_rank == from && arrow.to_rank == to) {
        ends.push_back(arrow.end_s);
      }
    }
  }
  return ends;
}

/// gpu0 and gpu1 below switch0, gpu2 and gpu3 below switch1, gpu4 and gpu5 at root ports; GPUs have
/// 40 GB/s.
MachineSketch pcie_server(double uplink0, double uplink1, double gpu1_latency_us) {
  MachineSketch sketch;
  sketch.vertices = {{"gpu0", "gpu"},
                     {"gpu1", "gpu"},
                     {"gpu2", "gpu"},
                     {"gpu3", "gpu"},
                     {"gpu4", "gpu"},
                     {"gpu5", "gpu"},
                     {"switch0", "pcie_switch"},
                     {"switch1", "pcie_switch"},
                     {"root0", "root_port"},
                     {"root1", "root_port"},
                     {"root2", "root_port"},
                     {"root3", "root_port"},
                     {"socket0", "socket"}};
  sketch.links = {{"gpu0", "switch0", "pcie", 40, 0},
                  {"gpu1", "switch0", "pcie", 40, gpu1_latency_us},
                  {"gpu2", "switch1", "pcie", 40, 0},
                  {"gpu3", "switch1", "pcie", 40, 0},
                  {"switch0", "root0", "pcie", uplink0, 0},
                  {"switch1", "root1", "pcie", uplink1, 0},
                  {"gpu4", "root2", "pcie", 40, 0},
                  {"gpu5", "root3", "pcie", 40, 0},
                  {"root0", "socket0", "pcie", 40, 0},
                  {"root1", "socket0", "pcie", 40, 0},
                  {"root2", "socket0", "pcie", 40, 0},
                  {"root3", "socket0", "pcie", 40, 0}};
  return sketch;
}

} // namespace

// 1 MB each over an uplink of 10 GB/s: alone 100 us, together 200 us.
TEST(SharedUplink, GivesEachOfTwoGpusHalf) {
  const auto machine = pcie_server(10, 40, 0).machine();
  EXPECT_SAME(message_ends(machine, {{0, 2, 1e6}})[0], 100 * us);
  for (const double end : message_ends(machine, {{0, 2, 1e6}, {1, 3, 1e6}})) {
    EXPECT_SAME(end, 200 * us);
  }
}

// The second route is 5 us longer. The first moves 50 kB alone, then 950 kB at 5 GB/s: 5 + 190 us.
// The second has moved 950 kB by then, and moves 50 kB alone: 200 us.
TEST(SharedUplink, GivesEachHalfWhenRoutesDifferInLatency) {
  const auto machine = pcie_server(10, 40, 5).machine();
  const auto ends = message_ends(machine, {{0, 2, 1e6}, {1, 3, 1e6}});
  EXPECT_SAME(ends[0], 195 * us);
  EXPECT_SAME(ends[1], 200 * us);
}

// gpu0 -> gpu2 crosses an uplink of 10 GB/s with gpu1 -> gpu4, and one of 4 GB/s with gpu5 -> gpu3:
// it gets 2 GB/s there, which leaves 8 GB/s of the other. In 100 us: 0.2, 0.8 and 0.2 MB.
TEST(SharedLinks, GiveAFlowTheSmallestOfItsShares) {
  const auto machine = pcie_server(10, 4, 0).machine();
  for (const double end : message_ends(machine, {{0, 2, 0.2e6}, {1, 4, 0.8e6}, {5, 3, 0.2e6}})) {
    EXPECT_SAME(end, 100 * us);
  }
}

/// The same without peer-to-peer access between GPUs of the server, and with host memory.
MachineSketch staging_server(double memory_gbytes_per_s) {
  auto sketch = pcie_server(20, 20, 0);
  sketch.peer_to_peer = "none";
  sketch.vertices.emplace_back("memory0", "host_memory");
  sketch.links.push_back({"socket0", "memory0", "memory", memory_gbytes_per_s, 0});
  return sketch;
}

// Staged, 1 MB from gpu4 to gpu5 goes at the 40 GB/s of their root ports: 25 us. Beside a second
// copy, between other GPUs over other root ports (20 GB/s of its switches: 50 us alone), both share
// the 20 GB/s of the memory: 100 us.
TEST(HostMemory, IsSharedByAllThatIsStaged) {
  EXPECT_SAME(message_ends(staging_server(1000).machine(), {{4, 5, 1e6}})[0], 25 * us);
  const auto narrow = staging_server(20).machine();
  EXPECT_SAME(message_ends(narrow, {{4, 5, 1e6}})[0], 50 * us);
  for (const double end : message_ends(narrow, {{4, 5, 1e6}, {0, 2, 1e6}})) {
    EXPECT_SAME(end, 100 * us);
  }
}

// Between GPUs of one switch a direct copy is 25 us (40 GB/s), whatever else the uplink does.
// Staged it crosses the uplink of 20 GB/s up and down: 50 us; copies both ways use each direction
// twice: 100 us.
TEST(HostMemory, CostsBothHopsOfItsRootPort) {
  const auto machine = staging_server(1000).machine();
  EXPECT_SAME(message_ends(machine, {{0, 1, 1e6}})[0], 50 * us);
  for (const double end : message_ends(machine, {{0, 1, 1e6}, {1, 0, 1e6}})) {
    EXPECT_SAME(end, 100 * us);
  }
  auto direct = staging_server(1000);
  direct.peer_to_peer = "same_switch";
  for (const double end : message_ends(direct.machine(), {{0, 1, 1e6}, {1, 0, 1e6}})) {
    EXPECT_SAME(end, 25 * us);
  }
}

// Two sockets, a link of 10 GB/s between them: what is staged from the one to the other crosses it
// once, 1 MB in 100 us; two such copies share it.
TEST(HostMemory, OfTheOtherSocketIsBehindTheirLink) {
  MachineSketch sketch;
  sketch.vertices = {{"gpu0", "gpu"},
                     {"gpu1", "gpu"},
                     {"gpu2", "gpu"},
                     {"gpu3", "gpu"},
                     {"socket0", "socket"},
                     {"socket1", "socket"},
                     {"memory0", "host_memory"},
                     {"memory1", "host_memory"}};
  sketch.links = {{"gpu0", "socket0", "pcie", 40, 0},
                  {"gpu1", "socket0", "pcie", 40, 0},
                  {"gpu2", "socket1", "pcie", 40, 0},
                  {"gpu3", "socket1", "pcie", 40, 0},
                  {"socket0", "socket1", "upi", 10, 0},
                  {"socket0", "memory0", "memory", 100, 0},
                  {"socket1", "memory1", "memory", 100, 0}};
  sketch.peer_to_peer = "same_switch";
  const auto machine = sketch.machine();
  EXPECT_SAME(message_ends(machine, {{0, 2, 1e6}})[0], 100 * us);
  EXPECT_SAME(message_ends(machine, {{0, 1, 1e6}})[0], 25 * us);
  for (const double end : message_ends(machine, {{0, 2, 1e6}, {1, 3, 1e6}})) {
    EXPECT_SAME(end, 200 * us);
  }
}

// Leaves of 2 ports for NICs, oversubscribed 2 to 1: two nodes of one 10 GB/s NIC each share 10
// GB/s to the spine. 1 MB from node to node: 100 us. From both nodes of a leaf to the other leaf:
// 200 us.
TEST(FatTree, SharesItsUplinks) {
  MachineSketch sketch;
  sketch.vertices = {{"gpu0", "gpu"}, {"nic0", "nic"}, {"switch0", "pcie_switch"}};
  sketch.links = {{"gpu0", "switch0", "pcie", 100, 0}, {"nic0", "switch0", "pcie", 100, 0}};
  sketch.nodes = 4;
  sketch.fabric = "fat-tree:eth10:ports3:2to1";
  sketch.network_gbytes_per_s = 1; // of the network named above instead: 1.25 GB/s
  auto machine = sketch.machine();
  for (auto& link : machine.links) {
    link.latency.value = Seconds{};
    if (link.kind == LinkKind::network) {
      link.bandwidth.value = link.bandwidth.value * 8.0;
    }
  }
  machine.transports[Transport::network] = {
      .bandwidth = {BytesPerSecond{1e12}, SourceKind::assumed, "no limit"}};
  for (const double end : message_ends(machine, {{0, 1, 1e6}, {2, 3, 1e6}})) {
    EXPECT_SAME(end, 100 * us);
  }
  for (const double end : message_ends(machine, {{0, 2, 1e6}, {1, 3, 1e6}})) {
    EXPECT_SAME(end, 200 * us);
  }
}

// 1 MB each way at 10 GB/s: 100 us, as one alone.
TEST(FullDuplexLink, DoesNotDisturbTheOtherDirection) {
  const auto machine = two_gpus(10, 2).machine();
  EXPECT_SAME(message_ends(machine, {{0, 1, 1e6}})[0], 102 * us);
  for (const double end : message_ends(machine, {{0, 1, 1e6}, {1, 0, 1e6}})) {
    EXPECT_SAME(end, 102 * us);
  }
}

// Software moves 4 of 10 GB/s: two flows do not touch (2 x 4 < 10), three share (10/3 < 4).
TEST(SharedUplink, LeavesCappedFlowsAloneWhileThereIsRoom) {
  auto sketch = pcie_server(10, 40, 0);
  sketch.vertices.emplace_back("gpu6", "gpu");
  sketch.links.push_back({"gpu6", "switch0", "pcie", 40, 0});
  sketch.costs.gbytes_per_s = 4;
  const auto machine = sketch.machine();
  for (const double end : message_ends(machine, {{0, 2, 1e6}, {1, 3, 1e6}})) {
    EXPECT_SAME(end, 250 * us);
  }
  for (const double end : message_ends(machine, {{0, 2, 1e6}, {1, 3, 1e6}, {6, 4, 1e6}})) {
    EXPECT_SAME(end, 300 * us);
  }
}

// Two servers of 2 GPUs with one NIC of 10 GB/s each: two messages between the servers share it.
TEST(SharedNic, SlowsReplicas) {
  MachineSketch sketch;
  sketch.vertices = {{"gpu0", "gpu"}, {"gpu1", "gpu"}, {"switch0", "pcie_switch"}, {"nic0", "nic"}};
  sketch.links = {{"gpu0", "switch0", "pcie", 40, 0},
                  {"gpu1", "switch0", "pcie", 40, 0},
                  {"nic0", "switch0", "pcie", 40, 0}};
  sketch.nodes = 2;
  sketch.network_gbytes_per_s = 10;
  sketch.network_latency_us = 1; // twice: into the switch and out of it
  const auto machine = sketch.machine();
  EXPECT_SAME(message_ends(machine, {{0, 2, 1e6}})[0], 102 * us);
  for (const double end : message_ends(machine, {{0, 2, 1e6}, {1, 3, 1e6}})) {
    EXPECT_SAME(end, 202 * us);
  }
  // Two pipelines of two stages, one stage a server: the second replica slows the first.
  auto layout = pp_layout(2, "1f1b", 1);
  const auto alone = build_plan(small_model(), layout, workload(8, 256, 4));
  layout.dp = 2;
  const auto both = build_plan(small_model(), layout, workload(16, 256, 4));
  EXPECT_GT(simulate(both, machine, {0, 2, 1, 3}).end_s,
            1.0001 * simulate(alone, machine, {0, 2}).end_s);
}

// ----------------------------------------------------------------------------------------- rings

namespace {

/// Seconds that 80 MB more take in an all-reduce of 8 ranks: 1.75 x 80 MB over the narrowest link,
/// without the latencies.
double marginal_all_reduce(const Machine& machine, const std::vector<int>& gpus, RingOrder order) {
  const auto time = [&](double bytes) {
    const auto one = program(
        {collective_op("c", CollectiveKind::all_reduce, bytes), sampling(kernel_op("k", 0))});
    return simulate(hand_plan(std::vector<Program>(gpus.size(), one)),
                    machine,
                    gpus,
                    {.ring_order = order})
        .end_s;
  };
  return time(160e6) - time(80e6);
}

} // namespace

// A link of 8 GB/s joins the sockets of four GPUs each. Ring 0 1 ... 7 crosses it once each way:
// 140 MB / 8 GB/s = 17.5 ms. A ring that alternates sockets crosses it 4 times each way: 70 ms.
// Searched, the ring does not depend on where the ranks are.
TEST(Ring, ThatCrossesTheSocketsOnceBeatsOneThatAlternates) {
  auto machine = find_machine("pcie-2s-a100-40g", 1, "test");
  for (auto& link : machine.links) {
    if (link.kind == LinkKind::upi) {
      link.bandwidth.value = BytesPerSecond{8e9};
    }
  }
  const std::vector<int> in_order{0, 1, 2, 3, 4, 5, 6, 7};
  const std::vector<int> alternating{0, 4, 1, 5, 2, 6, 3, 7};
  EXPECT_SAME(marginal_all_reduce(machine, in_order, RingOrder::ranks), 17.5e-3);
  EXPECT_SAME(marginal_all_reduce(machine, alternating, RingOrder::ranks), 70e-3);
  EXPECT_SAME(marginal_all_reduce(machine, in_order, RingOrder::searched), 17.5e-3);
  EXPECT_SAME(marginal_all_reduce(machine, alternating, RingOrder::searched), 17.5e-3);
}

// A broadcast is a chain from its root, rank 0, whatever ring was found: the far GPUs 0 and 2 are
// joined by a link of 1 GB/s that only the way back to the root would use.
TEST(Ring, OfABroadcastStartsAtItsRoot) {
  MachineSketch sketch;
  sketch.vertices = {{"gpu0", "gpu"}, {"gpu1", "gpu"}, {"gpu2", "gpu"}};
  sketch.links = {{"gpu0", "gpu1", "nvlink", 100, 0},
                  {"gpu1", "gpu2", "nvlink", 100, 0},
                  {"gpu2", "gpu0", "nvlink", 1, 0}};
  const auto machine = sketch.machine();
  const auto one = program({collective_op("c", CollectiveKind::broadcast, 1e6)});
  const auto result = simulate(hand_plan({one, one, one}), machine, {1, 2, 0});
  for (const auto& link : result.links) {
    EXPECT_NE(link.name, "gpu0->gpu1") << "a chain from gpu1 does not enter gpu1";
    EXPECT_NE(link.name, "gpu2->gpu1") << "a chain from gpu1 does not enter gpu1";
  }
}

// Four GPUs in each of two servers of eight, or eight of one.
TEST(TensorParallel, AcrossTwoServersIsSlowerThanInsideOne) {
  const auto plan = build_plan(small_model(), tp_layout(8), workload(8, 64, 4));
  const auto inside = simulate(plan, find_machine("dgx-a100-80g", 1, "test"), first_gpus(8));
  const auto across =
      simulate(plan, find_machine("dgx-a100-80g", 2, "test"), {0, 1, 2, 3, 8, 9, 10, 11});
  EXPECT_GT(across.end_s, inside.end_s);
  EXPECT_GT(across.first_token_s, inside.first_token_s);
  EXPECT_SAME(simulate(plan, find_machine("dgx-a100-80g", 2, "test"), first_gpus(8)).end_s,
              inside.end_s);
}
