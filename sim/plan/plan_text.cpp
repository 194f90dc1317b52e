#include "sim/plan/plan_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace decodesim {

using nlohmann::ordered_json;

namespace {

constexpr std::array parts{Part::prologue, Part::body, Part::epilogue};

const char* name_of(Part part) {
  switch (part) {
  case Part::prologue:
    return "prologue";
  case Part::body:
    return "body";
  case Part::epilogue:
    return "epilogue";
  }
  return "?";
}

const char* name_of(BufferKind kind) {
  switch (kind) {
  case BufferKind::weights:
    return "weights";
  case BufferKind::kv_cache:
    return "kv_cache";
  case BufferKind::activation:
    return "activation";
  case BufferKind::gathered_weights:
    return "gathered_weights";
  case BufferKind::gathered_part:
    return "gathered_part";
  }
  return "?";
}

/// "0-3,8": increasing numbers, runs joined.
std::string ranges(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    auto last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) {
      ++last;
    }
    text += (text.empty() ? "" : ",") + std::to_string(numbers[i]);
    if (last > i) {
      text += "-" + std::to_string(numbers[last]);
    }
    i = last + 1;
  }
  return text;
}

std::vector<int> ranks_of(const Plan& plan, int program) {
  std::vector<int> ranks;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    if (plan.program_of_rank[static_cast<std::size_t>(rank)] == program) {
      ranks.push_back(rank);
    }
  }
  return ranks;
}

/// What an operation does, in words; with its bytes and flop.
struct Line {
  std::string work;
  Flop flop;
  Bytes memory;  ///< read and written by a kernel
  Bytes network; ///< array of a collective, bytes of the messages sent
};

/// @param rank  whose routed work is counted
Line line_of(const Plan& plan, int rank, Part part, const Operation& op) {
  Line line;
  if (const auto* kernel = as_kernel(op)) {
    const auto at = plan.context(rank, op, *kernel, part, 0);
    const auto work = kernel_work(*kernel, at);
    line.flop = work.flop;
    line.memory = work.bytes;
    std::ostringstream text;
    if (const auto* gemm = std::get_if<Gemm>(kernel)) {
      text << "gemm " << (gemm->batch > 1 ? std::to_string(gemm->batch) + " x " : "")
           << "m=" << gemm->m << " n=" << gemm->n << " k=" << gemm->k << " "
           << to_string(gemm->weights);
    } else if (const auto* attention = std::get_if<Attention>(kernel)) {
      text << "attention " << attention->sequences << " x " << attention->query_tokens
           << " queries, context " << attention->context_tokens << ", " << attention->heads << "/"
           << attention->kv_heads << " heads"
           << (attention->window > 0 ? ", window " + std::to_string(attention->window) : "");
    } else if (const auto* grouped = std::get_if<GroupedGemm>(kernel)) {
      text << "grouped gemm " << at.routed.pairs << " rows of " << at.routed.experts_hit
           << " experts, n=" << grouped->n << " k=" << grouped->k << " "
           << to_string(grouped->weights);
    } else if (is_routed(*kernel)) {
      text << to_string(work.kernel_class) << " " << at.routed.pairs << " routed rows of "
           << at.routed.tokens << " tokens";
    } else {
      text << to_string(work.kernel_class) << " " << std::get<RowKernel>(*kernel).rows << " rows";
    }
    line.work = text.str();
  } else if (const auto* collective = as_collective(op)) {
    line.work = std::string{to_string(collective->kind)} + " over " + collective->axis;
    line.network = collective->total_bytes;
  } else if (const auto* exchange = as_exchange(op)) {
    std::int64_t rows = 0;
    for (const auto& sent : plan.rows_exchanged(rank, op, *exchange, part, 0)) {
      rows += sent.rows;
    }
    line.work = "all-to-all over " + exchange->axis + ", " + std::to_string(rows) + " rows of " +
                with_prefix(exchange->row_bytes.value(), "B");
    line.network = static_cast<double>(rows) * exchange->row_bytes;
  } else {
    for (const auto& message : as_point_to_point(op)->messages) {
      const bool sends = message.direction == Message::Direction::send;
      line.work += (line.work.empty() ? "" : ", ") +
                   std::string{sends ? "send to " : "receive from "} + message.axis + "[" +
                   std::to_string(message.peer) + "]";
      if (sends) {
        line.network += message.bytes;
      }
    }
  }
  return line;
}

/// Equal but for the number of the layer, which is the next one.
bool same_in_next_layer(const Operation& op, const Operation& later) {
  return op.layer >= 0 && later.layer == op.layer + 1 && op.name == later.name &&
         op.micro_batch == later.micro_batch && op.stream == later.stream && op.work == later.work;
}

/// Operations from `first` on that come again, `repeats` times in all, each time one layer on.
struct Run {
  std::size_t length = 1;
  std::size_t repeats = 1;
};

Run run_at(const std::vector<Operation>& ops, std::size_t first) {
  constexpr std::size_t longest = 64; // operations of one layer and its transfers
  for (std::size_t length = 1; length <= longest && first + 2 * length <= ops.size(); ++length) {
    std::size_t equal = 0;
    while (first + equal + length < ops.size() &&
           same_in_next_layer(ops[first + equal], ops[first + equal + length])) {
      ++equal;
    }
    if (equal >= length) {
      return {.length = length, .repeats = equal / length + 1};
    }
  }
  return {};
}

class PlanPrinter {
public:
  PlanPrinter(const Plan& plan, bool every_layer) : plan_{plan}, every_layer_{every_layer} {}

  std::string print() {
    out_ << "plan " << plan_.layout << ": " << plan_.ranks() << " ranks, " << plan_.programs.size()
         << (plan_.programs.size() == 1 ? " program" : " programs") << ", " << plan_.prompt_tokens
         << " prompt tokens, " << plan_.decode_steps << " decode steps\n";
    for (std::size_t i = 0; i < plan_.programs.size(); ++i) {
      print_program(static_cast<int>(i));
    }
    const auto traffic = traffic_per_step(plan_);
    out_ << "\na decode step moves " << with_prefix(traffic.tensor.value(), "B")
         << " of tensors; its ranks receive " << with_prefix(traffic.received_sum.value(), "B")
         << " together\n";
    return out_.str();
  }

private:
  void print_program(int index) {
    const auto& program = plan_.programs[static_cast<std::size_t>(index)];
    out_ << "\nprogram " << index << ": " << program.role << "; ranks "
         << ranges(ranks_of(plan_, index)) << "\n  weights "
         << with_prefix(program.weights.value(), "B") << ", KV cache "
         << with_prefix(program.kv_bytes_per_token.value(), "B") << " a token and sequence"
         << windows_text(program) << ", "
         << "activations at most " << with_prefix(peak_activation_bytes(program).value(), "B")
         << ", gather buffers "
         << with_prefix(buffer_bytes(program, BufferKind::gathered_weights).value(), "B") << "\n";
    for (const auto part : parts) {
      print_part(index, part);
    }
  }

  /// " (4.1 kB of it for the last 128 tokens alone)"
  static std::string windows_text(const Program& program) {
    std::string text;
    for (const auto& part : program.windowed_caches) {
      text += (text.empty() ? " (" : ", ") + with_prefix(part.bytes_per_token.value(), "B") +
              " of it for the last " + std::to_string(part.window) + " tokens alone";
    }
    return text.empty() ? text : text + ")";
  }

  void print_part(int index, Part part) {
    const auto& program = plan_.programs[static_cast<std::size_t>(index)];
    const int rank = ranks_of(plan_, index).front();
    const auto& ops = program.part(part);
    if (ops.empty()) {
      return;
    }
    out_ << "\n  " << name_of(part)
         << (part == Part::prologue ? " (prefill), "
             : part == Part::body   ? " (each decode step; numbers of step 0), "
                                    : ", ")
         << ops.size() << " operations\n"
         << std::right << std::setw(7) << "#"
         << "  " << std::left << std::setw(10) << "stream" << std::setw(7) << "layer"
         << std::setw(7) << "batch" << std::setw(26) << "operation" << std::right << std::setw(12)
         << "flop" << std::setw(11) << "memory" << std::setw(11) << "network"
         << "  work\n";
    for (std::size_t i = 0; i < ops.size();) {
      const auto run = every_layer_ ? Run{} : run_at(ops, i);
      for (std::size_t k = 0; k < run.length; ++k) {
        print_operation(program, rank, part, ops[i + k], i + k);
      }
      if (run.repeats > 1) {
        out_ << "         ... and again for the next " << run.repeats - 1
             << (run.repeats == 2 ? " layer" : " layers") << ", to #"
             << i + run.length * run.repeats - 1 << "\n";
      }
      i += run.length * run.repeats;
    }
    print_sums(rank, part, ops);
  }

  void print_operation(
      const Program& program, int rank, Part part, const Operation& op, std::size_t number) {
    const auto line = line_of(plan_, rank, part, op);
    const auto or_dash = [](int value) { return value < 0 ? "-" : std::to_string(value); };
    const auto amount = [](double value, const char* unit) {
      return value > 0 ? with_prefix(value, unit) : std::string{"-"};
    };
    out_ << std::right << std::setw(7) << number << "  " << std::left << std::setw(10)
         << program.streams[static_cast<std::size_t>(op.stream)] << std::setw(7)
         << or_dash(op.layer) << std::setw(7) << or_dash(op.micro_batch) << std::setw(26) << op.name
         << std::right << std::setw(12) << amount(line.flop.value(), "flop") << std::setw(11)
         << amount(line.memory.value(), "B") << std::setw(11) << amount(line.network.value(), "B")
         << "  " << line.work << "\n";
  }

  void print_sums(int rank, Part part, const std::vector<Operation>& ops) {
    Line sum;
    int kernels = 0;
    int collectives = 0;
    int transfers = 0;
    for (const auto& op : ops) {
      const auto line = line_of(plan_, rank, part, op);
      sum.flop += line.flop;
      sum.memory += line.memory;
      sum.network += line.network;
      ++(as_kernel(op) != nullptr           ? kernels
         : as_point_to_point(op) != nullptr ? transfers
                                            : collectives);
    }
    out_ << "         sum: " << kernels << " kernels, " << with_prefix(sum.flop.value(), "flop")
         << ", " << with_prefix(sum.memory.value(), "B") << " of memory; " << collectives
         << " collectives, " << transfers << " sends and receives, "
         << with_prefix(sum.network.value(), "B") << " of tensors\n";
  }

  const Plan& plan_;
  bool every_layer_;
  std::ostringstream out_;
};

ordered_json json_of(const Plan& plan, int rank, Part part, const Operation& op) {
  const auto& program = plan.program(rank);
  const auto line = line_of(plan, rank, part, op);
  ordered_json json{{"name", op.name},
                    {"stream", program.streams[static_cast<std::size_t>(op.stream)]},
                    {"layer", op.layer},
                    {"micro_batch", op.micro_batch},
                    {"work", line.work},
                    {"flop", line.flop.value()},
                    {"memory_bytes", line.memory.value()},
                    {"network_bytes", line.network.value()},
                    {"waits", op.waits},
                    {"records", op.records}};
  for (const auto& [key, ids] : {std::pair{"reads", &op.reads}, std::pair{"writes", &op.writes}}) {
    json[key] = ordered_json::array();
    for (const auto id : *ids) {
      json[key].push_back(program.buffers[static_cast<std::size_t>(id)].name);
    }
  }
  return json;
}

} // namespace

std::string with_prefix(double value, const std::string& unit) {
  constexpr std::array prefixes{"", "k", "M", "G", "T", "P", "E"};
  std::size_t prefix = 0;
  // 999.95 would print as 1000.0
  while (std::abs(value) >= 999.95 && prefix + 1 < prefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  std::ostringstream text;
  text << std::fixed << std::setprecision(prefix == 0 ? 0 : 1) << value << " " << prefixes[prefix]
       << unit;
  return text.str();
}

std::string plan_text(const Plan& plan, bool every_layer) {
  return PlanPrinter{plan, every_layer}.print();
}

ordered_json plan_to_json(const Plan& plan) {
  const auto traffic = traffic_per_step(plan);
  ordered_json json{{"layout", plan.layout},
                    {"ranks", plan.ranks()},
                    {"prompt_tokens", plan.prompt_tokens},
                    {"decode_steps", plan.decode_steps},
                    {"tensor_bytes_per_step", traffic.tensor.value()},
                    {"received_bytes_per_step", traffic.received_sum.value()},
                    {"program_of_rank", plan.program_of_rank}};
  json["groups"] = ordered_json::object();
  for (const auto& axis : plan.axes) {
    json["groups"][axis.name] = axis.groups;
  }
  json["programs"] = ordered_json::array();
  for (std::size_t index = 0; index < plan.programs.size(); ++index) {
    const auto& program = plan.programs[index];
    const int rank = ranks_of(plan, static_cast<int>(index)).front();
    ordered_json one{{"role", program.role},
                     {"streams", program.streams},
                     {"events", program.event_count},
                     {"sequences", program.sequences},
                     {"weights_bytes", program.weights.value()},
                     {"kv_cache_bytes_per_token", program.kv_bytes_per_token.value()},
                     {"kv_cache_windows", ordered_json::array()},
                     {"activation_bytes", peak_activation_bytes(program).value()},
                     {"buffer_bytes", buffer_bytes(program, BufferKind::gathered_weights).value()}};
    for (const auto& part : program.windowed_caches) {
      one["kv_cache_windows"].push_back(
          {{"window_tokens", part.window}, {"bytes_per_token", part.bytes_per_token.value()}});
    }
    one["buffers"] = ordered_json::array();
    for (const auto& buffer : program.buffers) {
      one["buffers"].push_back({{"name", buffer.name},
                                {"kind", name_of(buffer.kind)},
                                {"shape", buffer.shape},
                                {"type", to_string(buffer.type)},
                                {"bytes", buffer.bytes.value()}});
      if (buffer.within >= 0) {
        const auto& held_in = program.buffers[static_cast<std::size_t>(buffer.within)];
        one["buffers"].back()["within"] = held_in.name;
        one["buffers"].back()["offset_bytes"] = buffer.offset.value();
      }
    }
    for (const auto part : parts) {
      one[name_of(part)] = ordered_json::array();
      for (const auto& op : program.part(part)) {
        one[name_of(part)].push_back(json_of(plan, rank, part, op));
      }
    }
    json["programs"].push_back(std::move(one));
  }
  return json;
}

} // namespace decodesim
