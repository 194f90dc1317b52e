#include "sim/error.hpp"
#include "validation/nccl_tests_output.hpp"

#include <gtest/gtest.h>

using namespace decodesim;

namespace {

/// As nccl-tests 2.13 prints it, cut to three sizes.
const char* const two_hosts =
    R"(# nThread 1 nGpus 1 minBytes 8 maxBytes 1073741824 step: 2(factor) warmup iters: 5 iters: 20 agg iters: 1 validation: 1 graph: 0
#
# Using devices
#  Rank  0 Group  0 Pid  10817 on      host-a device  0 [0x10] NVIDIA A100-SXM4-80GB
#  Rank  1 Group  0 Pid  10818 on      host-a device  1 [0x16] NVIDIA A100-SXM4-80GB
#  Rank  2 Group  0 Pid  20817 on      host-b device  0 [0x10] NVIDIA A100-SXM4-80GB
#  Rank  3 Group  0 Pid  20818 on      host-b device  1 [0x16] NVIDIA A100-SXM4-80GB
#
#                                                              out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
           8             2     float     sum      -1    27.70    0.00    0.00      0    28.78    0.00    0.00      0
     1048576        262144     float     sum      -1    81.71   12.83   19.25      0    80.12   13.09   19.63      0
  1073741824     268435456     float     sum      -1  10472.2  102.53  153.80      0  10460.1  102.65  153.98      0
# Out of bounds values : 0 OK
# Avg bus bandwidth    : 57.7
)";

} // namespace

TEST(NcclTestsOutput, GivesRanksHostsAndOutOfPlaceTimes) {
  ASSERT_TRUE(is_nccl_tests_output(two_hosts));
  const auto output = read_nccl_tests_output(two_hosts, "log");
  EXPECT_EQ(output.ranks, 4);
  EXPECT_EQ(output.nodes, 2);
  EXPECT_EQ(output.gpus_per_process, 1);
  EXPECT_EQ(output.device, "NVIDIA A100-SXM4-80GB");
  ASSERT_EQ(output.rows.size(), 3U);
  EXPECT_EQ(output.rows[1].bytes, 1048576);
  EXPECT_EQ(output.rows[1].time_us, 81.71);
}

// 19.25 / 12.83 = 1.5 = 2 x 3/4: an all-reduce of four.
TEST(NcclTestsOutput, KnowsTheCollectiveByItsBandwidths) {
  EXPECT_EQ(read_nccl_tests_output(two_hosts, "log").collective, "all_reduce");
}

TEST(NcclTestsOutput, KnowsTheCollectiveByItsName) {
  const auto text = "# Collective test starting: all_gather_perf\n" + std::string{two_hosts};
  EXPECT_EQ(read_nccl_tests_output(text, "log").collective, "all_gather");
}

TEST(NcclTestsOutput, WithoutRanksIsAnError) {
  EXPECT_THROW((void)read_nccl_tests_output("# size count type redop root time algbw busbw\n"
                                            "  8  2  float  sum  -1  27.70  0.00  0.00  0\n",
                                            "log"),
               InputError);
}

TEST(NcclTestsOutput, IsNotATable) {
  EXPECT_FALSE(is_nccl_tests_output("# source: x\nsystem,time_us,algbw_GBps,busbw_GBps\n"));
}
