#include "sim/engine/player.hpp"

#include <algorithm>

namespace sg4 = simgrid::s4u;

namespace decodesim {

void Player::play(Stream& stream, const Collective& collective) {
  const auto& axis = plan_.axis(collective.axis);
  const int group = axis.group_of_rank[static_cast<std::size_t>(stream.rank->number)];
  auto& arrivals = communicators_[{&axis, group}];
  const Arrival mine{.stream = &stream, .at = stream.now, .meanwhile = SpanKind::waiting};
  arrivals.push_back(mine);
  if (stream.rank->overlaps) {
    stream.rank->clock.change(clock(), SpanKind::waiting, +1);
  }
  if (arrivals.size() < axis.groups[static_cast<std::size_t>(group)].size()) {
    block(stream);
    return;
  }
  const auto parties = std::exchange(arrivals, {});
  const double end =
      transfer(transfers_->collective(axis, group, collective), parties, stream.part);
  for (const auto& party : parties) {
    party.stream->now = end;
    unblock(*party.stream);
  }
}

void Player::play(Stream& stream, const PointToPoint& messages) {
  stream.messages_open = static_cast<int>(messages.messages.size());
  stream.messages_end = stream.now;
  const bool alone = messages.messages.size() == 1;
  for (const auto& message : messages.messages) {
    const auto& axis = plan_.axis(message.axis);
    const auto& group = plan_.group(message.axis, stream.rank->number);
    const int peer = group[static_cast<std::size_t>(message.peer)];
    const bool sends = message.direction == Message::Direction::send;
    const int from = sends ? stream.rank->number : peer;
    const int to = sends ? peer : stream.rank->number;
    const Arrival mine{.stream = &stream,
                       .at = stream.now,
                       .meanwhile = sends ? SpanKind::waiting : SpanKind::bubble};
    if (stream.rank->overlaps) {
      stream.rank->clock.change(clock(), mine.meanwhile, +1);
    }
    auto& [senders, receivers] = channels_[{&axis, message.channel, from, to}];
    (sends ? senders : receivers).push_back(mine);
    if (senders.empty() || receivers.empty()) {
      continue;
    }
    const auto sender = senders.front();
    const auto receiver = receivers.front();
    senders.pop_front();
    receivers.pop_front();
    if (alone) {
      run_message(sender, receiver, message.bytes, &stream);
    } else {
      sg4::Actor::create("message", sg4::this_actor::get_host(), [=, this, bytes = message.bytes] {
        try {
          run_message(sender, receiver, bytes, nullptr);
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
                         Bytes bytes,
                         const Stream* driver) {
  const int from = sender.stream->rank->number;
  const int to = receiver.stream->rank->number;
  const double end =
      transfer(transfers_->message(from, to, bytes), {sender, receiver}, sender.stream->part);
  if (options_.record_timeline) {
    result_.timeline.arrows.push_back({.start_s = std::max(sender.at, receiver.at),
                                       .end_s = end,
                                       .from_rank = from,
                                       .from_stream = sender.stream->id,
                                       .to_rank = to,
                                       .to_stream = receiver.stream->id});
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
  for (const auto& use : decode_use_) {
    if (use.piece != nullptr) {
      for (const auto link : use.piece->links) {
        carried[link] += use.bytes;
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
    const double rate = record.piece->bytes.value() / (record.end - record.start);
    for (const auto link : record.piece->links) {
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
