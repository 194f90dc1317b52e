#include "validation/executor/plan_executor.hpp"

#include "sim/error.hpp"
#include "validation/executor/executable.hpp"
#include "validation/executor/memory_contents.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>
#include <utility>

namespace decodesim {

namespace {

std::byte* at(const void* address, std::size_t bytes) {
  return static_cast<std::byte*>(const_cast<void*>(address)) + bytes;
}

std::int64_t whole(Bytes bytes) { return static_cast<std::int64_t>(std::llround(bytes.value())); }

} // namespace

PlanExecutor::PlanExecutor(
    const Plan& plan, const Model& model, int rank, Device& device, ExecutorOptions options)
    : plan_{plan}, model_{model}, place_{plan, rank}, device_{device}, options_{std::move(options)},
      expert_tables_{plan, model, place_, device}, program_{plan.program(rank)},
      memory_{memory_places(plan, rank)} {
  check_executable(plan, model);
}

void PlanExecutor::prepare() {
  allocate();
  MemoryContents{plan_, model_, place_, device_, *resolver_}.write();
  for (const auto& name : program_.streams) {
    streams_.push_back(device_.create_stream(name));
  }
  for (int event = 0; event < program_.event_count; ++event) {
    events_.push_back(device_.create_event(false));
  }
  recorded_.assign(events_.size(), false);
  if (plan_.expert_loads) {
    expert_tables_.upload();
    const auto most = expert_tables_.most_sent_rows();
    if (most > 0) {
      // At most fp32: 4 bytes an element.
      const auto bytes = most * static_cast<std::size_t>(model_.hidden_size) * 4;
      packed_ = {.data = device_.allocate("rows to send", bytes),
                 .elements = static_cast<std::int64_t>(most) * model_.hidden_size};
    }
  }
  if (options_.communicates) {
    join_communicators();
  }
  prepare_kernels();
  capture_steps();
}

void PlanExecutor::prepare_kernels() {
  const auto tell = [this](Part part, int step) {
    for (const auto& op : program_.part(part)) {
      if (as_kernel(op) != nullptr) {
        device_.prepare(resolver_->call(op, part, step, expert_tables_.of(op, part, step)));
      }
    }
  };
  tell(Part::prologue, 0);
  for (int step = 0; step < plan_.decode_steps; ++step) {
    tell(Part::body, step);
  }
}

void PlanExecutor::record_spans(bool spans) {
  options_.spans = spans;
  capture_steps();
}

void PlanExecutor::use_graphs() {
  options_.graph = true;
  capture_steps();
}

void PlanExecutor::capture_steps() {
  const std::lock_guard lock{mutex_};
  enqueued_.clear();
  used_events_ = 0;
  graphs_.clear();
  for (int step = 0; options_.graph && step < plan_.decode_steps; ++step) {
    capture(step);
  }
  captured_ = enqueued_.size();
  captured_events_ = used_events_;
}

void PlanExecutor::allocate() {
  auto* memory = device_.allocate("buffers", memory_.total);
  std::vector<Array> arrays;
  for (std::size_t id = 0; id < program_.buffers.size(); ++id) {
    const auto& buffer = program_.buffers[id];
    auto offset = memory_.offset[id];
    if (buffer.within >= 0) {
      offset += memory_.offset[static_cast<std::size_t>(buffer.within)];
    }
    arrays.push_back({.data = at(memory, offset),
                      .type = buffer.type,
                      .elements = static_cast<std::int64_t>(static_cast<double>(memory_.bytes[id]) /
                                                            element_bytes(buffer.type).value())});
  }
  resolver_.emplace(model_, place_, std::move(arrays));
}

void PlanExecutor::say_joining(const std::string& name) {
  const std::lock_guard lock{mutex_};
  joining_ = name;
}

void PlanExecutor::join_communicators() {
  for (const auto& one : decodesim::communicators(plan_)) {
    if (std::find(one.ranks.begin(), one.ranks.end(), place_.rank) != one.ranks.end()) {
      say_joining(one.name);
      communicators_[one.name] = device_.create_communicator(one, place_.rank);
    }
  }
  say_joining("");
}

EventHandle PlanExecutor::next_event() {
  if (used_events_ == pool_.size()) {
    pool_.push_back(device_.create_event(true));
  }
  return pool_[used_events_++];
}

void PlanExecutor::collect(const Operation& op, const Collective& collective) {
  const auto& group = group_communicator(plan_, collective.axis, place_.rank);
  const auto members = static_cast<std::int64_t>(group.ranks.size());
  const auto total = whole(collective.total_bytes);
  const bool all = collective.kind == CollectiveKind::all_reduce;
  const auto& to = array(op.writes.front());
  CollectiveCall call{.communicator = communicators_.at(group.name),
                      .kind = collective.kind,
                      .part_bytes = all ? total : (total + members - 1) / members,
                      .type = to.type,
                      .from = array(op.reads.front()).data,
                      .to = to.data};
  if (op.reads.size() == 1) {
    device_.collective(call, stream(op.stream));
    return;
  }
  device_.group_start(); // one after another in the array that is written
  for (const auto shard : op.reads) {
    call.from = array(shard).data;
    call.part_bytes = whole(program_.buffers[static_cast<std::size_t>(shard)].bytes);
    device_.collective(call, stream(op.stream));
    call.to = at(call.to, static_cast<std::size_t>(call.part_bytes * members));
  }
  device_.group_end();
}

void PlanExecutor::exchange(const Operation& op,
                            const Exchange& exchange,
                            const std::shared_ptr<const ExpertTables>& tables) {
  const bool dispatches = exchange.direction == Exchange::Direction::dispatch;
  const auto& rows = tables->rows;
  const auto row_bytes = whole(exchange.row_bytes);
  // Of a combine the sums of others; a rank without tokens reads nothing in a dispatch.
  const void* from = op.reads.empty() ? nullptr : array(op.reads.front()).data;
  if (dispatches && !rows.sent_tokens.empty()) {
    packed_.type = array(op.reads.front()).type;
    device_.launch(PackRowsCall{.columns = model_.hidden_size,
                                .x = array(op.reads.front()),
                                .out = packed_,
                                .tables = tables},
                   stream(op.stream));
    from = packed_.data;
  }
  const auto group = group_communicator(plan_, exchange.axis, place_.rank);
  const auto communicator = communicators_.at(group.name);
  const auto& out = dispatches ? rows.sent_to : rows.received_from;
  const auto& in = dispatches ? rows.received_from : rows.sent_to;
  const void* to = array(op.writes.front()).data;
  device_.group_start();
  for (std::size_t peer = 0; peer < group.ranks.size(); ++peer) {
    if (out[peer] > 0) {
      device_.send(
          communicator, static_cast<int>(peer), from, out[peer] * row_bytes, stream(op.stream));
      from = at(from, static_cast<std::size_t>(out[peer] * row_bytes));
    }
    if (in[peer] > 0) {
      device_.receive(
          communicator, static_cast<int>(peer), at(to, 0), in[peer] * row_bytes, stream(op.stream));
      to = at(to, static_cast<std::size_t>(in[peer] * row_bytes));
    }
  }
  device_.group_end();
}

void PlanExecutor::message(const Operation& op, const PointToPoint& messages) {
  std::size_t sent = 0;
  std::size_t received = 0;
  device_.group_start();
  for (const auto& one : messages.messages) {
    const auto pair = message_communicator(plan_, one, place_.rank);
    const auto communicator = communicators_.at(pair.name);
    if (one.direction == Message::Direction::send) {
      device_.send(
          communicator, 1, array(op.reads[sent++]).data, whole(one.bytes), stream(op.stream));
    } else {
      device_.receive(
          communicator, 0, array(op.writes[received++]).data, whole(one.bytes), stream(op.stream));
    }
  }
  device_.group_end();
}

void PlanExecutor::work(const Operation& op, Part part, int step) {
  const auto tables = expert_tables_.of(op, part, step);
  if (as_kernel(op) != nullptr) {
    device_.launch(resolver_->call(op, part, std::max(0, step), tables), stream(op.stream));
  } else if (!options_.communicates) {
    return;
  } else if (const auto* collective = as_collective(op)) {
    collect(op, *collective);
  } else if (const auto* exchanged = as_exchange(op)) {
    exchange(op, *exchanged, tables);
  } else {
    message(op, *as_point_to_point(op));
  }
}

void PlanExecutor::enqueue(const Operation& op, Part part, int step, int index) {
  for (const auto event : op.waits) {
    const auto e = static_cast<std::size_t>(event);
    if (recorded_[e]) {
      device_.wait(stream(op.stream), events_[e]);
    }
  }
  const bool is_left_out = as_kernel(op) == nullptr && !options_.communicates;
  Enqueued entry{.op = &op, .part = part, .step = step, .index = index};
  if (options_.spans && !is_left_out) {
    entry.begin = next_event();
    entry.end = next_event();
    device_.record(entry.begin, stream(op.stream));
  }
  {
    const std::lock_guard lock{mutex_};
    enqueued_.push_back(entry);
  }
  work(op, part, step);
  if (entry.end >= 0) {
    device_.record(entry.end, stream(op.stream));
    const std::lock_guard lock{mutex_};
    enqueued_.back().is_recorded = true;
  }
  for (const auto event : op.records) {
    const auto e = static_cast<std::size_t>(event);
    device_.record(events_[e], stream(op.stream));
    recorded_[e] = true;
  }
  if (op.samples && options_.on_logits && !options_.graph) {
    options_.on_logits(part, step, op.micro_batch, resolver_->sampling(op));
  }
}

void PlanExecutor::play(Part part, int step) {
  int index = 0;
  for (const auto& op : program_.part(part)) {
    enqueue(op, part, step, index++);
  }
}

/// Other streams start when the compute stream does.
void PlanExecutor::fork() {
  const auto event = device_.create_event(false);
  device_.record(event, streams_.front());
  for (std::size_t other = 1; other < streams_.size(); ++other) {
    device_.wait(streams_[other], event);
  }
}

/// The compute stream goes on when all others are done.
void PlanExecutor::join() {
  for (std::size_t other = 1; other < streams_.size(); ++other) {
    const auto event = device_.create_event(false);
    device_.record(event, streams_[other]);
    device_.wait(streams_.front(), event);
  }
}

void PlanExecutor::capture(int step) {
  recorded_.assign(recorded_.size(), false);
  device_.begin_capture(streams_.front());
  fork();
  play(Part::body, step);
  join();
  graphs_.push_back(device_.end_capture(streams_.front()));
  recorded_.assign(recorded_.size(), false);
}

RankTimes PlanExecutor::run() {
  {
    const std::lock_guard lock{mutex_};
    enqueued_.resize(captured_);
    used_events_ = captured_events_;
  }
  recorded_.assign(recorded_.size(), false);
  const auto enqueues = [this](bool value) {
    const std::lock_guard lock{mutex_};
    enqueues_ = value;
  };
  const auto mark = [this](StreamHandle of) {
    const auto event = device_.create_event(true);
    device_.record(event, of);
    const std::lock_guard lock{mutex_};
    marks_.push_back(event);
  };
  {
    const std::lock_guard lock{mutex_};
    marks_.clear();
  }
  enqueues(true);
  start_ = device_.create_event(true);
  device_.record(start_, streams_.front());
  fork();
  play(Part::prologue, -1);
  mark(streams_.front());
  if (options_.graph) {
    join();
  }
  for (int step = 0; step < plan_.decode_steps; ++step) {
    if (options_.graph) {
      device_.launch_graph(graphs_[static_cast<std::size_t>(step)], streams_.front());
    } else {
      play(Part::body, step);
    }
    mark(streams_.front());
  }
  if (options_.graph) {
    fork();
  }
  play(Part::epilogue, -1);
  join();
  mark(streams_.front());
  enqueues(false);
  finish();
  return times();
}

namespace {

std::string text_of(Part part, int step) {
  return part == Part::prologue   ? "the prologue"
         : part == Part::epilogue ? "the epilogue"
                                  : "step " + std::to_string(step);
}

} // namespace

std::string PlanExecutor::name_of(const Enqueued& entry) const {
  const auto& op = *entry.op;
  return op.name + (op.layer < 0 ? "" : " L" + std::to_string(op.layer)) + " m" +
         std::to_string(op.micro_batch) + " of " + text_of(entry.part, entry.step) + " on stream " +
         program_.streams[static_cast<std::size_t>(op.stream)];
}

std::vector<std::string> PlanExecutor::waiting_operations() const {
  const std::lock_guard lock{mutex_};
  auto waiting = operations_not_done();
  if (waiting.empty() && !joining_.empty()) {
    waiting.push_back("joining " + joining_);
  } else if (waiting.empty() && enqueues_ && !enqueued_.empty()) {
    waiting.push_back(name_of(enqueued_.back()));
  }
  return waiting;
}

std::vector<std::string> PlanExecutor::operations_not_done() const {
  std::vector<std::string> waiting;
  std::set<StreamId> seen;
  if (options_.spans && !options_.graph) {
    for (const auto& entry : enqueued_) {
      const bool is_done = entry.end < 0 || (entry.is_recorded && device_.is_done(entry.end));
      if (!is_done && seen.insert(entry.op->stream).second) {
        waiting.push_back(name_of(entry));
      }
    }
    return waiting;
  }
  // Without events around operations only the ends of steps are known.
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    if (!device_.is_done(marks_[i])) {
      const int step = static_cast<int>(i) - 1;
      waiting.push_back(step < 0                    ? text_of(Part::prologue, 0)
                        : step < plan_.decode_steps ? text_of(Part::body, step)
                                                    : text_of(Part::epilogue, 0));
      return waiting;
    }
  }
  return waiting;
}

void PlanExecutor::finish() {
  using Clock = std::chrono::steady_clock;
  auto latest = Clock::now();
  auto before = waiting_operations();
  while (!device_.is_done(marks_.back())) {
    std::this_thread::sleep_for(std::chrono::microseconds{200});
    if (Clock::now() - latest < options_.patience) {
      continue;
    }
    auto now = waiting_operations();
    if (now == before && !now.empty()) {
      std::string list;
      for (const auto& one : now) {
        list += (list.empty() ? "" : "; ") + one;
      }
      throw SimulationError{"rank " + std::to_string(place_.rank) + " of " + plan_.layout +
                            " hangs: " + list};
    }
    before = std::move(now);
    latest = Clock::now();
  }
}

RankTimes PlanExecutor::times() {
  const auto seconds = [this](EventHandle event) {
    return device_.elapsed_us(start_, event) * 1e-6;
  };
  RankTimes result{.prologue_s = seconds(marks_.front()), .end_s = seconds(marks_.back())};
  for (int step = 0; step < plan_.decode_steps; ++step) {
    result.step_end_s.push_back(seconds(marks_[static_cast<std::size_t>(step) + 1]));
  }
  for (const auto& entry : enqueued_) {
    if (entry.end >= 0) {
      result.spans.push_back(
          {.start_s = seconds(entry.begin),
           .end_s = seconds(entry.end),
           .rank = place_.rank,
           .stream = entry.op->stream,
           .kind = as_kernel(*entry.op) != nullptr ? SpanKind::compute : SpanKind::transfer,
           .part = entry.part,
           .step = entry.step,
           .operation = entry.index});
    }
  }
  return result;
}

} // namespace decodesim
