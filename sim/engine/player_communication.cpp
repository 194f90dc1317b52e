#include "sim/engine/player.hpp"

#include <algorithm>
#include <map>

namespace sg4 = simgrid::s4u;

namespace decodesim {

template <class TransferOf>
void Player::meet(Stream& stream, std::size_t communicator, TransferOf transfer_of) {
  auto& arrivals = communicators_[communicator];
  const Arrival mine{.stream = &stream, .at = stream.now, .meanwhile = SpanKind::waiting};
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

void Player::play_collective(Stream& stream, const IndexedOperation& entry) {
  const auto& end_of_rank =
      (*stream.rank->collectives)[static_cast<std::size_t>(entry.ends.front())];
  meet(stream, end_of_rank.communicator, [&]() -> const PreparedTransfer& {
    return *end_of_rank.transfer;
  });
}

void Player::play_exchange(Stream& stream, const IndexedOperation& entry) {
  const auto& exchange = *as_exchange(*entry.operation);
  const int rank = stream.rank->number;
  const auto& end_of_rank =
      transfers_->exchanges(rank)[static_cast<std::size_t>(entry.ends.front())];
  meet(stream, end_of_rank.communicator, [&] {
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

// --------------------------------------------------------------------------------------- links

void Player::fill_links() {
  std::map<LinkDirection, double> carried;
  // Steps that are not played move the same bytes.
  const double steps_per_play = plays_ > 0 ? static_cast<double>(plan_.decode_steps) / plays_ : 1.0;
  for (const auto& use : decode_use_) {
    if (use.links != nullptr) {
      for (const auto link : *use.links) {
        carried[link] += use.bytes * steps_per_play;
      }
    }
  }
  const double decode_s = result_.end_s - result_.first_token_s;
  for (const auto& [link, bytes] : carried) {
    const double possible = machine_.link(link).bandwidth.value.value() * decode_s;
    result_.links.push_back({.name = machine_.direction_name(link),
                             .bytes = bytes,
                             .utilisation_ratio = possible > 0 ? bytes / possible : 0.0});
  }
  std::stable_sort(result_.links.begin(), result_.links.end(), [](const auto& a, const auto& b) {
    return a.utilisation_ratio > b.utilisation_ratio;
  });
}

/// Each flow counts at its mean rate from start to end; samples are the sums at every change.
void Player::fill_link_samples() {
  struct Change {
    double time;
    double rate;
  };

  std::map<LinkDirection, std::vector<Change>> changes;
  for (const auto& record : piece_records_) {
    if (record.end <= record.start) {
      continue; // too short for the clock
    }
    const double rate = record.bytes.value() / (record.end - record.start);
    for (const auto link : *record.links) {
      const double share = rate / machine_.link(link).bandwidth.value.value();
      changes[link].push_back({record.start, share});
      changes[link].push_back({record.end, -share});
    }
  }
  auto& timeline = result_.timeline;
  timeline.link_names.resize(2 * machine_.links.size());
  for (auto& [link, list] : changes) {
    timeline.link_names[static_cast<std::size_t>(link)] = machine_.direction_name(link);
    std::stable_sort(
        list.begin(), list.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
    double level = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      level += list[i].rate;
      if (i + 1 == list.size() || list[i + 1].time > list[i].time) {
        // Flows that share a link are faster at one time and slower at another than their mean.
        const double shown = level < 1e-9 ? 0.0 : std::min(1.0, level);
        timeline.link_samples.push_back(
            {.time_s = list[i].time, .link = link, .utilisation_ratio = shown});
      }
    }
  }
}

} // namespace decodesim
