#include "sim/engine/player.hpp"

#include <algorithm>

namespace sg4 = simgrid::s4u;

namespace decodesim {

template <class TransferOf>
void Player::meet(Stream& stream, std::size_t communicator, double delay, TransferOf transfer_of) {
  auto& arrivals = communicators_[communicator];
  const Arrival mine{.stream = &stream,
                     .at = stream.now,
                     .ready = stream.now + delay,
                     .meanwhile = SpanKind::waiting};
  arrivals.push_back(mine);
  if (stream.rank->overlaps) {
    stream.rank->clock.change(clock(), SpanKind::waiting, +1);
  }
  const auto members = static_cast<std::size_t>(transfers_->communicator_sizes()[communicator]);
  if (arrivals.size() < members) {
    block(stream);
    return;
  }
  const auto parties = std::exchange(arrivals, {});
  const double end = transfer(transfer_of(), parties, stream.part);
  for (const auto& party : parties) {
    party.stream->now = end;
    unblock(*party.stream);
  }
}

/// Ranks that are played as one are in equal states but for their delays, and all wait for the
/// longest.
double
Player::delay_of(const Stream& stream, const IndexedOperation& entry, const std::string& axis) {
  const double mean =
      stream.part == Part::prologue ? costs_.prefill_jitter.value() : costs_.step_jitter.value();
  if (mean <= 0) {
    return 0.0;
  }
  const int played = stream.rank->number;
  const int step = stream.part == Part::body ? step_of(stream) : -1;
  double longest = 0;
  for (const int rank : plan_.group(axis, played)) {
    if (transfers_->fold().rank(rank) == played) {
      longest =
          std::max(longest, jitter_.delay({.rank = rank, .step = step, .operation = entry.index}));
    }
  }
  return mean * longest;
}

void Player::play_collective(Stream& stream, const IndexedOperation& entry) {
  const auto& end_of_rank =
      (*stream.rank->collectives)[static_cast<std::size_t>(entry.ends.front())];
  const double delay = delay_of(stream, entry, as_collective(*entry.operation)->axis);
  meet(stream, end_of_rank.communicator, delay, [&]() -> const PreparedTransfer& {
    return *end_of_rank.transfer;
  });
}

void Player::play_exchange(Stream& stream, const IndexedOperation& entry) {
  const auto& exchange = *as_exchange(*entry.operation);
  const int rank = stream.rank->number;
  const auto& end_of_rank =
      transfers_->exchanges(rank)[static_cast<std::size_t>(entry.ends.front())];
  meet(stream, end_of_rank.communicator, delay_of(stream, entry, exchange.axis), [&] {
    const int step = stream.part == Part::body ? step_of(stream) : 0;
    const auto rows = plan_.rows_exchanged(rank, *entry.operation, exchange, stream.part, step);
    return transfers_->exchange(end_of_rank.group, rows, exchange.row_bytes);
  });
}

void Player::play_messages(Stream& stream, const IndexedOperation& entry) {
  const auto& messages = as_point_to_point(*entry.operation)->messages;
  stream.messages_open = static_cast<int>(messages.size());
  stream.messages_end = stream.now;
  const bool alone = messages.size() == 1;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool sends = messages[i].direction == Message::Direction::send;
    const Arrival mine{.stream = &stream,
                       .at = stream.now,
                       .ready = stream.now,
                       .meanwhile = sends ? SpanKind::waiting : SpanKind::bubble};
    if (stream.rank->overlaps) {
      stream.rank->clock.change(clock(), mine.meanwhile, +1);
    }
    const auto& end = (*stream.rank->messages)[static_cast<std::size_t>(entry.ends[i])];
    auto& [senders, receivers, pairs] = channels_[end.channel];
    (sends ? senders : receivers).push_back(mine);
    if (senders.empty() || receivers.empty()) {
      continue;
    }
    const auto sender = senders.front();
    const auto receiver = receivers.front();
    senders.pop_front();
    receivers.pop_front();
    if (alone) {
      run_message(sender, receiver, end, &stream);
    } else {
      sg4::Actor::create("message", sg4::this_actor::get_host(), [=, this] {
        try {
          run_message(sender, receiver, end, nullptr);
        } catch (const simgrid::ForcefulKillException&) {
          throw;
        } catch (...) {
          keep_first_error();
        }
      });
    }
  }
  if (stream.messages_open > 0) {
    block(stream);
  }
  stream.now = stream.messages_end;
}

void Player::run_message(const Arrival& sender,
                         const Arrival& receiver,
                         const ChannelEnd& channel,
                         const Stream* driver) {
  const double end = transfer(*channel.transfer, {sender, receiver}, sender.stream->part);
  if (options_.record_timeline) {
    for (const auto& [from, to] : *channels_[channel.channel].pairs) {
      result_.timeline.arrows.push_back({.start_s = std::max(sender.at, receiver.at),
                                         .end_s = end,
                                         .from_rank = from,
                                         .from_stream = sender.stream->id,
                                         .to_rank = to,
                                         .to_stream = receiver.stream->id});
    }
  }
  for (auto* stream : {sender.stream, receiver.stream}) {
    stream->messages_end = std::max(stream->messages_end, end);
    if (--stream->messages_open == 0 && stream != driver) {
      unblock(*stream);
    }
  }
}

} // namespace decodesim
