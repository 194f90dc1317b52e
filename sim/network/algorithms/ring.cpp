#include "sim/network/ring_pieces.hpp"

namespace decodesim {

namespace {

double ring_arrays_received(CollectiveKind kind, int members) {
  return (kind == CollectiveKind::all_reduce ? 2.0 : 1.0) * (members - 1.0);
}

const RegisterCollectiveAlgorithm registration{
    {.name = "ring",
     .summary = "Rings over all channels in the order found on the machine; broadcast as a chain",
     .reference = "NCCL; Patarasuk and Yuan, J. Parallel Distrib. Comput. 69(2), 2009",
     .transfer = ring_transfer,
     .arrays_received = ring_arrays_received}};

/// The ring's bytes, without latency and without limits but the links.
Transfer ideal(const CollectiveTask& task, const GroupNetwork& group) {
  auto transfer = ring_transfer(task, group);
  for (auto& piece : transfer.pieces) {
    piece.latency = Seconds{};
    piece.flow.cap.reset();
  }
  return transfer;
}

const RegisterCollectiveAlgorithm ideal_registration{
    {.name = "ideal",
     .summary = "Bytes over bandwidth on the ring: no latency, no limit but the links",
     .reference = "what bandwidth-only estimates assume",
     .transfer = ideal,
     .arrays_received = ring_arrays_received,
     .ideal = true}};

} // namespace

} // namespace decodesim
