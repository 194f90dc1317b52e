#pragma once

#include <optional>
#include <string>

namespace decodesim {

/// Which rank a launcher started this process as.
struct LaunchedRank {
  std::string launcher; ///< "Open MPI", "Slurm", "torchrun"
  int rank = 0;
  int ranks = 1;
  int local_rank = 0; ///< on its node: its GPU
};

/// From the variables of Open MPI (OMPI_COMM_WORLD_RANK, ...), Slurm (SLURM_PROCID, ...) or
/// torchrun (RANK, ...); none when the process was started alone.
/// @throws InputError naming a variable that is no number or is missing beside the others
[[nodiscard]] std::optional<LaunchedRank> launched_rank();

/// Sets this process's environment so that NCCL lets it share a GPU with other ranks: a host id of
/// its own, and sockets over loopback. Before NCCL's first call.
///
/// Source: NCCL 2.28 refuses two ranks with the same host hash and bus id ("Duplicate GPU
/// detected", src/init.cc); the hash is that of NCCL_HOSTID where it is set (src/misc/utils.cc).
void let_ranks_share_a_gpu(int rank, int ranks);

} // namespace decodesim
