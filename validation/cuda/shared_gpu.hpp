#pragma once

namespace decodesim {

/// Sets this process's environment so that NCCL lets it be rank `rank` on a GPU that other ranks
/// use too: a host id of its own, and sockets over loopback for transport. Before NCCL's first
/// call.
///
/// Source: NCCL 2.28 refuses two ranks with the same host hash and bus id ("Duplicate GPU
/// detected", src/init.cc); the hash is that of NCCL_HOSTID where it is set (src/misc/utils.cc).
/// Ranks of different hosts use the network transport.
void prepare_rank_on_shared_gpu(int rank);

/// Whether this process's kernels run beside those of other processes (CUDA MPS) rather than in
/// turns: a control daemon answers on its pipe.
[[nodiscard]] bool mps_is_running();

} // namespace decodesim
