#include "sim/engine/player.hpp"

#include "sim/error.hpp"

#include <algorithm>

namespace sg4 = simgrid::s4u;

namespace decodesim {

namespace {

/// Each stream is an actor with a stack of its own, two memory mappings; Linux allows a process
/// 65,530 of these (vm.max_map_count), and SimGrid aborts when they run out.
constexpr int most_actors = 30000;

/// Whether a rank computes and communicates at once.
bool has_several_streams(const ProgramIndex& index) {
  const auto in_use = [](const auto& parts) {
    return !parts[0].empty() || !parts[1].empty() || !parts[2].empty();
  };
  return std::count_if(index.streams.begin(), index.streams.end(), in_use) > 1;
}

} // namespace

Player::Player(const Plan& plan,
               const Machine& machine,
               const std::vector<int>& gpu_of_rank,
               const SimulationOptions& options,
               SampledSteps steps)
    : plan_{plan}, machine_{machine}, gpu_of_rank_{gpu_of_rank}, options_{options},
      steps_{std::move(steps)}, plays_{static_cast<int>(steps_.played().size())},
      platform_{machine}, costs_{host_costs(options.framework, machine.gpu, options.launch)},
      jitter_{options.seed}, communication_{plan, machine, gpu_of_rank, options} {
  indices_.reserve(plan.programs.size());
  timings_.reserve(plan.programs.size());
  std::vector<bool> overlaps; // by program
  for (std::size_t program = 0; program < plan.programs.size(); ++program) {
    indices_.emplace_back(plan.programs[program], plays_);
    timings_.emplace_back(
        plan, program, machine.gpu, options.kernels, costs_.kernel_gap, machine.shared_gpu);
    hosts_.emplace_back(plan.programs[program], costs_);
    overlaps.push_back(machine.shared_gpu || has_several_streams(indices_.back()));
  }
  transfers_ = std::make_unique<PreparedTransfers>(
      plan, indices_, communication_, overlaps, options.fold, platform_);
  communicators_.resize(transfers_->communicator_sizes().size());
  channels_.resize(transfers_->channel_pairs().size());
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    channels_[i].pairs = &transfers_->channel_pairs()[i];
  }
  decode_use_.resize(static_cast<std::size_t>(transfers_->piece_count()));
  make_ranks();
  result_.simulated_ranks = static_cast<int>(ranks_.size());
  result_.step_end_s.resize(static_cast<std::size_t>(plays_), 0.0);
  if (options.record_timeline) {
    for (const int gpu : gpu_of_rank) {
      result_.timeline.gpu_of_rank.push_back(
          machine.vertices[static_cast<std::size_t>(machine.gpus[static_cast<std::size_t>(gpu)])]
              .id);
    }
  }
}

void Player::make_ranks() {
  int actors = 0;
  for (int number = 0; number < plan_.ranks(); ++number) {
    if (transfers_->fold().rank(number) != number) {
      continue;
    }
    auto rank = std::make_unique<Rank>();
    const auto role =
        static_cast<std::size_t>(plan_.program_of_rank[static_cast<std::size_t>(number)]);
    rank->number = number;
    rank->gpu = gpu_of_rank_[static_cast<std::size_t>(number)];
    (void)platform_.host(rank->gpu); // no host can be made once the platform is sealed
    rank->program = &plan_.programs[role];
    rank->index = &indices_[role];
    rank->timings = &timings_[role];
    rank->host = &hosts_[role];
    rank->collectives = &transfers_->collectives(number);
    rank->messages = &transfers_->messages(number);
    rank->events.resize(static_cast<std::size_t>(rank->program->event_count));
    for (std::size_t s = 0; s < rank->index->streams.size(); ++s) {
      auto stream = std::make_unique<Stream>();
      stream->rank = rank.get();
      stream->id = static_cast<StreamId>(s);
      stream->operations = &rank->index->streams[s];
      rank->streams.push_back(std::move(stream));
    }
    actors += static_cast<int>(rank->streams.size());
    for (std::size_t s = rank->index->streams.size(); s-- > 0;) {
      if (!rank->index->streams[s][1].empty()) {
        rank->step_stream = static_cast<StreamId>(s);
      }
    }
    rank->overlaps = machine_.shared_gpu || has_several_streams(*rank->index);
    if (rank->overlaps) {
      rank->kernel_route = platform_.add_kernel_route(rank->gpu);
      if (options_.record_timeline) {
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
  if (actors > most_actors) {
    throw LayoutError{"the layout has " + std::to_string(actors) +
                      " streams that differ; at most " + std::to_string(most_actors) +
                      " are simulated"};
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
  sg4::this_actor::suspend();
}

void Player::unblock(Stream& stream) {
  if (stream.blocked) {
    stream.blocked = false;
    stream.actor->resume();
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
      stream->actor =
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
  fill_steps();
  result_.decode_time_of_rank.resize(static_cast<std::size_t>(plan_.ranks()));
  for (const auto& rank : ranks_) {
    const auto time = window_of(*rank);
    for (const int alike : transfers_->fold().ranks_like(rank->number)) {
      result_.decode_time_of_rank[static_cast<std::size_t>(alike)] = time;
    }
  }
  fill_links();
  if (options_.record_timeline) {
    fill_link_samples();
    repeat_for_folded_ranks();
  }
  return std::move(result_);
}

std::string Player::describe(const Stream& stream) const {
  const auto& op = *stream.current->operation;
  return "rank " + std::to_string(stream.rank->number) + ", stream " +
         stream.rank->program->streams[static_cast<std::size_t>(stream.id)] + ": " + op.name +
         (op.layer >= 0 ? ", layer " + std::to_string(op.layer) : "") +
         (stream.part == Part::body ? ", step " + std::to_string(step_of(stream)) : "") + ", at " +
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
  const bool ends_steps = stream.id == rank.step_stream;
  if (ends_steps) {
    begin_host_step(stream);
  }
  if (ends_steps && plays_ == 1) {
    rank.clock.open_window(stream.now);
  }
  for (int step = 0; step < plays_; ++step) {
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
  if (!steps_.all()) {
    rank.clock.mark(stream.now);
  }
  if (step == 0 && plays_ > 1) {
    rank.clock.open_window(stream.now);
  }
  if (step == plays_ - 1) {
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
    if (as_collective(op) != nullptr) {
      play_collective(stream, entry);
    } else if (as_exchange(op) != nullptr) {
      play_exchange(stream, entry);
    } else {
      play_messages(stream, entry);
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

std::size_t Player::host_step(const Stream& stream) const {
  return stream.part == Part::prologue ? std::size_t{0}
         : stream.part == Part::body   ? static_cast<std::size_t>(stream.step) + 1
                                       : static_cast<std::size_t>(plays_) + 1;
}

double& Player::host_began(const Stream& stream) {
  return stream.rank->host_began[host_step(stream)];
}

bool Player::is_eager(const Stream& stream) const {
  return stream.part == Part::prologue || options_.launch == LaunchMode::eager;
}

void Player::await_host_step(Stream& stream) {
  auto& rank = *stream.rank;
  if (rank.host_began.size() <= host_step(stream)) {
    rank.awaiting_host.emplace_back(host_step(stream), &stream);
    block(stream);
    stream.now = std::max(stream.now, clock());
  }
}

/// When the host has launched the operation. The host begins a step when it has seen the end of the
/// one before. Eager: it launches one operation after another, in program order. Graph: it launches
/// the step at once, and only the step stream waits for that; the prefill is eager.
double Player::host_ready(Stream& stream, const IndexedOperation& entry) {
  if (is_eager(stream)) {
    await_host_step(stream);
    return host_began(stream) + stream.rank->host->launched(stream.part, entry.index);
  }
  const bool opens_step = stream.part == Part::body && stream.id == stream.rank->step_stream &&
                          &entry == &(*stream.operations)[1].front();
  return opens_step ? host_began(stream) + costs_.graph_launch.value() : 0.0;
}

/// The host turns to a pass when its tokens are there and it has launched what comes before; what
/// comes after is launched that much later.
double Player::open_pass(Stream& stream, const IndexedOperation& entry, double busy) {
  await_host_step(stream);
  const double ready = std::max(host_ready(stream, entry), host_began(stream));
  const double launch = is_eager(stream) ? costs_.eager_launch.value() : ready - host_began(stream);
  const double free = ready - launch;
  const double turns_to_it = std::max(free, stream.now);
  host_began(stream) += turns_to_it - free + busy;
  return turns_to_it + busy + launch;
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
  const auto& host = *stream.rank->host;
  const double busy = host.before_pass(stream.part, entry.index);
  const double ready = busy > 0
                           ? open_pass(stream, entry, busy)
                           : std::max(host_ready(stream, entry),
                                      stream.now + host.before_message(stream.part, entry.index));
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
    options_.on_progress(step_of(stream) + 1, plan_.decode_steps);
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
                                      .step = stream.part == Part::body ? step_of(stream) : -1,
                                      .operation = stream.current->index});
  }
}

} // namespace decodesim
