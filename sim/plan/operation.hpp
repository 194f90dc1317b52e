#pragma once

#include "sim/device/kernel_cost.hpp"
#include "sim/model/data_type.hpp"
#include "sim/network/collective_kind.hpp"
#include "sim/units.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace decodesim {

enum class Part { prologue, body, epilogue };

/// What the routing gives one rank to do in one layer with experts, in one pass of a micro-batch.
struct RoutedWork {
  std::int64_t pairs = 0;    ///< (token, expert) pairs whose expert, or a slice of it, it has
  std::int64_t tokens = 0;   ///< distinct tokens of those pairs
  std::int64_t received = 0; ///< tokens that others sent it
  std::int64_t returned = 0; ///< rows that come back to it: as many as it sent
  int experts_hit = 0;       ///< distinct experts of those pairs

  bool operator==(const RoutedWork&) const = default;
};

/// Tokens that one member of a group sends to another in a dispatch.
struct SentRows {
  int from = 0;
  int to = 0;
  std::int64_t rows = 0;

  bool operator==(const SentRows&) const = default;
};

/// What changes from one pass of a program's body to the next, and between ranks of one program.
struct StepContext {
  int step = 0;           ///< 0 is the first decode step (it yields the second output token)
  RoutedWork routed = {}; ///< matters to kernels of experts alone
};

// ------------------------------------------------------------------------------------ kernels

/// y[m, n] = x[m, k] W[n, k]^T (+ bias): one linear layer or its shard; or `batch` such products,
/// each with its own x and W (latent attention: one a head).
struct Gemm {
  std::int64_t m = 0; ///< tokens
  std::int64_t n = 0; ///< output features of this shard
  std::int64_t k = 0; ///< input features of this shard
  DataType weights = DataType::bf16;
  DataType activations = DataType::bf16;
  bool bias = false;
  int batch = 1;

  bool operator==(const Gemm&) const = default;
};

/// Causal attention of `query_tokens` new tokens of each sequence over its cache, which already
/// holds the new ones. In a body the context grows by one token a step. With a window a token
/// attends to the last `window` tokens, itself included.
struct Attention {
  int sequences = 0;
  std::int64_t query_tokens = 1;   ///< per sequence; 1 in decode
  std::int64_t context_tokens = 0; ///< per sequence at step 0, new tokens included
  int heads = 0;                   ///< query heads of this shard
  int kv_heads = 0;                ///< KV heads of this shard
  int head_size = 0;               ///< of queries and keys
  DataType kv_cache = DataType::bf16;
  DataType activations = DataType::bf16;
  int value_size = 0;          ///< of values and of what a head puts out; 0 = as head_size
  bool values_in_keys = false; ///< a value is the beginning of its key (MLA's latent): read once
  std::int64_t window = 0;     ///< 0 = none

  [[nodiscard]] std::int64_t context_at(StepContext at) const {
    return query_tokens == 1 ? context_tokens + at.step : context_tokens;
  }

  /// Tokens of the cache that are read: min(context, window + query tokens - 1).
  [[nodiscard]] std::int64_t tokens_read_at(StepContext at) const;

  [[nodiscard]] int value_head_size() const { return value_size > 0 ? value_size : head_size; }

  bool operator==(const Attention&) const = default;
};

/// Row-wise kernels: they read and write each element once.
enum class RowFunction {
  norm,             ///< norm of x, with the residual addition fused: reads 2 rows, writes 2
  residual_add,     ///< x plus the residual stream, at the end of a pipeline stage
  qk_norm,          ///< norm over each head of queries and keys
  rotary,           ///< rotary embedding of queries and keys, and the write of K and V to the cache
  cache_write,      ///< write of K and V to the cache (no rotary embedding)
  gated_activation, ///< act(gate) x up
  activation,       ///< act(x)
  top_k,            ///< softmax over the router's output, and its k largest
  weighted_sum,     ///< sum of a token's rows, each times its weight
  embedding,        ///< lookup in the token table
  sampling,         ///< arg max over the logits
  copy              ///< a tensor written anew: casts, concatenations, gathered weights
};

struct RowKernel {
  RowFunction function = RowFunction::norm;
  std::int64_t rows = 0;          ///< tokens
  std::int64_t read_columns = 0;  ///< elements read per row
  std::int64_t write_columns = 0; ///< elements written per row
  DataType type = DataType::bf16;

  bool operator==(const RowKernel&) const = default;
};

/// One matrix product per expert in one kernel: y = x W_e^T (+ bias) for the rows of each expert.
/// How many rows and experts is the routing's (StepContext::routed): its pairs and experts hit.
struct GroupedGemm {
  std::int64_t n = 0; ///< output features of this shard
  std::int64_t k = 0; ///< input features of this shard
  DataType weights = DataType::bf16;
  DataType activations = DataType::bf16;
  bool bias = false;

  bool operator==(const GroupedGemm&) const = default;
};

/// A row-wise kernel over what the routing gives a rank.
struct RoutedRowKernel {
  RowFunction function = RowFunction::gated_activation;
  std::int64_t pair_columns = 0;     ///< elements read and written per (token, expert) pair
  std::int64_t token_columns = 0;    ///< per distinct token of those
  std::int64_t returned_columns = 0; ///< per row that comes back
  DataType type = DataType::bf16;

  bool operator==(const RoutedRowKernel&) const = default;
};

using Kernel = std::variant<Gemm, Attention, RowKernel, GroupedGemm, RoutedRowKernel>;

/// Whether StepContext::routed matters to the kernel.
[[nodiscard]] inline bool is_routed(const Kernel& kernel) {
  return std::holds_alternative<GroupedGemm>(kernel) ||
         std::holds_alternative<RoutedRowKernel>(kernel);
}

// ------------------------------------------------------------------------------ communication

/// One collective over the rank's own group on an axis. It starts when its last member arrives and
/// holds the stream of every member until it is done.
struct Collective {
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::string axis;  ///< name of a GroupAxis of the plan
  Bytes total_bytes; ///< the whole array: reduced, gathered (all parts) or before scattering

  bool operator==(const Collective&) const = default;
};

/// Tokens on their way between the ranks of a group: to those that have their experts (dispatch),
/// or their sums back (combine). Which rank sends how many rows to which is the routing's; whoever
/// sends in the dispatch receives in the combine. Like a collective it starts when its last member
/// arrives, and holds the stream of every member until all rows are through.
struct Exchange {
  enum class Direction { dispatch, combine };
  Direction direction = Direction::dispatch;
  std::string axis;
  Bytes row_bytes; ///< of one token

  bool operator==(const Exchange&) const = default;
};

/// One message to or from a member of the rank's own group on an axis. Both sides hold their stream
/// from their arrival until the message is through (NCCL's semantics); messages of one sender,
/// receiver and channel match in order.
struct Message {
  enum class Direction { send, receive };
  Direction direction = Direction::send;
  std::string axis;
  int peer = 0;        ///< index in the group
  std::string channel; ///< communicator: messages of different channels do not order each other
  Bytes bytes;

  bool operator==(const Message&) const = default;
};

/// Messages that progress together (ncclGroupStart ... ncclGroupEnd); usually one.
struct PointToPoint {
  std::vector<Message> messages;

  bool operator==(const PointToPoint&) const = default;
};

// ---------------------------------------------------------------------------------- operation

using BufferId = int; ///< index into Program::buffers
using StreamId = int; ///< index into Program::streams
using EventId = int;  ///< index into Program::event_count

/// One entry of a program, as it would be enqueued by CUDA: work for a stream, after waiting for
/// events, followed by the recording of events.
struct Operation {
  std::string name; ///< "qkv_proj", "all_reduce.ffn"
  int layer = -1;   ///< -1 outside the layers
  int micro_batch = -1;
  StreamId stream = 0;
  std::vector<EventId> waits =
      {}; ///< latest earlier record of each, in program order; none = no wait
  std::vector<EventId> records = {}; ///< recorded when the work is done
  std::variant<Kernel, Collective, PointToPoint, Exchange> work;
  std::vector<BufferId> reads = {};
  std::vector<BufferId> writes = {};
  bool samples = false; ///< its end is the instant at which the micro-batch's token is out
};

[[nodiscard]] inline const Kernel* as_kernel(const Operation& op) {
  return std::get_if<Kernel>(&op.work);
}

[[nodiscard]] inline const Collective* as_collective(const Operation& op) {
  return std::get_if<Collective>(&op.work);
}

[[nodiscard]] inline const PointToPoint* as_point_to_point(const Operation& op) {
  return std::get_if<PointToPoint>(&op.work);
}

[[nodiscard]] inline const Exchange* as_exchange(const Operation& op) {
  return std::get_if<Exchange>(&op.work);
}

/// Work of a kernel at a decode step (which matters to decode attention) with what the routing
/// gives the rank (which matters to routed kernels).
///
/// Formulas: GEMM 2 m n k flop; weights, inputs and outputs each move once. Attention over context
/// c with q new tokens: 2 x heads x (key size + value size) x (token pairs) flop, pairs =
/// q c - q (q - 1) / 2 (causal), or with window w the sum of min(p, w) over the positions p of the
/// new tokens; the cache that is attended to is read once per KV head. Grouped GEMM: 2 rows n k
/// flop; the weights of each expert hit move once, inputs and outputs of every row. Source: the
/// definitions of the operations; see docs/models/kernels.md and docs/models/experts.md.
[[nodiscard]] KernelWork kernel_work(const Kernel& kernel, StepContext at = {});

} // namespace decodesim
