#include "tests/support/plan_text.hpp"

#include <cstdint>

namespace decodesim::testing {

namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

std::string text(Bytes bytes) { return number(static_cast<std::int64_t>(bytes.value())) + " B"; }

std::string text(const Gemm& gemm) {
  return (gemm.batch > 1 ? number(gemm.batch) + " x " : "") + "gemm " + number(gemm.m) + "x" +
         number(gemm.n) + "x" + number(gemm.k) + (gemm.bias ? " + bias" : "");
}

std::string text(const Attention& attention) {
  return "attention " + number(attention.sequences) + " sequences, " +
         number(attention.query_tokens) + " new of " + number(attention.context_tokens) + ", " +
         number(attention.heads) + "/" + number(attention.kv_heads) + " heads of " +
         number(attention.head_size) +
         (attention.value_size > 0 ? ", values of " + number(attention.value_size) : "") +
         (attention.values_in_keys ? " in keys" : "") +
         (attention.window > 0 ? ", window " + number(attention.window) : "");
}

std::string text(const RowKernel& row) {
  return number(row.rows) + " rows, " + number(row.read_columns) + " in, " +
         number(row.write_columns) + " out";
}

std::string text(const GroupedGemm& gemm) {
  return "grouped gemm " + number(gemm.n) + "x" + number(gemm.k) + (gemm.bias ? " + bias" : "");
}

std::string text(const RoutedRowKernel& row) {
  return "routed rows, " + number(row.pair_columns) + " a pair, " + number(row.token_columns) +
         " a token, " + number(row.returned_columns) + " a returned row";
}

std::string text(const Kernel& kernel) {
  return std::visit([](const auto& shape) { return text(shape); }, kernel);
}

std::string text(const Collective& collective) {
  return std::string{to_string(collective.kind)} + " " + collective.axis + " " +
         text(collective.total_bytes);
}

std::string text(const Exchange& exchange) {
  return std::string{exchange.direction == Exchange::Direction::dispatch ? "dispatch" : "combine"} +
         " " + exchange.axis + " rows of " + text(exchange.row_bytes);
}

std::string text(const PointToPoint& messages) {
  std::string all;
  for (const auto& message : messages.messages) {
    all += (all.empty() ? "" : " + ") +
           std::string{message.direction == Message::Direction::send ? "send" : "receive"} + " " +
           number(message.peer) + " " + message.channel + " " + text(message.bytes);
  }
  return all;
}

std::string text(const char* what, const std::vector<EventId>& events) {
  std::string all;
  for (const auto event : events) {
    all += (all.empty() ? std::string{", "} + what + " " : "+") + number(event);
  }
  return all;
}

std::string head(const Operation& op) {
  return op.name + (op.layer >= 0 ? " L" + number(op.layer) : "") +
         (op.micro_batch >= 0 ? " m" + number(op.micro_batch) : "");
}

} // namespace

std::vector<std::string> lines(const Program& program, const std::vector<Operation>& operations) {
  std::vector<std::string> all;
  for (const auto& op : operations) {
    all.push_back(program.streams[static_cast<std::size_t>(op.stream)] + " " + head(op) + ": " +
                  std::visit([](const auto& work) { return text(work); }, op.work) +
                  text("waits", op.waits) + text("records", op.records));
  }
  return all;
}

std::vector<std::string>
names(const Program& program, const std::vector<Operation>& operations, const std::string& stream) {
  std::vector<std::string> all;
  for (const auto& op : operations) {
    if (program.streams[static_cast<std::size_t>(op.stream)] == stream) {
      all.push_back(head(op));
    }
  }
  return all;
}

} // namespace decodesim::testing
