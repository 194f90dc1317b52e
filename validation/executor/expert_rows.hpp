#pragma once

#include "sim/plan/expert_loads.hpp"

#include <cstdint>
#include <vector>

namespace decodesim {

/// What the routing table gives one rank to do in one layer, in one pass of one micro-batch: row by
/// row what RoutedWork and SentRows count.
struct ExpertRows {
  std::int64_t tokens = 0;             ///< of the rank's own pass
  std::int64_t received = 0;           ///< rows that others send, by sender, then token
  std::vector<std::int32_t> chosen;    ///< [tokens, k]: experts of the own tokens
  std::vector<std::int32_t> sources;   ///< of each pair, by slot: own token t is t, received row r
                                       ///< is tokens + r
  std::vector<std::int32_t> slot_rows; ///< pairs of each expert that the rank has a place for
  /// Pairs of each token, own ones first, then received ones: those of token t are sum_pairs from
  /// sum_begin[t] to sum_begin[t + 1].
  std::vector<std::int32_t> sum_begin;
  std::vector<std::int32_t> sum_pairs;
  std::vector<std::int32_t> sent_tokens;    ///< own tokens that are sent, by receiver, then token
  std::vector<std::int64_t> sent_to;        ///< how many to each member
  std::vector<std::int64_t> received_from;  ///< how many from each member
  std::vector<std::int32_t> returned_begin; ///< as sum_begin, of own tokens: the rows that come
  std::vector<std::int32_t> returned_rows;  ///< back for each; row i is of sent_tokens[i]
};

/// @param step        decode step; 0 in the prologue
/// @param new_tokens  of each sequence: the prompt in the prologue, 1 in the body
[[nodiscard]] ExpertRows expert_rows(const ExpertLoads& loads,
                                     int rank,
                                     Part part,
                                     int step,
                                     int layer,
                                     int micro_batch,
                                     std::int64_t new_tokens);

/// Expert in each slot of a rank's expert matrices of a layer: those at home on its ep index by
/// number, then copies by number.
[[nodiscard]] std::vector<int> expert_of_slot(const ExpertLoads& loads, int rank, int layer);

/// ExpertRows in the device's memory.
struct ExpertTables {
  ExpertRows rows;
  const std::int32_t* chosen = nullptr;
  const std::int32_t* sources = nullptr;
  const std::int32_t* sum_begin = nullptr;
  const std::int32_t* sum_pairs = nullptr;
  const std::int32_t* sent_tokens = nullptr;
  const std::int32_t* returned_begin = nullptr;
  const std::int32_t* returned_rows = nullptr;
};

} // namespace decodesim
