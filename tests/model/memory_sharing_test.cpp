#include "sim/engine/simulate.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/hand_plan.hpp"
#include "tests/support/machine_sketch.hpp"
#include "tests/support/tiny_model.hpp"

#include <gtest/gtest.h>

using namespace decodesim;
using namespace decodesim::testing;

namespace {

struct Ends {
  double kernel = 0;
  double gather = 0;
};

/// Two GPUs of 1e12 B/s of memory, each with a kernel beside an all-gather of both. Each edge of
/// the ring of two moves half of the array, and crosses both GPUs' memory; a GPU's memory is
/// crossed twice, by what it sends and what it receives.
Ends beside_gather(double link_gbytes_per_s,
                   double kernel_bytes,
                   double kernel_share_of_memory,
                   double bytes_per_edge,
                   double gather_latency_us = 0) {
  auto sketch = two_gpus(link_gbytes_per_s, 0);
  sketch.costs.base_us = gather_latency_us;
  sketch.gpu = round_gpu(kernel_share_of_memory);
  const auto one = program({collective_op("g", CollectiveKind::all_gather, 2 * bytes_per_edge, 1),
                            sampling(kernel_op("k", kernel_bytes))},
                           {"compute", "gather"});
  const auto result =
      simulate(hand_plan({one, one}), sketch.machine(), first_gpus(2), {.record_timeline = true});
  Ends ends;
  for (const auto& span : result.timeline.spans) {
    (span.kind == SpanKind::transfer ? ends.gather : ends.kernel) = span.end_s;
  }
  return ends;
}

} // namespace

// Memory: kernel + 2 x gather <= 1000 GB/s. The gather has its link's 250 GB/s, so the kernel,
// alone at 1000, gets 500. 12.5 MB at 250 GB/s: 50 us, in which the kernel of 100 us does 25 us of
// its work: it ends at 50 + 75 us.
TEST(MemorySharing, SlowsAKernelBesideAGather) {
  const auto ends = beside_gather(250, 1e8, 1.0, 12.5e6);
  EXPECT_SAME(ends.gather, 50 * us);
  EXPECT_SAME(ends.kernel, 125 * us);
}

// The link could carry 1000 GB/s. Max-min fair: the three crossings get 1000/3 GB/s each. 20 MB:
// 60 us; the kernel has moved 20 of its 100 MB and needs 80 us more.
TEST(MemorySharing, SlowsAGatherBesideAKernel) {
  const auto ends = beside_gather(1000, 1e8, 1.0, 20e6);
  EXPECT_SAME(ends.gather, 60 * us);
  EXPECT_SAME(ends.kernel, 140 * us);
}

// The kernel is short: 10 MB at 1000/3 GB/s, 30 us. Then the gather has memory for itself, 500 GB/s
// a crossing: 10 of 20 MB are left, 20 us more.
TEST(MemorySharing, EndsWithTheKernel) {
  const auto ends = beside_gather(1000, 1e7, 1.0, 20e6);
  EXPECT_SAME(ends.kernel, 30 * us);
  EXPECT_SAME(ends.gather, 50 * us);
}

// The gather's bytes start after 30 us of latency: 30 us of the kernel alone, 50 us at half speed,
// 45 us alone.
TEST(MemorySharing, BeginsWithTheBytesOfTheGather) {
  const auto ends = beside_gather(250, 1e8, 1.0, 12.5e6, 30);
  EXPECT_SAME(ends.gather, 80 * us);
  EXPECT_SAME(ends.kernel, 125 * us);
}

// A kernel at half of the bandwidth, 100 us, beside 2 x 100 GB/s: there is room, so that playing it
// as a flow takes exactly as long as sleeping.
TEST(MemorySharing, LeavesAKernelAloneWhileThereIsRoom) {
  const auto ends = beside_gather(100, 5e7, 0.5, 5e6);
  EXPECT_SAME(ends.gather, 50 * us);
  EXPECT_SAME(ends.kernel, 100 * us);
}

// Kernels of 10, 20 and 30 us in one launch; the gather's bytes start at 15 us, in the second, and
// end at 40 us, in the third. Second: 5 us alone, then 15 us of work at half speed: ends at 45 us?
// No: the gather ends at 15 + 25 = 40 us, so 12.5 us are done by then and 2.5 us are left: 42.5 us.
// Third: alone, 72.5 us.
TEST(MemorySharing, SlowsTheKernelsOfALaunchThatItMeets) {
  auto sketch = two_gpus(250, 0);
  sketch.costs.base_us = 15;
  sketch.gpu = round_gpu(1.0);
  const auto one = program({collective_op("g", CollectiveKind::all_gather, 2 * 6.25e6, 1),
                            kernel_op("a", 10e6),
                            kernel_op("b", 20e6),
                            sampling(kernel_op("c", 30e6))},
                           {"compute", "gather"});
  const auto result =
      simulate(hand_plan({one, one}), sketch.machine(), first_gpus(2), {.record_timeline = true});
  std::vector<double> ends;
  for (const auto& span : result.timeline.spans) {
    if (span.rank == 0 && span.kind == SpanKind::compute) {
      ends.push_back(span.end_s);
    }
  }
  ASSERT_EQ(ends.size(), 3u);
  EXPECT_SAME(ends[0], 10 * us);
  EXPECT_SAME(ends[1], 42.5 * us);
  EXPECT_SAME(ends[2], 72.5 * us);
}

// A rank with one stream has no kernel beside its transfers: memory does not limit them. 20 MB at
// 1000 GB/s: 20 us after the kernel of 10 us.
TEST(MemorySharing, DoesNotConcernRanksWithOneStream) {
  auto sketch = two_gpus(1000, 0);
  sketch.gpu = round_gpu(1.0);
  const auto one = program({kernel_op("a", 10e6),
                            collective_op("g", CollectiveKind::all_gather, 40e6),
                            sampling(kernel_op("b", 10e6))});
  EXPECT_SAME(simulate(hand_plan({one, one}), sketch.machine(), first_gpus(2)).end_s, 40 * us);
}

// A gather whose bytes start exactly when a kernel ends disturbs neither it nor the next but one.
// Kernels of 30 us; bytes from 30 to 80 us at 250 GB/s: the second and third run at half speed
// until 80 us (25 us of work), then 35 us are left.
TEST(MemorySharing, MayBeginAtTheEndOfAKernel) {
  auto sketch = two_gpus(250, 0);
  sketch.costs.base_us = 30;
  sketch.gpu = round_gpu(1.0);
  const auto one = program({collective_op("g", CollectiveKind::all_gather, 2 * 12.5e6, 1),
                            kernel_op("a", 30e6),
                            kernel_op("b", 30e6),
                            sampling(kernel_op("c", 30e6))},
                           {"compute", "gather"});
  EXPECT_SAME(simulate(hand_plan({one, one}), sketch.machine(), first_gpus(2)).end_s, 115 * us);
}
