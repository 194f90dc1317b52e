#include "traces/span_labels.hpp"

#include "sim/plan/expert_loads.hpp"
#include "traces/json_text.hpp"

#include <algorithm>

namespace decodesim {

namespace {

std::string_view name_of(RowFunction function) {
  switch (function) {
  case RowFunction::norm:
    return "norm";
  case RowFunction::qk_norm:
    return "qk_norm";
  case RowFunction::residual_add:
    return "residual_add";
  case RowFunction::rotary:
    return "rotary";
  case RowFunction::cache_write:
    return "cache_write";
  case RowFunction::gated_activation:
    return "gated_activation";
  case RowFunction::activation:
    return "activation";
  case RowFunction::top_k:
    return "top_k";
  case RowFunction::weighted_sum:
    return "weighted_sum";
  case RowFunction::embedding:
    return "embedding";
  case RowFunction::sampling:
    return "sampling";
  case RowFunction::copy:
    return "copy";
  }
  return "?";
}

void append(std::string& out, std::string_view key, std::string_view value) {
  out += ",\"";
  out += key;
  out += "\":";
  append_json_string(out, value);
}

void append(std::string& out, std::string_view key, Bytes value) {
  out += ",\"";
  out += key;
  out += "\":";
  append_json_number(out, value.value());
}

struct AppendWork {
  std::string& out;

  void operator()(const Gemm& gemm) const {
    append(out, "kind", "gemm");
    append(out,
           "shape",
           (gemm.batch > 1 ? "batch=" + std::to_string(gemm.batch) + " " : "") +
               "m=" + std::to_string(gemm.m) + " n=" + std::to_string(gemm.n) +
               " k=" + std::to_string(gemm.k));
    append(out, "type", to_string(gemm.weights));
  }

  void operator()(const Attention& attention) const {
    append(out, "kind", "attention");
    append(out,
           "shape",
           "sequences=" + std::to_string(attention.sequences) +
               " query_tokens=" + std::to_string(attention.query_tokens) + " heads=" +
               std::to_string(attention.heads) + " kv_heads=" + std::to_string(attention.kv_heads) +
               " head_size=" + std::to_string(attention.head_size) +
               (attention.window > 0 ? " window=" + std::to_string(attention.window) : ""));
    append(out, "type", to_string(attention.kv_cache));
  }

  void operator()(const RowKernel& kernel) const {
    append(out, "kind", name_of(kernel.function));
    append(out,
           "shape",
           "rows=" + std::to_string(kernel.rows) + " read=" + std::to_string(kernel.read_columns) +
               " write=" + std::to_string(kernel.write_columns));
    append(out, "type", to_string(kernel.type));
  }

  void operator()(const GroupedGemm& gemm) const {
    append(out, "kind", "grouped_gemm");
    append(out, "shape", "n=" + std::to_string(gemm.n) + " k=" + std::to_string(gemm.k));
    append(out, "type", to_string(gemm.weights));
  }

  void operator()(const RoutedRowKernel& kernel) const {
    append(out, "kind", name_of(kernel.function));
    append(out,
           "shape",
           "pair=" + std::to_string(kernel.pair_columns) +
               " token=" + std::to_string(kernel.token_columns) +
               " returned=" + std::to_string(kernel.returned_columns));
    append(out, "type", to_string(kernel.type));
  }

  void operator()(const Kernel& kernel) const { std::visit(*this, kernel); }

  void operator()(const Collective& collective) const {
    append(out, "kind", to_string(collective.kind));
    append(out, "axis", collective.axis);
    append(out, "bytes", collective.total_bytes);
  }

  void operator()(const Exchange& exchange) const {
    append(
        out, "kind", exchange.direction == Exchange::Direction::dispatch ? "dispatch" : "combine");
    append(out, "axis", exchange.axis);
    append(out, "row_bytes", exchange.row_bytes);
  }

  void operator()(const PointToPoint& group) const {
    Bytes bytes;
    std::string directions;
    std::string axes;
    const auto add = [](std::string& list, std::string_view one) {
      if (list.find(one) == std::string::npos) {
        list.append(list.empty() ? "" : "+").append(one);
      }
    };
    for (const Message& message : group.messages) {
      bytes += message.bytes;
      add(directions, message.direction == Message::Direction::send ? "send" : "receive");
      add(axes, message.axis);
    }
    append(out, "kind", directions);
    append(out, "axis", axes);
    append(out, "bytes", bytes);
  }
};

} // namespace

SpanLabels::SpanLabels(const Plan& plan, Describe describe) : plan_{plan}, describe_{describe} {
  for (const Program& program : plan.programs) {
    auto& parts = labels_.emplace_back();
    for (const Part part : {Part::prologue, Part::body, Part::epilogue}) {
      parts[static_cast<std::size_t>(part)].resize(program.part(part).size());
    }
  }
}

const std::string& SpanLabels::of(const Span& span) {
  const auto rank = static_cast<std::size_t>(span.rank);
  const auto program = static_cast<std::size_t>(plan_.program_of_rank[rank]);
  const auto operation = static_cast<std::size_t>(span.operation);
  auto& label = labels_[program][static_cast<std::size_t>(span.part)][operation]
                       [static_cast<std::size_t>(span.kind)];
  if (!label) {
    label = describe_(plan_.programs[program].part(span.part)[operation], span.part, span.kind);
  }
  return *label;
}

void append_work_arguments(std::string& out, const Operation& operation) {
  std::visit(AppendWork{out}, operation.work);
}

void append_step_arguments(std::string& out, const Plan& plan, const Span& span) {
  const auto append_count = [&](std::string_view key, std::int64_t count) {
    out += ",\"";
    out += key;
    out += "\":";
    append_json_number(out, count);
  };
  const auto& operation =
      plan.program(span.rank).part(span.part)[static_cast<std::size_t>(span.operation)];
  const int step = std::max(span.step, 0);
  if (const auto* kernel = as_kernel(operation)) {
    if (const auto* attention = std::get_if<Attention>(kernel)) {
      append_count("context_tokens", attention->context_at({step}));
    } else if (is_routed(*kernel)) {
      const auto work = plan.context(span.rank, operation, *kernel, span.part, step).routed;
      append_count("rows", work.pairs);
      append_count("experts", work.experts_hit);
    }
  } else if (const auto* exchange = as_exchange(operation)) {
    const int member = plan.expert_loads->member_of(span.rank);
    std::int64_t sent = 0;
    std::int64_t received = 0;
    for (const auto& rows : plan.rows_exchanged(span.rank, operation, *exchange, span.part, step)) {
      sent += rows.from == member ? rows.rows : 0;
      received += rows.to == member ? rows.rows : 0;
    }
    append_count("rows_sent", sent);
    append_count("rows_received", received);
  }
}

} // namespace decodesim
