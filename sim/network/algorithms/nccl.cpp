#include "sim/network/nccl/nvls_tree_pieces.hpp"
#include "sim/network/nccl/protocol_network.hpp"
#include "sim/network/ring_pieces.hpp"

#include <array>
#include <utility>

namespace decodesim {

namespace {

/// What the protocol adds on the wire loads the links too; the kernels still move as much data.
void add_wire_bytes(Transfer& transfer, double ratio) {
  for (auto& piece : transfer.pieces) {
    piece.flow.bytes = ratio * piece.flow.bytes;
    if (piece.flow.cap) {
      piece.flow.cap = ratio * *piece.flow.cap;
    }
  }
}

/// The algorithm and protocol that NCCL's cost model finds fastest, as its kernels run it.
Transfer nccl_transfer(const CollectiveTask& task, const GroupNetwork& group, int minor) {
  const nccl::Version version{minor};
  const auto graph = nccl::graph_of(group);
  const auto chosen = nccl::choose(graph, version, task.kind, task.total_bytes);
  const nccl::ProtocolNetwork network{group, graph, version, chosen, task};
  const auto as = [&](const char* name) {
    return collective_algorithm_named(name, "collectives").transfer(task, network);
  };
  Transfer transfer;
  switch (chosen.algorithm) {
  case nccl::Algorithm::ring:
    transfer = ring_transfer(task, network);
    break;
  case nccl::Algorithm::tree:
    transfer = as("tree");
    break;
  case nccl::Algorithm::nvls:
    transfer = as("nvls");
    break;
  case nccl::Algorithm::nvls_tree:
    transfer = nccl::nvls_tree_transfer(task, network);
    break;
  }
  add_wire_bytes(transfer, nccl::wire_ratio(chosen.protocol));
  return transfer;
}

double arrays_received(CollectiveKind kind, int members) {
  return (kind == CollectiveKind::all_reduce ? 2.0 : 1.0) * (members - 1.0);
}

template <int Minor> Transfer transfer_of(const CollectiveTask& task, const GroupNetwork& group) {
  return nccl_transfer(task, group, Minor);
}

template <int Minor> RegisterCollectiveAlgorithm version() {
  return RegisterCollectiveAlgorithm{
      {.name = "nccl-2." + std::to_string(Minor),
       .summary = "As nccl, by the constants and rules of that version",
       .reference = "NCCL 2." + std::to_string(Minor) + ", src/graph/tuning.cc",
       .transfer = transfer_of<Minor>,
       .arrays_received = arrays_received}};
}

/// Versions between which constants or rules changed, and those that measurements name.
template <int... Minors>
std::array<RegisterCollectiveAlgorithm, sizeof...(Minors)>
versions(std::integer_sequence<int, Minors...> /*minors*/) {
  return {version<Minors>()...};
}

constexpr int present_version = 29;

const RegisterCollectiveAlgorithm registration{
    {.name = "nccl",
     .summary = "What NCCL's cost model chooses: ring, tree or NVLS; LL, LL128 or Simple",
     .reference = "NCCL 2.28, src/graph/tuning.cc; Hu et al., arXiv:2507.04786",
     .transfer = transfer_of<present_version>,
     .arrays_received = arrays_received}};

const auto version_registrations = versions(
    std::integer_sequence<int, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30>{});

} // namespace

} // namespace decodesim
