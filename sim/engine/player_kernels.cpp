#include "sim/engine/player.hpp"

#include <algorithm>

namespace decodesim {

std::size_t Player::play_kernels(Stream& stream,
                                 const std::vector<IndexedOperation>& operations,
                                 std::size_t first) {
  if (stream.rank->overlaps) {
    return play_overlapping_kernels(stream, operations, first);
  }
  const auto& entry = operations[first];
  const int step = stream.part == Part::body ? step_of(stream) : 0;
  const auto timing = stream.rank->timings->at(stream.rank->number, stream.part, entry.index, step);
  const double end = stream.now + timing.seconds;
  record_span(stream, SpanKind::compute, stream.now, end);
  stream.rank->clock.add(SpanKind::compute, timing.seconds);
  stream.now = end;
  finish(stream, entry);
  return 1;
}

/// Sleeps at once through a run of kernels between two events, each of which finds itself launched;
/// a transfer that starts meanwhile interrupts the sleep, and kernels beside transfers become
/// flows.
std::size_t Player::play_overlapping_kernels(Stream& stream,
                                             const std::vector<IndexedOperation>& operations,
                                             std::size_t first) {
  auto& rank = *stream.rank;
  const int step = stream.part == Part::body ? step_of(stream) : 0;
  const auto timing = [&](std::size_t i) {
    return rank.timings->at(rank.number, stream.part, operations[i].index, step);
  };
  const auto seen_by_others = [](const Operation& op) { return !op.records.empty() || op.samples; };
  std::size_t last = first + 1;                        // one past the run
  double reached = stream.now + timing(first).seconds; // at the earliest: transfers may slow it
  while (last < operations.size() && !seen_by_others(*operations[last - 1].operation) &&
         operations[last].needs.empty() && as_kernel(*operations[last].operation) != nullptr &&
         rank.host->before_pass(stream.part, operations[last].index) <= 0 &&
         host_ready(stream, operations[last]) <= reached) {
    reached += timing(last).seconds;
    ++last;
  }
  rank.clock.change(clock(), SpanKind::compute, +1);
  double share = 1.0; // of the kernel `next` that is left
  double start = stream.now;
  const auto complete = [&](std::size_t i, double end) {
    stream.current = &operations[i];
    record_span(stream, SpanKind::compute, start, end);
    stream.now = start = end;
    share = 1.0;
  };
  for (std::size_t next = first; next < last;) {
    if (machine_.shared_gpu) {
      play_on_shared_gpu(stream, timing(next));
      complete(next++, clock());
      continue;
    }
    if (rank.transfers > 0) {
      play_beside_transfer(stream, timing(next), share);
      complete(next++, clock());
      continue;
    }
    double left = share * timing(next).seconds;
    for (std::size_t i = next + 1; i < last; ++i) {
      left += timing(i).seconds;
    }
    const double from = clock();
    rank.kernel_asleep = true;
    // SimGrid takes a timeout of 0 for none.
    const bool undisturbed = left <= 0 || rank.interrupt->acquire_timeout(left);
    rank.kernel_asleep = false;
    const double until = undisturbed ? from + left : clock();
    reached = from;
    while (next < last) {
      const double end = reached + share * timing(next).seconds;
      if (!undisturbed && end > until) {
        share -= (until - reached) / timing(next).seconds;
        break;
      }
      reached = end;
      complete(next++, end);
    }
  }
  stream.now = clock();
  rank.clock.change(stream.now, SpanKind::compute, -1);
  for (std::size_t i = first; i < last; ++i) {
    finish(stream, operations[i]);
  }
  return last - first;
}

/// The rest of a kernel as a flow over its GPU's memory, at most as fast as it would be alone.
void Player::play_beside_transfer(Stream& stream, const KernelTiming& timing, double share) {
  if (timing.bytes <= 0) { // experts that no token hits
    sleep_until(clock() + share * timing.seconds);
    return;
  }
  const Bytes left{share * timing.bytes};
  const BytesPerSecond alone{timing.bytes / timing.seconds};
  platform_.transfer_capped(stream.rank->kernel_route, left, alone);
}

/// A kernel that needs the GPU's whole throughput for a part of its time: with others it shares
/// that, alone it takes the time that it takes. The rest (starting, filling, ending) costs nobody.
void Player::play_on_shared_gpu(Stream& stream, const KernelTiming& timing) {
  if (timing.busy_seconds <= 0) {
    sleep_until(clock() + timing.seconds);
    return;
  }
  const Bytes work{timing.busy_seconds * Platform::throughput_per_second};
  const BytesPerSecond alone{work.value() / timing.seconds};
  platform_.transfer_capped(stream.rank->kernel_route, work, alone);
}

} // namespace decodesim
