#pragma once

#include "sim/network/collective_algorithm.hpp"
#include "sim/plan/operation.hpp"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace decodesim {

class ExpertLoads;

enum class BufferKind {
  weights,
  kv_cache,
  activation,
  gathered_weights, ///< holds the weights of one layer after another
  gathered_part     ///< one tensor in it: no memory of its own
};

/// One tensor of a rank. Activations live from their first write to their last read in a pass.
struct Buffer {
  std::string name;
  BufferKind kind = BufferKind::activation;
  std::vector<std::int64_t> shape; ///< of this rank's shard
  DataType type = DataType::bf16;
  Bytes bytes;
  int within = -1; ///< of a gathered part: the buffer that it is in
  Bytes offset;    ///< and where it begins there
};

/// Part of a cache that holds the last `window` tokens alone.
struct WindowedCache {
  std::int64_t window = 0;
  Bytes bytes_per_token;

  bool operator==(const WindowedCache&) const = default;
};

/// What one kind of rank does, in the order in which its host enqueues it: the prologue (prefill),
/// the body once per decode step, the epilogue. Only order within a stream, events and messages
/// order the work; nothing else does, so steps may overlap.
struct Program {
  std::string role;                 ///< "stage 2, 8 sequences"
  std::vector<std::string> streams; ///< name of each stream; stream 0 computes
  int event_count = 0;
  std::vector<Buffer> buffers;
  std::vector<Operation> prologue;
  std::vector<Operation> body;
  std::vector<Operation> epilogue;
  Bytes weights;            ///< resident weights
  Bytes expert_weights;     ///< those of routed experts among them
  Bytes kv_bytes_per_token; ///< by which a token lengthens one sequence's cache on this rank
  std::vector<WindowedCache> windowed_caches; ///< parts of that which stop growing, by window
  int sequences = 0;                          ///< whose cache this rank holds

  [[nodiscard]] const std::vector<Operation>& part(Part which) const {
    return which == Part::prologue ? prologue : which == Part::body ? body : epilogue;
  }

  /// Bytes of one sequence's cache on this rank after `tokens` tokens.
  [[nodiscard]] Bytes kv_cache_bytes(std::int64_t tokens) const;
};

/// A way of dividing all ranks into ordered groups: "tp", "dp", "pp", "ep", "world".
struct GroupAxis {
  std::string name;
  std::vector<std::vector<int>> groups; ///< ranks of each group, in member order
  std::vector<int> group_of_rank;       ///< -1 = not a member of any

  /// @param groups  disjoint
  GroupAxis(std::string name, std::vector<std::vector<int>> groups, int ranks);
  GroupAxis() = default;
};

/// What every rank has to do: programs by role, a table from rank to role, and groups by axis. A
/// strategy makes it from model, layout and workload; it knows no clock and no machine.
struct Plan {
  std::string layout; ///< tag: "tp4pp2-1f1b"
  std::vector<Program> programs;
  std::vector<int> program_of_rank;
  std::vector<GroupAxis> axes;
  int decode_steps = 0;           ///< times the body is played: output tokens - 1
  std::int64_t prompt_tokens = 0; ///< per sequence
  std::shared_ptr<const ExpertLoads> expert_loads = {}; ///< null without experts

  [[nodiscard]] int ranks() const { return static_cast<int>(program_of_rank.size()); }

  [[nodiscard]] const Program& program(int rank) const {
    return programs[static_cast<std::size_t>(program_of_rank[static_cast<std::size_t>(rank)])];
  }

  /// @throws SimulationError when no axis has that name
  [[nodiscard]] const GroupAxis& axis(const std::string& name) const;

  /// Members of the group of `rank` on an axis.
  /// @throws SimulationError when the rank is in none
  [[nodiscard]] const std::vector<int>& group(const std::string& axis_name, int rank) const;

  /// What a kernel of `rank` depends on beside its shape.
  /// @param step  decode step; 0 outside the body
  [[nodiscard]] StepContext
  context(int rank, const Operation& op, const Kernel& kernel, Part part, int step) const;

  /// Rows that the members of the group of `rank` send each other in an exchange, by member index;
  /// of a combine the way back.
  [[nodiscard]] std::vector<SentRows> rows_exchanged(
      int rank, const Operation& op, const Exchange& exchange, Part part, int step) const;
};

/// Proves that the plan can finish whatever the timing: every communicator sees one sequence of
/// equal collectives on all its members and is used by one stream of each, every send has its
/// receive of the same size in the same step, and nothing waits in a circle.
/// @throws SimulationError naming the operations that disagree or hang
void check(const Plan& plan);

/// Bytes a plan moves in one decode step, counted from the operations alone; rows of experts as in
/// the mean step.
struct Traffic {
  Bytes tensor;       ///< array of each collective once, each message and each row once
  Bytes received_sum; ///< received by all ranks together
};

/// @param algorithm  registered name; what is received depends on how collectives move their data
[[nodiscard]] Traffic traffic_per_step(const Plan& plan, const std::string& algorithm = "ring");

/// Bytes of rows that the experts of all layers exchange in the mean decode step, there and back.
[[nodiscard]] Bytes exchanged_per_step(const Plan& plan);

/// Most bytes of activations alive at once in any pass of a program, in issue order.
[[nodiscard]] Bytes peak_activation_bytes(const Program& program);

/// Sum of the buffers of one kind.
[[nodiscard]] Bytes buffer_bytes(const Program& program, BufferKind kind);

} // namespace decodesim
