#include "sim/network/nccl/protocol_network.hpp"
#include "sim/network/ring_pieces.hpp"
#include "tests/support/switched_group.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace decodesim;
using namespace decodesim::nccl;
using decodesim::testing::SwitchedGroup;

namespace {

constexpr int cases = 2000;

/// One random group, collective and size.
struct Case {
  SwitchedGroup::Shape shape;
  CollectiveKind kind = CollectiveKind::all_reduce;
  Bytes bytes;
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
};

class Draw {
public:
  explicit Draw(unsigned seed) : random_{seed} {}

  Case next() {
    Case one;
    one.shape.nodes = whole(1, 3);
    one.shape.per_node = one.shape.nodes == 1 ? whole(2, 8) : whole(1, 8);
    const int gpu = whole(0, 2);
    one.shape.compute_capability = gpu == 0 ? 80 : gpu == 1 ? 90 : 100;
    one.shape.link_gbytes_per_s = 300.0 * (gpu + 1);
    one.shape.moved_gbytes_per_s = one.shape.link_gbytes_per_s * real(0.6, 0.9);
    one.shape.link_latency_us = real(0.1, 0.5);
    one.shape.nic_gbytes_per_s = real(5, 60);
    one.shape.network_hop_us = real(1, 30);
    one.shape.reduces = false;
    one.kind = whole(0, 1) == 0 ? CollectiveKind::all_reduce : CollectiveKind::all_gather;
    one.bytes = Bytes{std::exp2(real(3, 31))};
    one.algorithm = one.kind == CollectiveKind::all_reduce && whole(0, 1) == 0 ? Algorithm::tree
                                                                               : Algorithm::ring;
    one.protocol = static_cast<Protocol>(whole(0, 2));
    return one;
  }

  double real(double least, double most) {
    return least + (most - least) * static_cast<double>(random_() % 1'000'000) / 1e6;
  }

private:
  int whole(int least, int most) {
    return least + static_cast<int>(random_() % static_cast<unsigned>(most - least + 1));
  }

  std::mt19937 random_;
};

/// Time of the case's algorithm and protocol, whichever NCCL would choose.
double time_of(const Case& one) {
  const SwitchedGroup group{one.shape};
  const auto graph = graph_of(group);
  const CollectiveTask task{.kind = one.kind, .total_bytes = one.bytes};
  for (const auto& candidate : candidates(graph, {}, one.kind, one.bytes)) {
    if (candidate.algorithm == one.algorithm && candidate.protocol == one.protocol) {
      const ProtocolNetwork network{group, graph, {}, candidate, task};
      const auto transfer =
          one.algorithm == Algorithm::ring
              ? ring_transfer(task, network)
              : collective_algorithm_named("tree", "test").transfer(task, network);
      return group.idle_time(transfer).value();
    }
  }
  return 0; // LL128 without NVLink in the node
}

/// The time of no case rises, or falls, by more than rounding.
template <class Change> void expect_never_less(unsigned seed, Change change) {
  Draw draw{seed};
  for (int i = 0; i < cases; ++i) {
    const auto one = draw.next();
    auto more = one;
    change(more, draw);
    const double before = time_of(one);
    const double after = time_of(more);
    if (before > 0 && after > 0) {
      ASSERT_GE(after, before * (1 - 1e-9))
          << "seed " << seed << ", case " << i << ": " << to_string(one.algorithm) << " "
          << to_string(one.protocol) << ", " << one.shape.nodes << " x " << one.shape.per_node
          << " of " << one.shape.compute_capability << ", " << one.bytes.value() << " B";
    }
  }
}

} // namespace

TEST(NcclTimes, NeverFallWithBytes) {
  expect_never_less(1, [](Case& one, Draw& draw) { one.bytes = draw.real(1, 8) * one.bytes; });
}

/// In one node: a further rank of several nodes may bring a further NIC.
TEST(NcclTimes, NeverFallWithRanks) {
  expect_never_less(
      2, [](Case& one, Draw& /*draw*/) { one.shape.per_node += one.shape.nodes == 1 ? 1 : 0; });
}

TEST(NcclTimes, NeverFallWithLatency) {
  expect_never_less(3, [](Case& one, Draw& draw) {
    one.shape.link_latency_us *= draw.real(1, 4);
    one.shape.network_hop_us *= draw.real(1, 4);
  });
}

/// More bandwidth, never more time: the case with less is the later one.
TEST(NcclTimes, NeverRiseWithBandwidth) {
  expect_never_less(4, [](Case& one, Draw& draw) {
    const double share = draw.real(0.3, 1);
    one.shape.link_gbytes_per_s *= share;
    one.shape.moved_gbytes_per_s *= share;
    one.shape.nic_gbytes_per_s *= draw.real(0.3, 1);
  });
}
