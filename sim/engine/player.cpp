#include "sim/engine/player.hpp"

#include "sim/error.hpp"

#include <algorithm>

namespace sg4 = simgrid::s4u;

namespace decodesim {

Player::Player(const Plan& plan,
               const Machine& machine,
               const std::vector<int>& gpu_of_rank,
               const SimulationOptions& options)
    : plan_{plan}, machine_{machine}, options_{options}, platform_{machine},
      communication_{plan, machine, gpu_of_rank, options} {
  indices_.reserve(plan.programs.size());
  timings_.reserve(plan.programs.size());
  for (const auto& program : plan.programs) {
    indices_.emplace_back(program, plan.decode_steps);
    timings_.emplace_back(program, machine.gpu);
  }
  for (int number = 0; number < plan.ranks(); ++number) {
    auto rank = std::make_unique<Rank>();
    const auto role =
        static_cast<std::size_t>(plan.program_of_rank[static_cast<std::size_t>(number)]);
    rank->number = number;
    rank->gpu = gpu_of_rank[static_cast<std::size_t>(number)];
    (void)platform_.host(rank->gpu); // no host can be made once the platform is sealed
    rank->program = &plan.programs[role];
    rank->index = &indices_[role];
    rank->timings = &timings_[role];
    rank->events.resize(static_cast<std::size_t>(rank->program->event_count));
    int streams_in_use = 0;
    for (std::size_t s = 0; s < rank->index->streams.size(); ++s) {
      const auto& operations = rank->index->streams[s];
      auto stream = std::make_unique<Stream>();
      stream->rank = rank.get();
      stream->id = static_cast<StreamId>(s);
      stream->operations = &operations;
      rank->streams.push_back(std::move(stream));
      streams_in_use +=
          operations[0].empty() && operations[1].empty() && operations[2].empty() ? 0 : 1;
    }
    for (std::size_t s = rank->index->streams.size(); s-- > 0;) {
      if (!rank->index->streams[s][1].empty()) {
        rank->step_stream = static_cast<StreamId>(s);
      }
    }
    rank->overlaps = streams_in_use > 1;
    overlaps_.push_back(rank->overlaps);
    if (rank->overlaps) {
      rank->kernel_route = platform_.add_kernel_route(rank->gpu);
      if (options.record_timeline) {
        rank->clock.on_bubble = [this, computing = rank->streams.front().get()](double start,
                                                                                double end) {
          if (!computing->finished) {
            record_span(*computing, SpanKind::bubble, start, end);
          }
        };
      }
    }
    ranks_.push_back(std::move(rank));
  }
  transfers_ = std::make_unique<PreparedTransfers>(plan, communication_, overlaps_, platform_);
  decode_use_.resize(static_cast<std::size_t>(transfers_->piece_count()));
  result_.step_end_s.resize(static_cast<std::size_t>(plan.decode_steps), 0.0);
  if (options.record_timeline) {
    for (const int gpu : gpu_of_rank) {
      result_.timeline.gpu_of_rank.push_back(
          machine.vertices[static_cast<std::size_t>(machine.gpus[static_cast<std::size_t>(gpu)])]
              .id);
    }
  }
}

Player::~Player() = default;

// ------------------------------------------------------------------------------------- SimGrid

double Player::clock() const { return sg4::Engine::get_clock() - origin_; }

void Player::sleep_until(double instant) const {
  const double ahead = instant - clock();
  if (ahead > 0) {
    sg4::this_actor::sleep_for(ahead);
  }
}

void Player::block(Stream& stream) {
  stream.blocked = true;
  stream.wake->acquire();
  stream.blocked = false;
}

void Player::unblock(Stream& stream) {
  if (stream.blocked) {
    stream.wake->release();
  }
}

/// An exception that leaves an actor would abort the process: keep the first and end all actors.
void Player::keep_first_error() {
  if (!first_error_) {
    first_error_ = std::current_exception();
  }
  sg4::Actor::kill_all();
}

SimulationResult Player::play() {
  platform_.seal();
  origin_ = sg4::Engine::get_clock();
  for (auto& rank : ranks_) {
    for (auto& stream : rank->streams) {
      if (reporter_ < 0 && std::any_of(rank->program->body.begin(),
                                       rank->program->body.end(),
                                       [](const auto& op) { return op.samples; })) {
        reporter_ = rank->number;
      }
      sg4::Actor::create("rank" + std::to_string(rank->number) + "." +
                             rank->program->streams[static_cast<std::size_t>(stream->id)],
                         platform_.host(rank->gpu),
                         [this, one = stream.get()] {
                           try {
                             run_stream(*one);
                           } catch (const simgrid::ForcefulKillException&) {
                             throw;
                           } catch (...) {
                             keep_first_error();
                           }
                         });
    }
  }
  sg4::Engine::get_instance()->run();
  if (first_error_) {
    std::rethrow_exception(first_error_);
  }
  report_hanging();
  for (const auto& rank : ranks_) {
    auto time = rank->clock.window();
    if (rank->program->body.empty()) {
      time = GpuTime{.bubble_s = result_.end_s - result_.first_token_s};
    }
    result_.decode_time_of_rank.push_back(time);
  }
  fill_links();
  if (options_.record_timeline) {
    fill_link_samples();
  }
  return std::move(result_);
}

std::string Player::describe(const Stream& stream) const {
  const auto& op = *stream.current->operation;
  return "rank " + std::to_string(stream.rank->number) + ", stream " +
         stream.rank->program->streams[static_cast<std::size_t>(stream.id)] + ": " + op.name +
         (op.layer >= 0 ? ", layer " + std::to_string(op.layer) : "") +
         (stream.part == Part::body ? ", step " + std::to_string(stream.step) : "") + ", at " +
         std::to_string(stream.now) + " s";
}

void Player::report_hanging() const {
  std::string text;
  int count = 0;
  for (const auto& rank : ranks_) {
    for (const auto& stream : rank->streams) {
      if (!stream->finished && stream->current != nullptr && ++count <= 8) {
        text += "\n  " + describe(*stream);
      }
    }
  }
  if (count > 0) {
    throw SimulationError{"plan " + plan_.layout + ": the simulation stopped with " +
                          std::to_string(count) + " operations that hang:" + text +
                          (count > 8 ? "\n  ..." : "")};
  }
}

// ------------------------------------------------------------------------------------- streams

void Player::run_stream(Stream& stream) {
  play_part(stream, Part::prologue, 0);
  auto& rank = *stream.rank;
  const int steps = plan_.decode_steps;
  const bool ends_steps = stream.id == rank.step_stream;
  if (ends_steps) {
    begin_host_step(stream);
  }
  if (ends_steps && steps == 1) {
    rank.clock.open_window(stream.now);
  }
  for (int step = 0; step < steps; ++step) {
    play_part(stream, Part::body, step);
    if (ends_steps) {
      begin_host_step(stream);
      end_step(stream, step);
    }
  }
  play_part(stream, Part::epilogue, 0);
  sleep_until(stream.now);
  stream.finished = true;
}

void Player::end_step(Stream& stream, int step) {
  auto& rank = *stream.rank;
  if (step == 0 && plan_.decode_steps > 1) {
    rank.clock.open_window(stream.now);
  }
  if (step == plan_.decode_steps - 1) {
    rank.clock.close_window(stream.now);
  }
  if (options_.record_timeline && rank.program->sequences > 0) {
    const auto tokens = plan_.prompt_tokens + step + 1;
    result_.timeline.cache_samples.push_back(
        {.time_s = stream.now,
         .rank = rank.number,
         .kv_cache_bytes =
             (rank.program->kv_cache_bytes(tokens) * rank.program->sequences).value()});
  }
}

void Player::play_part(Stream& stream, Part part, int step) {
  stream.part = part;
  stream.step = step;
  const auto& operations = (*stream.operations)[static_cast<std::size_t>(part)];
  for (std::size_t next = 0; next < operations.size();) {
    const auto& entry = operations[next];
    stream.current = &entry;
    wait_for_events(stream, entry);
    wait_for_host(stream, entry);
    const auto& op = *entry.operation;
    if (as_kernel(op) != nullptr) {
      next += play_kernels(stream, operations, next);
      continue;
    }
    if (const auto* collective = as_collective(op)) {
      play(stream, *collective);
    } else {
      play(stream, *as_point_to_point(op));
    }
    finish(stream, entry);
    ++next;
  }
}

void Player::wait_for_events(Stream& stream, const IndexedOperation& entry) {
  for (const auto& need : entry.needs) {
    const int count = need.count(stream.step);
    auto& event = stream.rank->events[static_cast<std::size_t>(need.event)];
    if (event.count < count) {
      event.waiting.emplace_back(count, &stream);
      block(stream);
    }
  }
  if (stream.rank->overlaps) {
    stream.now = std::max(stream.now, clock());
  }
}

/// When the host has launched the operation. The host begins a step when it has seen the end of the
/// one before. Eager: it launches one operation after another, in program order. Graph: it launches
/// the step at once, and only the step stream waits for that; the prefill is eager.
double Player::host_ready(Stream& stream, const IndexedOperation& entry) {
  auto& rank = *stream.rank;
  const auto& gpu = machine_.gpu;
  const auto step = stream.part == Part::prologue ? std::size_t{0}
                    : stream.part == Part::body   ? static_cast<std::size_t>(stream.step) + 1
                                                : static_cast<std::size_t>(plan_.decode_steps) + 1;
  if (stream.part == Part::prologue || options_.launch == LaunchMode::eager) {
    if (rank.host_began.size() <= step) {
      rank.awaiting_host.emplace_back(step, &stream);
      block(stream);
      stream.now = std::max(stream.now, clock());
    }
    return rank.host_began[step] + (entry.index + 1) * gpu.eager_launch.value.value();
  }
  const bool opens_step = stream.part == Part::body && stream.id == rank.step_stream &&
                          &entry == &(*stream.operations)[1].front();
  return opens_step ? rank.host_began[step] + gpu.graph_launch.value.value() : 0.0;
}

/// The step stream is done with the prefill or a step.
void Player::begin_host_step(Stream& stream) {
  auto& rank = *stream.rank;
  rank.host_began.push_back(stream.now);
  std::vector<Stream*> reached;
  std::erase_if(rank.awaiting_host, [&](const auto& one) {
    if (rank.host_began.size() <= one.first) {
      return false;
    }
    reached.push_back(one.second);
    return true;
  });
  for (auto* waiting : reached) {
    unblock(*waiting);
  }
}

void Player::wait_for_host(Stream& stream, const IndexedOperation& entry) {
  const double ready = host_ready(stream, entry);
  if (ready <= stream.now) {
    return;
  }
  record_span(stream, SpanKind::launch, stream.now, ready);
  if (stream.rank->overlaps) {
    auto& gpu = stream.rank->clock;
    const int computes = stream.id == 0 ? 1 : 0; // its kernels, and collectives between them
    gpu.change(clock(), SpanKind::launch, +computes);
    sleep_until(ready);
    gpu.change(clock(), SpanKind::launch, -computes);
  }
  stream.now = ready;
}

void Player::finish(Stream& stream, const IndexedOperation& entry) {
  const auto& op = *entry.operation;
  auto& rank = *stream.rank;
  for (const auto id : op.records) {
    auto& event = rank.events[static_cast<std::size_t>(id)];
    ++event.count;
    // Other streams run while one is woken, and may begin to wait for this event.
    std::vector<Stream*> reached;
    std::erase_if(event.waiting, [&](const auto& one) {
      if (event.count < one.first) {
        return false;
      }
      reached.push_back(one.second);
      return true;
    });
    for (auto* waiting : reached) {
      unblock(*waiting);
    }
  }
  if (!op.samples) {
    return;
  }
  auto& instant = stream.part == Part::body
                      ? result_.step_end_s[static_cast<std::size_t>(stream.step)]
                      : result_.first_token_s;
  instant = std::max(instant, stream.now);
  result_.end_s = std::max(result_.end_s, stream.now);
  if (stream.part == Part::body && rank.number == reporter_ && options_.on_progress) {
    options_.on_progress(stream.step + 1, plan_.decode_steps);
  }
}

void Player::record_span(const Stream& stream, SpanKind kind, double start, double end) {
  if (options_.record_timeline && end > start) {
    result_.timeline.spans.push_back({.start_s = start,
                                      .end_s = end,
                                      .rank = stream.rank->number,
                                      .stream = stream.id,
                                      .kind = kind,
                                      .part = stream.part,
                                      .step = stream.part == Part::body ? stream.step : -1,
                                      .operation = stream.current->index});
  }
}

// ------------------------------------------------------------------------------------- kernels

std::size_t Player::play_kernels(Stream& stream,
                                 const std::vector<IndexedOperation>& operations,
                                 std::size_t first) {
  if (stream.rank->overlaps) {
    return play_overlapping_kernels(stream, operations, first);
  }
  const auto& entry = operations[first];
  const auto& timing = stream.rank->timings->at(stream.part, entry.index, stream.step);
  const double end = stream.now + timing.seconds;
  record_span(stream, SpanKind::compute, stream.now, end);
  stream.rank->clock.add(SpanKind::compute, timing.seconds);
  stream.now = end;
  finish(stream, entry);
  return 1;
}

/// Sleeps through a run of kernels between two events at once; a transfer that starts meanwhile
/// interrupts the sleep, and kernels beside transfers become flows.
std::size_t Player::play_overlapping_kernels(Stream& stream,
                                             const std::vector<IndexedOperation>& operations,
                                             std::size_t first) {
  auto& rank = *stream.rank;
  const auto timing = [&](std::size_t i) -> const KernelTiming& {
    return rank.timings->at(stream.part, operations[i].index, stream.step);
  };
  const bool launched_together = options_.launch == LaunchMode::graph && stream.part == Part::body;
  std::size_t last = first + 1; // one past the run
  if (launched_together) {
    const auto seen_by_others = [](const Operation& op) {
      return !op.records.empty() || op.samples;
    };
    while (last < operations.size() && !seen_by_others(*operations[last - 1].operation) &&
           operations[last].needs.empty() && as_kernel(*operations[last].operation) != nullptr) {
      ++last;
    }
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
    double reached = from;
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
  const Bytes left{share * timing.bytes};
  const BytesPerSecond alone{timing.bytes / timing.seconds};
  platform_.transfer_capped(stream.rank->kernel_route, left, alone);
}

} // namespace decodesim
