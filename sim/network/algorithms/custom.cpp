#include "sim/network/custom/engine_kernels.hpp"
#include "sim/network/forwarded_network.hpp"

#include <algorithm>
#include <string>

namespace decodesim {

namespace {

enum class Shot { one, two, multimem };

const char* algorithm_of(Shot shot) {
  return shot == Shot::one ? "one-shot" : shot == Shot::two ? "two-shot" : "nvls";
}

Transfer run(const char* algorithm, const CollectiveTask& task, const GroupNetwork& group) {
  return collective_algorithm_named(algorithm, "collectives").transfer(task, group);
}

/// A group as one kernel of an engine sees it.
class ShotNetwork final : public ForwardedNetwork {
public:
  ShotNetwork(const GroupNetwork& group,
              const custom::EngineKernels& engine,
              const custom::KernelCost& kernel,
              Shot shot)
      : ForwardedNetwork{group} {
    const double rounds = shot == Shot::one ? 1.0 : 2.0;
    const auto wires = rounds * engine.wires;
    cost_ = {.base = std::max(kernel.base + (group.members() - 1.0) * kernel.per_peer - wires,
                              Seconds{}),
             .hop = {},
             .bandwidth = kernel.bandwidth *
                          (group.cost(engine.transport).bandwidth / engine.machine_bandwidth)};
  }

  [[nodiscard]] const TransportCost& cost(Transport /*transport*/) const override { return cost_; }

private:
  TransportCost cost_;
};

/// The one transport between all members, when all are in one node.
std::optional<Transport> only_transport(const GroupNetwork& group) {
  const auto transport = group.path(0, 1).transport;
  for (int from = 0; from < group.members(); ++from) {
    for (int to = 0; to < group.members(); ++to) {
      if (from != to && group.path(from, to).transport != transport) {
        return std::nullopt;
      }
    }
  }
  return transport == Transport::network ? std::nullopt : std::optional{transport};
}

/// The engine's kernels where it would use them: an all-reduce of up to 8 GPUs of one node, joined
/// by NVLink, or of two.
std::optional<custom::EngineKernels>
kernels_for(const char* engine, const CollectiveTask& task, const GroupNetwork& group) {
  constexpr int most_members = 8;
  if (task.kind != CollectiveKind::all_reduce || group.members() > most_members) {
    return std::nullopt;
  }
  const auto transport = only_transport(group);
  if (!transport || (*transport != Transport::nvlink && group.members() > 2)) {
    return std::nullopt;
  }
  return custom::engine_kernels(engine, *transport, group.compute_capability());
}

Transfer shot(Shot which,
              const custom::EngineKernels& engine,
              const custom::KernelCost& kernel,
              const CollectiveTask& task,
              const GroupNetwork& group) {
  return run(algorithm_of(which), task, ShotNetwork{group, engine, kernel, which});
}

/// Sizes from which vLLM's kernel reads in two rounds, and those for which it is not used at all.
/// Source: vLLM, csrc/custom_all_reduce.cuh (two GPUs: always one round; up to 4 below 512 KiB, up
/// to 8 below 256 KiB) and custom_all_reduce.py (8 MiB at most).
constexpr Bytes kibibytes(double count) { return Bytes{count * 1024.0}; }

bool one_round(const CollectiveTask& task, int members) {
  return members <= 2 || task.total_bytes < kibibytes(members <= 4 ? 512 : 256);
}

constexpr Bytes vllm_most = kibibytes(8192);

Transfer vllm(const CollectiveTask& task, const GroupNetwork& group) {
  const auto engine = kernels_for("custom-vllm", task, group);
  if (!engine || task.total_bytes > vllm_most) {
    return run("nccl", task, group);
  }
  return one_round(task, group.members()) || !engine->two_shot
             ? shot(Shot::one, *engine, engine->one_shot, task, group)
             : shot(Shot::two, *engine, *engine->two_shot, task, group);
}

/// vLLM from 0.18 on: what its kernel would read in two rounds goes through the switch on Hopper
/// with 6 or 8 GPUs, and with 4 where its kernel ends; up to 64 MiB.
Transfer symmetric(const CollectiveTask& task, const GroupNetwork& group) {
  const auto engine = kernels_for("custom-vllm", task, group);
  constexpr auto most = kibibytes(65536);
  const auto least = group.members() > 4 ? kibibytes(256) : vllm_most;
  if (engine && engine->multimem && group.members() >= 4 && group.switch_port(0) &&
      task.total_bytes >= least && task.total_bytes < most) {
    return shot(Shot::multimem, *engine, *engine->multimem, task, group);
  }
  return vllm(task, group);
}

/// Latency and bytes over the cap: a lower bound that is exact where kernels are slower than links.
Seconds least_time(const Transfer& transfer) {
  Seconds longest;
  for (const auto& piece : transfer.pieces) {
    longest = std::max(
        longest, piece.latency + (piece.flow.cap ? piece.flow.bytes / *piece.flow.cap : Seconds{}));
  }
  return longest;
}

/// TensorRT-LLM's AUTO strategy: one round as long as that is faster than NCCL.
Transfer trtllm(const CollectiveTask& task, const GroupNetwork& group) {
  auto by_nccl = run("nccl", task, group);
  const auto engine = kernels_for("custom-trtllm", task, group);
  if (!engine) {
    return by_nccl;
  }
  auto direct = shot(Shot::one, *engine, engine->one_shot, task, group);
  return least_time(direct) < least_time(by_nccl) ? direct : by_nccl;
}

double arrays_received(CollectiveKind kind, int members) {
  return (kind == CollectiveKind::all_reduce ? 2.0 : 1.0) * (members - 1.0);
}

const RegisterCollectiveAlgorithm vllm_registration{
    {.name = "custom-vllm",
     .summary = "vLLM's and SGLang's all-reduce kernel for small messages, else as nccl",
     .reference = "vLLM, csrc/custom_all_reduce.cuh",
     .transfer = vllm,
     .arrays_received = arrays_received}};

const RegisterCollectiveAlgorithm registration{
    {.name = "custom",
     .summary = "As custom-vllm, and reduced in the switch above its sizes (vLLM from 0.18)",
     .reference = "vLLM, csrc/custom_all_reduce.cuh; PyTorch symmetric memory (multimem)",
     .transfer = symmetric,
     .arrays_received = arrays_received}};

const RegisterCollectiveAlgorithm trtllm_registration{
    {.name = "custom-trtllm",
     .summary = "TensorRT-LLM's one-shot all-reduce where it is faster than nccl",
     .reference = "TensorRT-LLM, customAllReduceKernels.cu, strategy AUTO",
     .transfer = trtllm,
     .arrays_received = arrays_received}};

} // namespace

} // namespace decodesim
