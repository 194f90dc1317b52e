#include "sim/error.hpp"
#include "sim/temporary_folder.hpp"
#include "validation/executor/mps_daemon.hpp"
#include "validation/executor/rank_process.hpp"
#include "validation/executor/rendezvous.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

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

namespace {

/// A folder with a program in place of CUDA's that notes what it is asked, first on the path.
class MpsDaemonTest : public ::testing::Test {
protected:
  MpsDaemonTest() {
    const auto program = folder_.path() / "nvidia-cuda-mps-control";
    std::ofstream{program} << "#!/bin/sh\n"
                              "if [ \"$1\" = -d ]; then touch $CUDA_MPS_PIPE_DIRECTORY/control; "
                              "echo start; else cat; fi >>"
                           << notes_path() << "\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    setenv("PATH", (folder_.path().string() + ":" + std::getenv("PATH")).c_str(), 1);
    unsetenv("CUDA_MPS_PIPE_DIRECTORY");
  }

  [[nodiscard]] std::string notes_path() const { return (folder_.path() / "notes").string(); }

  [[nodiscard]] std::string notes() const {
    std::ifstream file{notes_path()};
    return {std::istreambuf_iterator<char>{file}, {}};
  }

  TemporaryFolder folder_;
};

} // namespace

TEST_F(MpsDaemonTest, EndsWithTheObject) {
  {
    const MpsDaemon daemon{folder_.path()};
    EXPECT_EQ(daemon.problem(), "");
    EXPECT_EQ(notes(), "start\n");
    EXPECT_EQ(std::getenv("CUDA_MPS_PIPE_DIRECTORY"), folder_.path().string());
  }
  EXPECT_EQ(notes(), "start\nquit\n");
}

TEST_F(MpsDaemonTest, EndsWithAProcessThatIsKilled) {
  const pid_t process = fork();
  if (process == 0) {
    const MpsDaemon daemon{folder_.path()};
    raise(SIGKILL);
  }
  waitpid(process, nullptr, 0);
  for (int i = 0; i < 1000 && notes() != "start\nquit\n"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(notes(), "start\nquit\n");
}

TEST_F(MpsDaemonTest, IsTheOneThatRuns) {
  std::ofstream{folder_.path() / "control"} << "";
  setenv("CUDA_MPS_PIPE_DIRECTORY", folder_.path().c_str(), 1);
  {
    const MpsDaemon daemon{"/nonexistent"};
    EXPECT_EQ(daemon.problem(), "");
    EXPECT_EQ(std::getenv("CUDA_MPS_PIPE_DIRECTORY"), folder_.path().string());
  }
  EXPECT_EQ(notes(), "");
}

// Without the program there is no daemon, the reason is told, and processes do without.
TEST(MpsDaemonWithoutCuda, LeavesNothingBehind) {
  const TemporaryFolder folder;
  setenv("PATH", "/nonexistent", 1);
  const MpsDaemon daemon{folder.path()};
  EXPECT_THAT(daemon.problem(), HasSubstr("nvidia-cuda-mps-control"));
  EXPECT_EQ(std::getenv("CUDA_MPS_PIPE_DIRECTORY"), nullptr);
}
