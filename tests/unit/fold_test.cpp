#include "sim/engine/fold.hpp"

#include <gtest/gtest.h>

using namespace decodesim;

namespace {

/// Ranks of one role and resources of one kind, none of them a memory.
CommunicationGraph graph_of(int ranks, int resources) {
  CommunicationGraph graph;
  graph.role_of_rank.assign(static_cast<std::size_t>(ranks), 0);
  graph.transfers_of_rank.resize(static_cast<std::size_t>(ranks));
  graph.kind_of_resource.assign(static_cast<std::size_t>(resources), 0);
  graph.rank_of_resource.assign(static_cast<std::size_t>(resources), -1);
  return graph;
}

void add_collective(CommunicationGraph& graph,
                    const std::vector<int>& ranks,
                    std::vector<int> resources) {
  for (const int rank : ranks) {
    graph.transfers_of_rank[static_cast<std::size_t>(rank)].push_back(
        static_cast<int>(graph.transfers.size()));
  }
  graph.transfers.push_back({.resources = {std::move(resources)}});
}

void add_message(CommunicationGraph& graph, int from, int to, std::vector<int> resources) {
  for (const int rank : {from, to}) {
    graph.transfers_of_rank[static_cast<std::size_t>(rank)].push_back(
        static_cast<int>(graph.transfers.size()));
  }
  graph.transfers.push_back(
      {.message = true, .ranks = {from, to}, .resources = {std::move(resources)}});
  graph.channels.push_back({.communicator = 0, .from = from, .to = to});
}

} // namespace

// A ring of four: each link once. One rank is played, on one link.
TEST(Fold, PlaysOneRankOfAGroup) {
  auto graph = graph_of(4, 4);
  add_collective(graph, {0, 1, 2, 3}, {0, 1, 2, 3});
  const Fold fold{graph, true};
  EXPECT_EQ(fold.played_ranks(), 1);
  EXPECT_EQ(fold.rank(3), 0);
  EXPECT_EQ(fold.ranks_like(0), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(fold.load(graph, 0, 0), (std::vector<int>{0}));
}

TEST(Fold, PlaysEveryRankWhenToldSo) {
  auto graph = graph_of(4, 4);
  add_collective(graph, {0, 1, 2, 3}, {2, 1, 1, 3});
  const Fold fold{graph, false};
  EXPECT_EQ(fold.played_ranks(), 4);
  EXPECT_EQ(fold.load(graph, 0, 0), (std::vector<int>{2, 1, 1, 3}));
}

// Two groups of two that share link 2: alike, and together they cross it twice.
TEST(Fold, KeepsWhatReplicasShare) {
  auto graph = graph_of(4, 3);
  add_collective(graph, {0, 1}, {0, 2});
  add_collective(graph, {2, 3}, {1, 2});
  const Fold fold{graph, true};
  EXPECT_EQ(fold.played_ranks(), 1);
  EXPECT_EQ(fold.transfer(1), 0);
  EXPECT_EQ(fold.load(graph, 0, 0), (std::vector<int>{0, 2, 2}));
}

// An all-gather and a reduce-scatter of one size on the same links, one after the other.
TEST(Fold, TellsTransfersOfOneGroupApart) {
  auto graph = graph_of(2, 2);
  add_collective(graph, {0, 1}, {0, 1});
  add_collective(graph, {0, 1}, {0, 1});
  const Fold fold{graph, true};
  EXPECT_EQ(fold.played_ranks(), 1);
  EXPECT_EQ(fold.transfer(1), 1);
  EXPECT_EQ(fold.load(graph, 0, 0), (std::vector<int>{0}));
}

// Of three groups two share a link: these are alike, the third is not.
TEST(Fold, TellsGroupsApartThatShareALink) {
  auto graph = graph_of(6, 2);
  add_collective(graph, {0, 1}, {0});
  add_collective(graph, {2, 3}, {0});
  add_collective(graph, {4, 5}, {1});
  const Fold fold{graph, true};
  EXPECT_EQ(fold.played_ranks(), 2);
  EXPECT_EQ(fold.rank(2), 0);
  EXPECT_EQ(fold.rank(4), 4);
}

// A third transfer, between other roles, crosses the link of the first pipeline only. What differs
// reaches the ranks behind: nothing folds.
TEST(Fold, FollowsADifferenceAlongMessages) {
  auto graph = graph_of(6, 4);
  graph.role_of_rank = {0, 1, 0, 1, 2, 3};
  add_message(graph, 0, 1, {0});
  add_message(graph, 2, 3, {1});
  EXPECT_EQ((Fold{graph, true}.played_ranks()), 4); // the last two do nothing
  add_message(graph, 4, 5, {0});
  EXPECT_EQ((Fold{graph, true}.played_ranks()), 6);
}

// The memory of rank 1 is also crossed by another transfer.
TEST(Fold, TellsRanksApartWhoseMemoryIsShared) {
  auto graph = graph_of(4, 4);
  graph.role_of_rank = {0, 0, 1, 2};
  graph.rank_of_resource = {0, 1, 2, 3};
  add_collective(graph, {0, 1}, {0, 1});
  EXPECT_EQ((Fold{graph, true}.played_ranks()), 3);
  add_collective(graph, {2, 3}, {1, 2});
  EXPECT_EQ((Fold{graph, true}.played_ranks()), 4);
}

// Rank 0 sends to two ranks that are alike: one channel would stand for two, so nothing is folded.
TEST(Fold, LeavesChannelsAloneThatDoNotPairUp) {
  auto graph = graph_of(3, 2);
  graph.role_of_rank = {0, 1, 1};
  add_message(graph, 0, 1, {0});
  add_message(graph, 0, 2, {1});
  EXPECT_EQ((Fold{graph, true}.played_ranks()), 3);
}

// Bandwidths, latencies and sizes tell apart.
TEST(Fold, NeedsEqualNumbers) {
  auto graph = graph_of(4, 2);
  add_collective(graph, {0, 1}, {0});
  add_collective(graph, {2, 3}, {1});
  EXPECT_EQ((Fold{graph, true}.played_ranks()), 1);
  auto other_width = graph;
  other_width.kind_of_resource[1] = 7;
  EXPECT_EQ((Fold{other_width, true}.played_ranks()), 2);
  auto other_shape = graph;
  other_shape.transfers[1].shape = 7;
  EXPECT_EQ((Fold{other_shape, true}.played_ranks()), 2);
}
