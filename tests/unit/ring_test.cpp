#include "tests/unit/input_file.hpp"
#include "tests/unit/small_machine.hpp"
#include "topologies/ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace decodesim {
namespace {

Machine preset(const std::string& name, int nodes = 1) {
  return find_machine(name, nodes, "--machine");
}

std::vector<int> first_gpus(int count) {
  std::vector<int> gpus(static_cast<std::size_t>(count));
  std::iota(gpus.begin(), gpus.end(), 0);
  return gpus;
}

/// Crossings between sockets by name.
std::map<std::string, int>
crossings(const Machine& machine, const Routes& routes, const std::vector<int>& order) {
  std::map<std::string, int> named;
  for (const auto& [direction, count] : socket_crossings(machine, routes, order)) {
    named[machine.direction_name(direction)] = count;
  }
  return named;
}

TEST(Ring, OfTwoSocketsCrossesOnceEachWay) {
  const auto machine = preset("pcie-2s-a100-40g");
  const Routes routes{machine};
  // Given in the worst order: it is the GPUs that matter.
  const auto ring = find_ring(machine, routes, {0, 4, 1, 5, 2, 6, 3, 7});
  EXPECT_EQ(ring, first_gpus(8));
  EXPECT_EQ(crossings(machine, routes, ring),
            (std::map<std::string, int>{{"socket0->socket1", 1}, {"socket1->socket0", 1}}));
  // The link between the sockets, once, at 10 GB/s.
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, ring), 1 / 10e9);
}

TEST(Ring, ThatAlternatesSocketsSharesTheirLink) {
  const auto machine = preset("pcie-2s-a100-40g");
  const Routes routes{machine};
  const std::vector<int> alternating{0, 4, 1, 5, 2, 6, 3, 7};
  EXPECT_EQ(crossings(machine, routes, alternating),
            (std::map<std::string, int>{{"socket0->socket1", 4}, {"socket1->socket0", 4}}));
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, alternating), 4 / 10e9);
}

TEST(Ring, CrossesACutAnEvenNumberOfTimes) {
  const auto machine = preset("pcie-2s-a100-40g");
  const Routes routes{machine};
  auto order = first_gpus(8);
  for (int i = 0; i < 200; ++i) {
    const auto found = crossings(machine, routes, order);
    const auto there = found.contains("socket0->socket1") ? found.at("socket0->socket1") : 0;
    const auto back = found.contains("socket1->socket0") ? found.at("socket1->socket0") : 0;
    EXPECT_EQ(there, back);
    std::next_permutation(order.begin(), order.end());
  }
}

TEST(Ring, KeepsPairsOfASwitchTogether) {
  // GPUs 0, 1 and 2, 3 share switches: 0 1 3 2 and 0 1 2 3 cross both uplinks once each way.
  // 0 2 1 3 crosses each twice each way: 2 / 31.5 GB/s.
  const auto machine = preset("pcie-1s-a100-80g");
  const Routes routes{machine};
  EXPECT_EQ(find_ring(machine, routes, {3, 1, 2, 0}), first_gpus(4));
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, {0, 1, 2, 3}), 1 / 31.5e9);
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, {0, 2, 1, 3}), 2 / 31.5e9);
}

TEST(Ring, BehindNvswitchIsAnyOrderSoTheSmallest) {
  const auto machine = preset("dgx-a100-80g");
  const Routes routes{machine};
  const auto ring = find_ring(machine, routes, first_gpus(8));
  EXPECT_EQ(ring, first_gpus(8));
  EXPECT_TRUE(socket_crossings(machine, routes, ring).empty());
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, ring), 1 / 300e9);
}

TEST(Ring, OfOneOrTwoGpusIsAsGiven) {
  const auto machine = preset("dgx-a100-80g");
  const Routes routes{machine};
  EXPECT_EQ(find_ring(machine, routes, {5}), std::vector<int>{5});
  EXPECT_EQ(find_ring(machine, routes, {7, 2}), (std::vector<int>{7, 2}));
  EXPECT_EQ(ring_seconds_per_byte(machine, routes, {5}), 0.0);
}

TEST(Ring, OfSomeGpusVisitsTheseOnly) {
  const auto machine = preset("pcie-2s-a100-40g");
  const Routes routes{machine};
  // 1 and 6 alone on their switches, 2 and 3 together.
  const auto ring = find_ring(machine, routes, {6, 3, 1, 2});
  EXPECT_EQ(ring, (std::vector<int>{1, 2, 3, 6}));
}

TEST(Ring, OfMoreThanEightGpusIsFoundByExchange) {
  // Even and odd GPUs on two switches: the best ring crosses between these once each way, so no
  // link carries more than 1 / 10 GB/s. The order as given crosses 6 times each way.
  const InputFile file{interleaved_machine(12), "m.json"};
  const auto machine = load_machine(file.path());
  const Routes routes{machine};
  const auto ring = find_ring(machine, routes, first_gpus(12));
  EXPECT_EQ(ring.front(), 0);
  auto sorted = ring;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, first_gpus(12));
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, ring), 1 / 10e9);
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, first_gpus(12)), 6 / 10e9);
}

TEST(Ring, OfEquallyGoodOrdersIsTheSmallest) {
  // All odd GPUs in a row, all even ones in a row: begun within the even ones, 0 1 ... is smaller
  // than 0 2 4 6 1 3 5 7.
  const InputFile file{interleaved_machine(8), "m.json"};
  const auto machine = load_machine(file.path());
  EXPECT_EQ(find_ring(machine, Routes{machine}, first_gpus(8)),
            (std::vector<int>{0, 1, 3, 5, 7, 2, 4, 6}));
}

TEST(Ring, GoesNodeAfterNode) {
  const auto machine = preset("dgx-a100-80g", 3);
  const Routes routes{machine};
  auto gpus = first_gpus(24);
  std::reverse(gpus.begin(), gpus.end());
  const auto ring = find_ring(machine, routes, gpus);
  ASSERT_EQ(ring.size(), 24u);
  for (std::size_t i = 0; i < ring.size(); ++i) {
    EXPECT_EQ(ring[i] / 8, static_cast<int>(i) / 8);
  }
  // One NIC out of each node and one into it, 25 GB/s.
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, ring), 1 / 25e9);
}

TEST(Ring, OfAnOpenChainCrossesTheSocketsOnce) {
  // In a cluster the ring enters a node on one socket and leaves it on the other.
  const auto machine = preset("pcie-2s-a100-40g", 2);
  const Routes routes{machine};
  const auto ring = find_ring(machine, routes, first_gpus(16));
  EXPECT_EQ(crossings(machine, routes, ring),
            (std::map<std::string, int>{{"node0/socket0->node0/socket1", 1},
                                        {"node1/socket0->node1/socket1", 1}}));
}

class TwoSockets : public testing::TestWithParam<const char*> {};

TEST_P(TwoSockets, AreCrossedOnceEachWay) {
  const auto machine = preset(GetParam());
  const Routes routes{machine};
  const auto ring = find_ring(machine, routes, {0, 4, 1, 5, 2, 6, 3, 7});
  EXPECT_EQ(crossings(machine, routes, ring),
            (std::map<std::string, int>{{"socket0->socket1", 1}, {"socket1->socket0", 1}}));
}

INSTANTIATE_TEST_SUITE_P(All,
                         TwoSockets,
                         testing::Values("a100-nvlink-pairs",
                                         "h200-nvl-pairs",
                                         "h200-nvl-pcie",
                                         "l40s-pcie-8",
                                         "pcie-2s-a100-40g",
                                         "rtx4090-pcie-8"),
                         [](const auto& one) {
                           std::string name = one.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Ring, OfAHybridCubeMeshIsAllDoubleNvlinks) {
  // The eight double links of a DGX-1 are a Hamiltonian ring: 0 3 2 1 5 6 7 4.
  const auto machine = preset("dgx1-v100");
  const Routes routes{machine};
  const auto ring = find_ring(machine, routes, first_gpus(8));
  EXPECT_EQ(ring, (std::vector<int>{0, 3, 2, 1, 5, 6, 7, 4}));
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const auto& path = routes.between(ring[i], ring[(i + 1) % ring.size()]);
    EXPECT_EQ(path.transport, Transport::nvlink);
    ASSERT_EQ(path.links.size(), 1u);
    EXPECT_EQ(machine.link(path.links[0]).physical_links, 2);
  }
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, ring), 1 / 50e9);
}

TEST(Ring, OfThousandsOfGpusIsFoundAtOnce) {
  const auto machine = preset("dgx-a100-80g", 420);
  const Routes routes{machine};
  EXPECT_EQ(find_ring(machine, routes, first_gpus(3360)), first_gpus(3360));
}

} // namespace
} // namespace decodesim
