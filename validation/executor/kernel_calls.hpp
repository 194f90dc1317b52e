#pragma once

#include "sim/model/data_type.hpp"
#include "sim/model/model.hpp"
#include "validation/executor/expert_rows.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

/// The kernels of a plan with everything that a device needs to run them: addresses, sizes, tables.
/// Matrices are row-major. A token id takes the 4 bytes of an fp32 element.
namespace decodesim {

/// Part of a device's memory.
struct Array {
  void* data = nullptr; ///< on the device
  DataType type = DataType::bf16;
  std::int64_t elements = 0; ///< that may be touched
};

[[nodiscard]] inline std::size_t bytes_of(std::int64_t elements, DataType type) {
  return static_cast<std::size_t>(static_cast<double>(elements) * element_bytes(type).value());
}

/// Address `elements` into the array.
[[nodiscard]] inline void* address_in(const Array& array, std::int64_t elements) {
  return static_cast<std::byte*>(array.data) + bytes_of(elements, array.type);
}

/// Which rows of a matrix are read: first, first + step, ...
struct RowChoice {
  std::int64_t first = 0;
  std::int64_t step = 1;
};

/// y[m, n] = x[m, k] w[n, k]^T (+ bias[n])
struct ProductCall {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  Array x;
  RowChoice rows; ///< of x
  Array w;
  std::optional<Array> bias;
  Array y;
  float largest_weight = 0; ///< what 127 stands for in int8 weights
};

/// sum = x (+ added); y = norm(sum) times weight (+ bias: the second half of the weights).
struct NormCall {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  NormKind kind = NormKind::rms_norm;
  Array x;
  std::optional<Array> added;
  RowChoice chosen; ///< rows of x and added
  Array weight;
  Array y;
  std::optional<Array> sum;
};

/// RMS norm over each query and key head, in place in the rows of qkv.
struct HeadNormCall {
  std::int64_t rows = 0;
  int heads = 0; ///< of queries and keys together
  int query_heads = 0;
  int head_size = 0;
  std::int64_t row_columns = 0; ///< elements of a row of qkv
  bool per_head = false;        ///< weights [heads, head size], else [2, head size]: queries, keys
  Array qkv;
  Array weight;
};

/// Where a pass's keys and values lie: cache [2, sequences, tokens, KV heads, head size].
struct CachePlace {
  Array cache;
  std::int64_t sequences = 0;      ///< of the whole cache
  std::int64_t tokens = 0;         ///< room of each
  std::int64_t first_sequence = 0; ///< of the pass
};

/// Keys and values of qkv[rows, q + 2 kv] to the cache; with `rotates` queries and keys are rotated
/// in place first. Row r is token r mod `query_tokens` of sequence r / `query_tokens`.
struct CacheWriteCall {
  std::int64_t rows = 0;
  std::int64_t query_tokens = 1;
  std::int64_t first_position = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_size = 0;
  bool rotates = false;
  Array qkv;
  CachePlace to;
};

/// Causal attention of the queries in qkv over the cache.
struct AttentionCall {
  std::int64_t sequences = 0;
  std::int64_t query_tokens = 1;
  std::int64_t context_tokens = 0; ///< new ones included
  int heads = 0;
  int kv_heads = 0;
  int head_size = 0;
  Array qkv;
  CachePlace from;
  Array out; ///< [sequences x query tokens, heads x head size]
};

/// out[rows, columns] = silu(in[:, :columns]) in[:, columns:] when gated, else gelu(in).
struct ActivationCall {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  bool gated = true;
  Array in;
  Array out;
};

/// out = in[0] + in[1]; in[0] times sigmoid(gate[row]) when there is a gate.
struct SumCall {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  Array in[2];
  std::optional<Array> gate;
  Array out;
};

/// Reads the router's logits of each token and writes the experts of the plan's table, then their
/// weights, 1 / k each: [rows, 2 k].
struct TopKCall {
  std::int64_t rows = 0;
  int experts = 0;
  int k = 0;
  Array logits;
  Array out;
  std::shared_ptr<const ExpertTables> tables;
};

/// One product per expert for its rows of ExpertRows::sources. The second product of an expert
/// reads the rows that the first one wrote, in the same order.
struct GroupedProductCall {
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool second = false;
  std::optional<Array> own;      ///< rows of the rank's own tokens; of the second product: all rows
  std::optional<Array> received; ///< rows that others sent
  Array w;                       ///< [slots, n, k]
  std::optional<Array> bias;     ///< [slots, n]
  Array y;                       ///< [pairs, n]
  float largest_weight = 0;      ///< what 127 stands for in int8 weights
  std::shared_ptr<const ExpertTables> tables;
};

/// Sums of the rows of each token, each times 1 / k: own tokens and received ones.
struct ExpertSumCall {
  std::int64_t columns = 0;
  int k = 0;
  Array rows; ///< [pairs, columns]
  std::optional<Array> own;
  std::optional<Array> received;
  std::shared_ptr<const ExpertTables> tables;
};

/// Adds the sums that came back to those of the rank's own tokens.
struct CombineSumCall {
  std::int64_t columns = 0;
  Array returned;
  Array sums;
  std::shared_ptr<const ExpertTables> tables;
};

/// Rows of `x` that are sent, one receiver's after another.
struct PackRowsCall {
  std::int64_t columns = 0;
  Array x;
  Array out;
  std::shared_ptr<const ExpertTables> tables;
};

/// Rows of the token table; zero for tokens outside of this rank's part of it.
struct EmbeddingCall {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t first_token = 0; ///< of this rank's part of the table
  std::int64_t table_rows = 0;
  Array tokens;
  Array table;
  std::optional<Array> positions; ///< learned; added by one rank of those that are summed
  std::int64_t query_tokens = 1;
  std::int64_t first_position = 0;
  Array out;
};

/// Index of the largest logit of each row. Logits lie as [parts, rows, part columns].
struct SamplingCall {
  std::int64_t rows = 0;
  std::int64_t vocabulary = 0;
  std::int64_t parts = 1;
  std::int64_t part_columns = 0;
  Array logits;
  Array sampled;
  std::optional<Array> next_tokens; ///< where the same rank's embedding reads them
};

/// Reads each element of an array and writes it back.
struct CopyCall {
  Array array;
};

using KernelCall = std::variant<ProductCall,
                                NormCall,
                                HeadNormCall,
                                CacheWriteCall,
                                AttentionCall,
                                ActivationCall,
                                SumCall,
                                TopKCall,
                                GroupedProductCall,
                                ExpertSumCall,
                                CombineSumCall,
                                PackRowsCall,
                                EmbeddingCall,
                                SamplingCall,
                                CopyCall>;

} // namespace decodesim
