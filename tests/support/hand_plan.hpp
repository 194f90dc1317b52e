#pragma once

#include "sim/plan/plan.hpp"

#include <string>
#include <vector>

/// Plans written down operation by operation.
namespace decodesim::testing {

/// A kernel that moves this many bytes of device memory and computes next to nothing: n
/// microseconds alone on a GPU that gives its kernels n MB/us.
inline Kernel moving(double bytes) {
  return RowKernel{.function = RowFunction::activation,
                   .rows = 1,
                   .read_columns = static_cast<std::int64_t>(bytes),
                   .write_columns = 0,
                   .type = DataType::int8};
}

inline Operation
kernel_op(const std::string& name, double bytes, StreamId stream = 0, bool samples = false) {
  return {.name = name, .stream = stream, .work = moving(bytes), .samples = samples};
}

inline Operation collective_op(const std::string& name,
                               CollectiveKind kind,
                               double bytes,
                               StreamId stream = 0,
                               const std::string& axis = "all") {
  return {.name = name,
          .stream = stream,
          .work = Collective{.kind = kind, .axis = axis, .total_bytes = Bytes{bytes}}};
}

inline Message send_to(int peer, double bytes, const std::string& channel = "data") {
  return {.direction = Message::Direction::send,
          .axis = "all",
          .peer = peer,
          .channel = channel,
          .bytes = Bytes{bytes}};
}

inline Message receive_from(int peer, double bytes, const std::string& channel = "data") {
  auto message = send_to(peer, bytes, channel);
  message.direction = Message::Direction::receive;
  return message;
}

inline Operation
message_op(const std::string& name, std::vector<Message> messages, StreamId stream = 0) {
  return {.name = name, .stream = stream, .work = PointToPoint{std::move(messages)}};
}

inline Operation after(Operation op, std::vector<EventId> events) {
  op.waits = std::move(events);
  return op;
}

inline Operation recording(Operation op, std::vector<EventId> events) {
  op.records = std::move(events);
  return op;
}

inline Operation sampling(Operation op) {
  op.samples = true;
  return op;
}

/// One program per rank, on one axis "all". The decode step is all that a rank does unless a test
/// adds a prologue.
inline Plan hand_plan(std::vector<Program> programs, int decode_steps = 1) {
  Plan plan;
  plan.layout = "by hand";
  plan.decode_steps = decode_steps;
  std::vector<int> all;
  for (int rank = 0; rank < static_cast<int>(programs.size()); ++rank) {
    plan.program_of_rank.push_back(rank);
    all.push_back(rank);
  }
  plan.programs = std::move(programs);
  plan.axes = {GroupAxis{"all", {all}, plan.ranks()}};
  return plan;
}

inline Program program(std::vector<Operation> body,
                       std::vector<std::string> streams = {"compute"},
                       int events = 0) {
  Program one;
  one.role = "by hand";
  one.streams = std::move(streams);
  one.event_count = events;
  one.sequences = 1;
  one.body = std::move(body);
  return one;
}

} // namespace decodesim::testing
