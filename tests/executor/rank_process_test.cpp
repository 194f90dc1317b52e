#include "sim/error.hpp"
#include "tests/support/temporary_folder.hpp"
#include "validation/executor/mps_daemon.hpp"
#include "validation/executor/rank_process.hpp"
#include "validation/executor/rendezvous.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

using namespace decodesim;
using ::testing::HasSubstr;

namespace {

/// Each test is a process of its own: variables need not be put back.
class LaunchedRankTest : public ::testing::Test {
protected:
  void SetUp() override {
    for (const auto* name : {"OMPI_COMM_WORLD_RANK", "RANK", "SLURM_PROCID"}) {
      unsetenv(name);
    }
  }
};

} // namespace

TEST_F(LaunchedRankTest, IsNoneWithoutALauncher) { EXPECT_FALSE(launched_rank().has_value()); }

TEST_F(LaunchedRankTest, ComesFromOpenMpi) {
  setenv("OMPI_COMM_WORLD_RANK", "5", 1);
  setenv("OMPI_COMM_WORLD_SIZE", "8", 1);
  setenv("OMPI_COMM_WORLD_LOCAL_RANK", "1", 1);
  const auto rank = launched_rank();
  ASSERT_TRUE(rank.has_value());
  EXPECT_EQ(rank->launcher, "Open MPI");
  EXPECT_EQ(rank->rank, 5);
  EXPECT_EQ(rank->ranks, 8);
  EXPECT_EQ(rank->local_rank, 1);
}

TEST_F(LaunchedRankTest, ComesFromTorchrun) {
  setenv("RANK", "3", 1);
  setenv("WORLD_SIZE", "4", 1);
  setenv("LOCAL_RANK", "3", 1);
  ASSERT_TRUE(launched_rank().has_value());
  EXPECT_EQ(launched_rank()->launcher, "torchrun");
}

// A batch script has the variables of one task.
TEST_F(LaunchedRankTest, IsNoneInASlurmScriptOfOneTask) {
  setenv("SLURM_PROCID", "0", 1);
  setenv("SLURM_NTASKS", "1", 1);
  setenv("SLURM_LOCALID", "0", 1);
  EXPECT_FALSE(launched_rank().has_value());
  setenv("SLURM_NTASKS", "2", 1);
  EXPECT_EQ(launched_rank()->launcher, "Slurm");
}

TEST_F(LaunchedRankTest, NamesTheVariableThatIsWrong) {
  setenv("RANK", "one", 1);
  setenv("WORLD_SIZE", "4", 1);
  setenv("LOCAL_RANK", "0", 1);
  try {
    (void)launched_rank();
    FAIL();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "RANK: \"one\"; a whole number is expected");
  }
}

// 8 blocks for all ranks together: two for each of four.
TEST(SharedGpu, HasAHostIdForEachRankAndFewBlocks) {
  unsetenv("NCCL_MAX_CTAS");
  let_ranks_share_a_gpu(2, 4);
  EXPECT_STREQ(std::getenv("NCCL_HOSTID"), "decodesim-rank-2");
  EXPECT_STREQ(std::getenv("NCCL_SOCKET_IFNAME"), "lo");
  EXPECT_STREQ(std::getenv("NCCL_MAX_CTAS"), "2");
}

TEST(Rendezvous, HandsOverAMessageThatComesLater) {
  const TemporaryFolder folder;
  const Rendezvous rendezvous{folder.path(), std::chrono::seconds{10}};
  const std::string id{"\0id\n", 4};
  std::thread late{[&] {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    rendezvous.put("tp[0,1]", id);
  }};
  EXPECT_EQ(rendezvous.get("tp[0,1]"), id);
  late.join();
}

TEST(Rendezvous, NamesWhatDoesNotCome) {
  const TemporaryFolder folder;
  const Rendezvous rendezvous{folder.path(), std::chrono::seconds{0}};
  try {
    rendezvous.meet("totals", 0, 2);
    FAIL();
  } catch (const SimulationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("\"totals.1\" did not come"));
  }
}

// Without the program there is no daemon, the reason is told, and processes do without.
TEST(MpsDaemonWithoutCuda, LeavesNothingBehind) {
  const TemporaryFolder folder;
  setenv("PATH", "/nonexistent", 1);
  const MpsDaemon daemon{folder.path()};
  EXPECT_THAT(daemon.problem(), HasSubstr("nvidia-cuda-mps-control"));
  EXPECT_EQ(std::getenv("CUDA_MPS_PIPE_DIRECTORY"), nullptr);
}
