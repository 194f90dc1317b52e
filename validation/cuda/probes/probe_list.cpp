#include "validation/cuda/probes/probe_list.hpp"

namespace decodesim {

const std::vector<Probe>& all_probes() {
  static const std::vector<Probe> probes{
      {"spin",
       "a kernel that spins for a known time: the instrument's own test",
       true,
       0.01,
       probe_spin},
      {"memory_bandwidth",
       "reading, writing and copying arrays by size",
       true,
       0.08,
       probe_memory_bandwidth},
      {"gemm",
       "matrix products by shape and type (cuBLASLt), GEMV included",
       true,
       0.33,
       probe_gemm},
      {"attention_decode",
       "decode attention by batch, context and heads",
       true,
       0.2,
       probe_attention_decode},
      {"row_kernel",
       "norms and element-wise kernels by rows and columns",
       true,
       0.1,
       probe_row_kernels},
      {"launch", "launch overhead, eager and in CUDA graphs", true, 0.02, probe_launch},
      {"transfer", "copies from, to and on the device by size", true, 0.06, probe_transfers},
      {"collective", "NCCL collectives by size, a process a rank", true, 0.18, probe_collectives},
      {"socket_ping_pong",
       "messages over a TCP connection on loopback",
       false,
       0.02,
       probe_sockets}};
  return probes;
}

} // namespace decodesim
