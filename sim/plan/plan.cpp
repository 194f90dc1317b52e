#include "sim/plan/plan.hpp"

#include "sim/error.hpp"
#include "sim/plan/expert_loads.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace decodesim {

Bytes Program::kv_cache_bytes(std::int64_t tokens) const {
  auto bytes = kv_bytes_per_token * static_cast<double>(tokens);
  for (const auto& part : windowed_caches) {
    const auto dropped = std::max<std::int64_t>(0, tokens - part.window);
    bytes -= part.bytes_per_token * static_cast<double>(dropped);
  }
  return bytes;
}

GroupAxis::GroupAxis(std::string axis_name, std::vector<std::vector<int>> axis_groups, int ranks)
    : name{std::move(axis_name)}, groups{std::move(axis_groups)},
      group_of_rank(static_cast<std::size_t>(ranks), -1) {
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const int rank : groups[g]) {
      group_of_rank[static_cast<std::size_t>(rank)] = static_cast<int>(g);
    }
  }
}

const GroupAxis& Plan::axis(const std::string& name) const {
  for (const auto& one : axes) {
    if (one.name == name) {
      return one;
    }
  }
  throw SimulationError{"plan " + layout + ": no group axis is named \"" + name + "\""};
}

const std::vector<int>& Plan::group(const std::string& axis_name, int rank) const {
  const auto& found = axis(axis_name);
  const int group = found.group_of_rank[static_cast<std::size_t>(rank)];
  if (group < 0) {
    throw SimulationError{"plan " + layout + ": rank " + std::to_string(rank) +
                          " is in no group of axis \"" + axis_name + "\""};
  }
  return found.groups[static_cast<std::size_t>(group)];
}

StepContext
Plan::context(int rank, const Operation& op, const Kernel& kernel, Part part, int step) const {
  if (!is_routed(kernel)) {
    return {.step = step};
  }
  const auto& load =
      expert_loads->at(part, step, op.layer, op.micro_batch, expert_loads->group_of(rank));
  return {.step = step,
          .routed = load.work[static_cast<std::size_t>(expert_loads->member_of(rank))]};
}

std::vector<SentRows> Plan::rows_exchanged(
    int rank, const Operation& op, const Exchange& exchange, Part part, int step) const {
  auto rows =
      expert_loads->at(part, step, op.layer, op.micro_batch, expert_loads->group_of(rank)).sent;
  if (exchange.direction == Exchange::Direction::combine) {
    for (auto& one : rows) {
      std::swap(one.from, one.to);
    }
  }
  return rows;
}

Bytes exchanged_per_step(const Plan& plan) {
  Bytes sum;
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    for (const auto& op : plan.program(rank).body) {
      const auto* exchange = as_exchange(op);
      if (exchange != nullptr && plan.group(exchange->axis, rank).front() == rank) {
        const auto& loads = *plan.expert_loads;
        sum += loads.mean_rows_sent(op.layer, op.micro_batch, loads.group_of(rank)) *
               exchange->row_bytes;
      }
    }
  }
  return sum;
}

Traffic traffic_per_step(const Plan& plan, const std::string& algorithm) {
  const auto arrays_received = collective_algorithm_named(algorithm, "collectives").arrays_received;
  const auto exchanged = exchanged_per_step(plan);
  Traffic traffic{.tensor = exchanged, .received_sum = exchanged};
  for (int rank = 0; rank < plan.ranks(); ++rank) {
    for (const auto& op : plan.program(rank).body) {
      if (const auto* collective = as_collective(op)) {
        const auto& group = plan.group(collective->axis, rank);
        if (group.front() == rank) {
          traffic.tensor += collective->total_bytes;
          traffic.received_sum +=
              arrays_received(collective->kind, static_cast<int>(group.size())) *
              collective->total_bytes;
        }
      } else if (const auto* messages = as_point_to_point(op)) {
        for (const auto& message : messages->messages) {
          if (message.direction == Message::Direction::receive) {
            traffic.tensor += message.bytes;
            traffic.received_sum += message.bytes;
          }
        }
      }
    }
  }
  return traffic;
}

Bytes buffer_bytes(const Program& program, BufferKind kind) {
  Bytes sum;
  for (const auto& buffer : program.buffers) {
    if (buffer.kind == kind) {
      sum += buffer.bytes;
    }
  }
  return sum;
}

namespace {

/// Backwards liveness: going up the list, a written buffer dies, a read one comes alive.
Bytes peak_live_bytes(const Program& program, const std::vector<Operation>& operations) {
  std::set<BufferId> live;
  Bytes now;
  Bytes peak;
  const auto bytes_of = [&](BufferId id) {
    const auto& buffer = program.buffers[static_cast<std::size_t>(id)];
    return buffer.kind == BufferKind::activation ? buffer.bytes : Bytes{};
  };
  const auto revive = [&](BufferId id) {
    if (live.insert(id).second) {
      now += bytes_of(id);
    }
  };
  for (auto op = operations.rbegin(); op != operations.rend(); ++op) {
    for (const auto id : op->writes) {
      revive(id);
    }
    for (const auto id : op->reads) {
      revive(id);
    }
    peak = std::max(peak, now);
    for (const auto id : op->writes) {
      if (std::find(op->reads.begin(), op->reads.end(), id) == op->reads.end() &&
          live.erase(id) != 0) {
        now -= bytes_of(id);
      }
    }
  }
  return peak;
}

} // namespace

Bytes peak_activation_bytes(const Program& program) {
  return std::max({peak_live_bytes(program, program.prologue),
                   peak_live_bytes(program, program.body),
                   peak_live_bytes(program, program.epilogue)});
}

} // namespace decodesim
