#include "sim/network/nccl/choice.hpp"
#include "tests/support/switched_group.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::nccl;
using decodesim::testing::SwitchedGroup;

namespace {

constexpr Bytes large{1e9};

Algorithm chosen(const SwitchedGroup::Shape& shape, int minor, Bytes bytes = large) {
  const SwitchedGroup group{shape};
  return choose(graph_of(group), {minor}, CollectiveKind::all_reduce, bytes).algorithm;
}

SwitchedGroup::Shape h200(int gpus) { return {.per_node = gpus}; }

SwitchedGroup::Shape b200(int gpus) {
  return {.per_node = gpus,
          .compute_capability = 100,
          .link_gbytes_per_s = 900,
          .moved_gbytes_per_s = 720};
}

SwitchedGroup::Shape a100(int gpus) {
  return {.per_node = gpus,
          .compute_capability = 80,
          .link_gbytes_per_s = 300,
          .moved_gbytes_per_s = 228,
          .reduces = false};
}

} // namespace

// ----------------------------------------------------------------------------------------- graph

// 12 NVLinks of 20 GB/s are 240 GB/s: the first speed of the list is 40, 6 times; cut in two.
TEST(NcclGraph, OfA100HasTwelveChannelsOfTwenty) {
  const auto graph = graph_of(SwitchedGroup{a100(8)});
  EXPECT_EQ(graph.rings.count, 12);
  EXPECT_DOUBLE_EQ(graph.rings.in_node.value(), 20e9);
  EXPECT_FALSE(graph.nvls.has_value());
}

// 18 NVLinks of 20.6 GB/s are 370.8: 60 six times, 360, cut in two. NVLS: 9 x 40 fit, 9 x 50 do
// not.
TEST(NcclGraph, OfH100HasTwelveChannelsOfThirty) {
  const auto graph = graph_of(SwitchedGroup{h200(8)});
  EXPECT_EQ(graph.rings.count, 12);
  EXPECT_DOUBLE_EQ(graph.rings.in_node.value(), 30e9);
  ASSERT_TRUE(graph.nvls.has_value());
  EXPECT_EQ(graph.nvls->count, 8);
  EXPECT_DOUBLE_EQ(graph.nvls->in_node.value(), 40e9);
  EXPECT_DOUBLE_EQ(graph.nvls->between_nodes.value(), 60e9);
}

// 18 NVLinks of 40.1 GB/s are 721.8: 90 eight times, 720, cut in two.
TEST(NcclGraph, OfB200HasSixteenChannelsOfFortyFive) {
  const auto graph = graph_of(SwitchedGroup{b200(8)});
  EXPECT_EQ(graph.rings.count, 16);
  EXPECT_DOUBLE_EQ(graph.rings.in_node.value(), 45e9);
}

// PCIe 5.0 x16 counts 48 GB/s: two channels of 24 move more than one of 40.
TEST(NcclGraph, OverPcieHasNoLl128) {
  const auto graph = graph_of(SwitchedGroup{{.per_node = 2,
                                             .compute_capability = 120,
                                             .link_gbytes_per_s = 63,
                                             .moved_gbytes_per_s = 45,
                                             .reduces = false,
                                             .transport = Transport::pcie}});
  EXPECT_EQ(graph.rings.count, 2);
  EXPECT_DOUBLE_EQ(graph.rings.in_node.value(), 24e9);
  EXPECT_FALSE(graph.ll128);
}

// --------------------------------------------------------------------------------------- choices

// By the rule before 2.28 NVLS of 5 GPUs moves 5 x 60 x 5/6 = 250 GB/s, a ring 360 x 5/8 = 225; of
// 4 GPUs 200 against 240. The rule from 2.28 on: 5 x min(60 x 0.85 x 4/5 x 2, 60) x 5/8 = 187.5.
TEST(NcclChoice, SwitchesToNvlsAtFiveH200BeforeVersion28) {
  EXPECT_EQ(chosen(h200(4), 27), Algorithm::ring);
  EXPECT_EQ(chosen(h200(5), 27), Algorithm::nvls);
  EXPECT_EQ(chosen(h200(5), 28), Algorithm::ring);
  EXPECT_EQ(chosen(h200(8), 28), Algorithm::nvls);
}

// 6 x 90 x 5/6 = 450 GB/s against 720 x 6/10 = 432; of 5 GPUs 375 against 450.
TEST(NcclChoice, SwitchesToNvlsAtSixB200BeforeVersion28) {
  EXPECT_EQ(chosen(b200(5), 27), Algorithm::ring);
  EXPECT_EQ(chosen(b200(6), 27), Algorithm::nvls);
}

TEST(NcclChoice, HasNoNvlsWithoutASwitchThatReduces) {
  auto shape = h200(8);
  shape.reduces = false;
  EXPECT_EQ(chosen(shape, 28), Algorithm::ring);
  EXPECT_EQ(chosen(a100(8), 28), Algorithm::ring);
}

// 4 KB on 8 H100: LL 6.6 + 14 x 0.6 us = 15 us, LL128 14 + 14 x 1.9 = 41 us, Simple 56 us.
TEST(NcclChoice, TakesLlForSmallMessages) {
  const SwitchedGroup group{h200(8)};
  const auto one = choose(graph_of(group), {}, CollectiveKind::all_reduce, Bytes{4096});
  EXPECT_EQ(one.algorithm, Algorithm::ring);
  EXPECT_EQ(one.protocol, Protocol::ll);
  EXPECT_NEAR(one.latency.value(), 15e-6, 1e-12);
}

// 8 MB gathered by 8 H100: LL128 has 331.2 GB/s, 379 of the whole array.
TEST(NcclChoice, TakesLl128InBetweenOverNvlink) {
  const SwitchedGroup group{h200(8)};
  const auto one =
      choose(graph_of(group), {}, CollectiveKind::all_gather, Bytes{8.0 * 1024 * 1024});
  EXPECT_EQ(one.protocol, Protocol::ll128);
  EXPECT_NEAR(one.bus_bandwidth.value(), 331.2e9, 1.0);
}

// Between two nodes a ring makes 2 x 15 - 2 steps inside of at least 1 us and 2 of 2.7 us: 40 us; a
// tree 6.8 + 2 (7 x 0.6 + 5) = 25.2 us.
TEST(NcclChoice, TakesATreeForSmallMessagesBetweenNodes) {
  const SwitchedGroup group{{.nodes = 2}};
  const auto one = choose(graph_of(group), {}, CollectiveKind::all_reduce, Bytes{8});
  EXPECT_EQ(one.algorithm, Algorithm::tree);
  EXPECT_NEAR(one.latency.value(), 25.2e-6, 1e-10);
}

TEST(NcclChoice, ReducesInTheSwitchesOfSeveralNodes) {
  EXPECT_EQ(chosen({.nodes = 2}, 29), Algorithm::nvls_tree);
}

TEST(NcclChoice, CountsTheLatencyThatANetworkAdds) {
  const SwitchedGroup group{{.nodes = 2, .network_hop_us = 76.06}};
  const auto graph = graph_of(group);
  EXPECT_NEAR(graph.plugin_latency.value(), 75e-6, 1e-10);
  // 6.8 + 2 (7 x 0.6 + 80)
  EXPECT_NEAR(
      choose(graph, {}, CollectiveKind::all_reduce, Bytes{8}).latency.value(), 175.2e-6, 1e-10);
}

// Four NICs of 100 Gbit/s count 12 GB/s each: no channel is faster, though one of 48 moves as much.
// Trees, of which a node's NICs carry the array once, are raised to 48 inside: 4 x 23.6 GB/s halved
// are more than a ring's 48 x 16/30.
TEST(NcclChoice, TakesTreesWhereTheNetworkIsSlow) {
  SwitchedGroup::Shape shape = a100(4);
  shape.nodes = 2;
  shape.nic_gbytes_per_s = 12.5;
  const auto graph = graph_of(SwitchedGroup{shape});
  EXPECT_EQ(graph.rings.count, 4);
  EXPECT_DOUBLE_EQ(graph.rings.in_node.value(), 12e9);
  EXPECT_DOUBLE_EQ(graph.trees.in_node.value(), 48e9);
  EXPECT_EQ(chosen(shape, 29), Algorithm::tree);
}
