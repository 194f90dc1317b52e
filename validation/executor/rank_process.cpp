#include "validation/executor/rank_process.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace decodesim {

namespace {

struct Variables {
  const char* launcher;
  const char* rank;
  const char* ranks;
  const char* local_rank;
};

constexpr std::array launchers{
    Variables{
        "Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
    Variables{"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"},
    Variables{"Slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"}};

int number(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) {
    throw InputError::at(variable, "is not set", "the launcher's other variables are");
  }
  int value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc{} || *end != '\0' || value < 0) {
    throw InputError::at(variable, "\"" + std::string{text} + "\"", "a whole number is expected");
  }
  return value;
}

} // namespace

std::optional<LaunchedRank> launched_rank() {
  for (const auto& one : launchers) {
    if (std::getenv(one.rank) == nullptr || std::getenv(one.ranks) == nullptr) {
      continue;
    }
    LaunchedRank found{.launcher = one.launcher,
                       .rank = number(one.rank),
                       .ranks = number(one.ranks),
                       .local_rank = number(one.local_rank)};
    // A batch script of one task has Slurm's variables, too.
    if (found.ranks > 1) {
      return found;
    }
  }
  return std::nullopt;
}

void let_ranks_share_a_gpu(int rank, int ranks) {
  setenv("NCCL_HOSTID", ("decodesim-rank-" + std::to_string(rank)).c_str(), 1);
  setenv("NCCL_NET", "Socket", 1);
  setenv("NCCL_SOCKET_IFNAME", "lo", 1);
  setenv("NCCL_MNNVL_ENABLE", "0", 1);
  // Of no use here: multicast between GPUs, and threads that watch a job over a port of the host.
  setenv("NCCL_NVLS_ENABLE", "0", 1);
  setenv("NCCL_RAS_ENABLE", "0", 1);
  // All ranks' kernels have to be resident at once: a deadlock otherwise. Eight blocks together are
  // few beside the SMs of any GPU with MPS, and a loopback socket needs no more. Assumed.
  setenv("NCCL_MAX_CTAS", std::to_string(std::max(1, 8 / ranks)).c_str(), 0);
}

} // namespace decodesim
