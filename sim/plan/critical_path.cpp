#include "sim/plan/critical_path.hpp"

#include "sim/error.hpp"
#include "sim/plan/program_index.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <tuple>
#include <type_traits>
#include <utility>

namespace decodesim {

namespace {

constexpr Part parts[] = {Part::prologue, Part::body, Part::epilogue};

/// Plays a plan without a machine: each stream advances as far as its waits allow.
class Playback {
public:
  Playback(const Plan& plan, int steps, const OperationTimes& times)
      : plan_{plan}, steps_{steps}, times_{times} {
    indices_.reserve(plan.programs.size());
    for (const auto& program : plan.programs) {
      indices_.emplace_back(program, steps);
    }
    result_.step_end.resize(static_cast<std::size_t>(steps));
    ranks_.resize(static_cast<std::size_t>(plan.ranks()));
    for (int rank = 0; rank < plan.ranks(); ++rank) {
      auto& state = ranks_[static_cast<std::size_t>(rank)];
      state.records.resize(static_cast<std::size_t>(plan.program(rank).event_count));
      state.streams.resize(plan.program(rank).streams.size());
      for (std::size_t s = 0; s < state.streams.size(); ++s) {
        state.streams[s].rank = rank;
        state.streams[s].id = static_cast<StreamId>(s);
        ready_.push_back(&state.streams[s]);
      }
      find_ends(rank);
    }
  }

  CriticalPath run() {
    while (!ready_.empty()) {
      auto* stream = ready_.front();
      ready_.pop_front();
      advance(*stream);
    }
    std::string hanging;
    int count = 0;
    for (auto& rank : ranks_) {
      for (auto& stream : rank.streams) {
        if (const auto* op = current(stream)) {
          if (++count <= 8) {
            hanging += "\n  " + describe(stream, *op->operation);
          }
        }
      }
    }
    if (count > 0) {
      throw SimulationError{"plan " + plan_.layout + " cannot finish: " + std::to_string(count) +
                            (count == 1 ? " stream hangs" : " streams hang") + " in" + hanging +
                            (count > 8 ? "\n  ..." : "")};
    }
    return result_;
  }

private:
  struct Stream {
    int rank = 0;
    StreamId id = 0;
    int part = 0;
    int step = 0;
    std::size_t next = 0;
    Seconds clock;
    bool arrived = false; ///< at the collective or messages that it is on
    int messages_open = 0;
    Seconds messages_end;
  };

  struct Communicator {
    const std::vector<int>* members = nullptr;
    std::vector<Stream*> arrived;
  };

  using MessageKey = std::tuple<std::string, std::string, int, int>; // axis, channel, from, to

  struct Channel {
    int from = 0;
    int to = 0;
    std::deque<std::pair<Stream*, Bytes>> sends;
    std::deque<std::pair<Stream*, Bytes>> receives;
  };

  struct Rank {
    std::vector<Stream> streams;
    std::vector<std::vector<Seconds>> records;          ///< [event] instants
    std::vector<std::pair<Stream*, EventId>> listeners; ///< streams that wait for an event
    std::vector<Communicator*> communicators;           ///< by ProgramIndex::collectives
    std::vector<Communicator*> exchange_communicators;  ///< by ProgramIndex::exchanges
    std::vector<Channel*> channels;                     ///< by ProgramIndex::messages
  };

  const Plan& plan_;
  int steps_;
  const OperationTimes& times_;
  std::vector<ProgramIndex> indices_;
  std::vector<Rank> ranks_;
  std::deque<Stream*> ready_;
  std::map<std::pair<std::string, int>, Communicator> communicators_;
  std::map<MessageKey, Channel> channels_;
  CriticalPath result_;

  const ProgramIndex& index_of(int rank) const {
    return indices_[static_cast<std::size_t>(
        plan_.program_of_rank[static_cast<std::size_t>(rank)])];
  }

  /// Whom a rank meets in each of its collectives and messages.
  void find_ends(int rank) {
    auto& state = ranks_[static_cast<std::size_t>(rank)];
    const auto communicator_of = [&](const std::string& axis) {
      const auto& members = plan_.group(axis, rank);
      auto& communicator = communicators_[{axis, members.front()}];
      communicator.members = &members;
      return &communicator;
    };
    for (const auto* collective : index_of(rank).collectives) {
      state.communicators.push_back(communicator_of(collective->axis));
    }
    for (const auto* exchange : index_of(rank).exchanges) {
      state.exchange_communicators.push_back(communicator_of(exchange->axis));
    }
    for (const auto* message : index_of(rank).messages) {
      const auto& members = plan_.group(message->axis, rank);
      if (message->peer < 0 || message->peer >= static_cast<int>(members.size())) {
        throw SimulationError{"plan " + plan_.layout + ": rank " + std::to_string(rank) +
                              " names peer " + std::to_string(message->peer) + " of a group of " +
                              std::to_string(members.size())};
      }
      const int peer = members[static_cast<std::size_t>(message->peer)];
      const bool sends = message->direction == Message::Direction::send;
      const int from = sends ? rank : peer;
      const int to = sends ? peer : rank;
      auto& channel = channels_[{message->axis, message->channel, from, to}];
      channel.from = from;
      channel.to = to;
      state.channels.push_back(&channel);
    }
  }

  Rank& rank_of(const Stream& stream) { return ranks_[static_cast<std::size_t>(stream.rank)]; }

  std::string describe(const Stream& stream, const Operation& op) const {
    const auto part = parts[stream.part];
    std::string text = "rank " + std::to_string(stream.rank) + ", stream " +
                       plan_.program(stream.rank).streams[static_cast<std::size_t>(stream.id)] +
                       ": " + op.name;
    if (op.layer >= 0) {
      text += ", layer " + std::to_string(op.layer);
    }
    if (op.micro_batch >= 0) {
      text += ", micro-batch " + std::to_string(op.micro_batch);
    }
    return text + (part == Part::prologue ? ", prefill"
                   : part == Part::body   ? ", step " + std::to_string(stream.step)
                                          : ", after the last step");
  }

  /// The operation that a stream is on, or null at its end.
  const IndexedOperation* current(Stream& stream) {
    const auto& streams = index_of(stream.rank).streams[static_cast<std::size_t>(stream.id)];
    for (;;) {
      const auto& operations = streams[static_cast<std::size_t>(stream.part)];
      const bool playable = parts[stream.part] != Part::body || stream.step < steps_;
      if (playable && stream.next < operations.size()) {
        return &operations[stream.next];
      }
      if (playable && parts[stream.part] == Part::body && !operations.empty()) {
        ++stream.step;
        stream.next = 0;
        continue;
      }
      if (stream.part == 2) {
        return nullptr;
      }
      ++stream.part;
      stream.next = 0;
      stream.step = 0;
    }
  }

  void advance(Stream& stream) {
    while (const auto* entry = current(stream)) {
      if (stream.arrived || !events_reached(stream, *entry)) {
        return;
      }
      const auto& op = *entry->operation;
      if (const auto* kernel = as_kernel(op)) {
        const auto at = plan_.context(stream.rank, op, *kernel, parts[stream.part], stream.step);
        stream.clock += times_.kernel(stream.rank, *kernel, at);
        finish(stream, op);
      } else if (const auto* collective = as_collective(op)) {
        stream.arrived = true;
        arrive(stream, *entry, *collective, [&](const std::vector<int>& members) {
          return times_.collective(*collective, members);
        });
      } else if (const auto* exchange = as_exchange(op)) {
        stream.arrived = true;
        arrive(stream, *entry, *exchange, [&](const std::vector<int>& members) {
          return times_.exchange(
              *exchange,
              members,
              plan_.rows_exchanged(stream.rank, op, *exchange, parts[stream.part], stream.step));
        });
      } else {
        stream.arrived = true;
        arrive(stream, *entry, *as_point_to_point(op));
      }
    }
  }

  bool events_reached(Stream& stream, const IndexedOperation& entry) {
    for (const auto& need : entry.needs) {
      const auto count = static_cast<std::size_t>(need.count(stream.step));
      if (count == 0) {
        continue;
      }
      const auto& records = rank_of(stream).records[static_cast<std::size_t>(need.event)];
      if (records.size() < count) {
        rank_of(stream).listeners.emplace_back(&stream, need.event);
        return false;
      }
      stream.clock = std::max(stream.clock, records[count - 1]);
    }
    return true;
  }

  void finish(Stream& stream, const Operation& op) {
    stream.arrived = false;
    ++stream.next;
    auto& rank = rank_of(stream);
    for (const auto event : op.records) {
      rank.records[static_cast<std::size_t>(event)].push_back(stream.clock);
      for (auto& [listener, awaited] : rank.listeners) {
        if (listener != nullptr && awaited == event) {
          ready_.push_back(listener);
          listener = nullptr;
        }
      }
      std::erase_if(rank.listeners, [](const auto& one) { return one.first == nullptr; });
    }
    if (op.samples) {
      auto& instant = parts[stream.part] == Part::body
                          ? result_.step_end[static_cast<std::size_t>(stream.step)]
                          : result_.first_token;
      instant = std::max(instant, stream.clock);
      result_.end = std::max(result_.end, stream.clock);
    }
  }

  /// Arrival at work of a whole group, a collective or an exchange.
  template <class Work, class Duration>
  void arrive(Stream& stream, const IndexedOperation& entry, const Work& work, Duration duration) {
    const auto& op = *entry.operation;
    const auto& rank = rank_of(stream);
    const auto& ends =
        std::is_same_v<Work, Exchange> ? rank.exchange_communicators : rank.communicators;
    auto& communicator = *ends[static_cast<std::size_t>(entry.ends.front())];
    if (!communicator.arrived.empty()) {
      auto& first = *communicator.arrived.front();
      const auto& other = *current(first)->operation;
      const auto* awaited = std::get_if<Work>(&other.work);
      if (awaited == nullptr || !(work == *awaited)) {
        throw SimulationError{"plan " + plan_.layout +
                              ": members of one group run different collectives:\n  " +
                              describe(first, other) + "\n  " + describe(stream, op)};
      }
      for (const auto* member : communicator.arrived) {
        if (member->rank == stream.rank) {
          throw SimulationError{"plan " + plan_.layout +
                                ": one communicator is used by two streams at once:\n  " +
                                describe(first, other) + "\n  " + describe(stream, op)};
        }
      }
    }
    communicator.arrived.push_back(&stream);
    if (communicator.arrived.size() < communicator.members->size()) {
      return;
    }
    const auto arrived = std::exchange(communicator.arrived, {});
    Seconds start;
    for (const auto* member : arrived) {
      start = std::max(start, member->clock);
    }
    const auto end = start + duration(*communicator.members);
    for (auto* member : arrived) {
      member->clock = end;
      finish(*member, *current(*member)->operation);
      ready_.push_back(member);
    }
  }

  void arrive(Stream& stream, const IndexedOperation& entry, const PointToPoint& messages) {
    stream.messages_open = static_cast<int>(messages.messages.size());
    stream.messages_end = Seconds{};
    for (std::size_t i = 0; i < messages.messages.size(); ++i) {
      const auto& message = messages.messages[i];
      auto& channel = *rank_of(stream).channels[static_cast<std::size_t>(entry.ends[i])];
      const bool sends = message.direction == Message::Direction::send;
      (sends ? channel.sends : channel.receives).emplace_back(&stream, message.bytes);
      if (channel.sends.empty() || channel.receives.empty()) {
        continue;
      }
      const auto [sender, sent] = channel.sends.front();
      const auto [receiver, received] = channel.receives.front();
      if (sent != received) {
        throw SimulationError{"plan " + plan_.layout + ": a message of " +
                              std::to_string(static_cast<long long>(sent.value())) +
                              " bytes meets a receive of " +
                              std::to_string(static_cast<long long>(received.value())) + ":\n  " +
                              describe(*sender, *current(*sender)->operation) + "\n  " +
                              describe(*receiver, *current(*receiver)->operation)};
      }
      channel.sends.pop_front();
      channel.receives.pop_front();
      const auto end =
          std::max(sender->clock, receiver->clock) + times_.message(channel.from, channel.to, sent);
      complete_message(*sender, end);
      complete_message(*receiver, end);
    }
  }

  /// A group of messages is done when its last one is; each starts when both sides have arrived.
  void complete_message(Stream& stream, Seconds end) {
    stream.messages_end = std::max(stream.messages_end, end);
    if (--stream.messages_open == 0) {
      stream.clock = stream.messages_end;
      finish(stream, *current(stream)->operation);
      ready_.push_back(&stream);
    }
  }
};

} // namespace

CriticalPath critical_path(const Plan& plan, const OperationTimes& times) {
  return Playback{plan, plan.decode_steps, times}.run();
}

namespace {

/// Where one rank uses communicators: only one stream may use each, since two streams can reach it
/// in either order.
class CommunicatorUse {
public:
  CommunicatorUse(const Plan& plan, const Program& program) : plan_{plan}, program_{program} {}

  void check() {
    for (const auto part : parts) {
      for (const auto& op : program_.part(part)) {
        if (const auto* collective = as_collective(op)) {
          claim({collective->axis, "", -1, false}, op);
        } else if (const auto* exchange = as_exchange(op)) {
          claim({exchange->axis, "", -1, false}, op);
        } else if (const auto* messages = as_point_to_point(op)) {
          for (const auto& one : messages->messages) {
            claim({one.axis, one.channel, one.peer, one.direction == Message::Direction::send}, op);
          }
        }
      }
    }
  }

private:
  using End = std::tuple<std::string, std::string, int, bool>; // axis, channel, peer, sends

  const Plan& plan_;
  const Program& program_;
  std::map<End, const Operation*> first_use_;

  void claim(const End& end, const Operation& op) {
    const auto* other = first_use_.try_emplace(end, &op).first->second;
    if (other->stream == op.stream) {
      return;
    }
    const auto on_stream = [this](const Operation& one) {
      return one.name + " on stream " + program_.streams[static_cast<std::size_t>(one.stream)];
    };
    throw SimulationError{"plan " + plan_.layout +
                          ": one communicator is used by two streams, so its order is open: axis " +
                          std::get<0>(end) + ", role \"" + program_.role +
                          "\": " + on_stream(*other) + " and " + on_stream(op)};
  }
};

/// What a decode step sends it must receive: else the number of steps decides whether a plan ends.
void check_balance(const Plan& plan) {
  struct Count {
    int sends = 0;
    int receives = 0;
  };

  std::map<std::tuple<std::string, std::string, int, int>, Count> counts;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    for (const auto& op : plan.program(rank).body) {
      const auto* messages = as_point_to_point(op);
      if (messages == nullptr) {
        continue;
      }
      for (const auto& one : messages->messages) {
        const auto& members = plan.group(one.axis, rank);
        if (one.peer < 0 || one.peer >= static_cast<int>(members.size())) {
          continue; // said by the playback, with the operation's name
        }
        const int peer = members[static_cast<std::size_t>(one.peer)];
        if (one.direction == Message::Direction::send) {
          ++counts[{one.axis, one.channel, rank, peer}].sends;
        } else {
          ++counts[{one.axis, one.channel, peer, rank}].receives;
        }
      }
    }
  }
  for (const auto& [channel, count] : counts) {
    if (count.sends != count.receives) {
      throw SimulationError{"plan " + plan.layout + ": channel " + std::get<1>(channel) +
                            " of axis " + std::get<0>(channel) + " from rank " +
                            std::to_string(std::get<2>(channel)) + " to rank " +
                            std::to_string(std::get<3>(channel)) + " has " +
                            std::to_string(count.sends) + " sends and " +
                            std::to_string(count.receives) + " receives a step"};
    }
  }
}

} // namespace

void check(const Plan& plan) {
  for (const auto& program : plan.programs) {
    CommunicatorUse{plan, program}.check();
  }
  // Steps are alike, so that three show every way in which one can hang on the next.
  const OperationTimes free{
      .kernel = [](int, const Kernel&, StepContext) { return Seconds{}; },
      .collective = [](const Collective&, const std::vector<int>&) { return Seconds{}; },
      .message = [](int, int, Bytes) { return Seconds{}; },
      .exchange = [](const Exchange&,
                     const std::vector<int>&,
                     const std::vector<SentRows>&) { return Seconds{}; }};
  (void)Playback{plan, std::min(plan.decode_steps, 3), free}.run();
  if (plan.decode_steps > 0) {
    check_balance(plan);
  }
}

} // namespace decodesim
