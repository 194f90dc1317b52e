#pragma once

#include "sim/model/model.hpp"
#include "sim/plan/plan.hpp"
#include "validation/executor/rank_place.hpp"

#include <cstdint>
#include <vector>

namespace decodesim {

/// Part of a shard that is one block of one whole matrix. Element (r, c) is
/// `middle` + `spread` x weight_value(seed, (first_row + r) x whole_columns + first_column + c), so
/// that every layout has the same weights.
struct WeightPiece {
  std::int64_t offset = 0; ///< elements before it in the shard
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t first_row = 0; ///< in the whole matrix
  std::int64_t first_column = 0;
  std::int64_t whole_columns = 0;
  std::uint64_t seed = 0;
  float middle = 0.0F;
  float spread = 0.0F;
};

/// The shard of a rank that a buffer holds, piece by piece; padding (the rows of the token table
/// beyond the vocabulary) has none and stays zero.
///
/// Matrices with k inputs are uniform with variance 1 / k, so that activations keep their size;
/// norms have weights around 1, biases are around 0. The bias behind a matrix that is cut by
/// columns is on the first rank alone, since the ranks' outputs are summed.
/// @param buffer  of kind weights or gathered_part
/// @throws SimulationError when the plan names a tensor that is not known here
[[nodiscard]] std::vector<WeightPiece>
weight_pieces(const Buffer& buffer, const Model& model, const RankPlace& place);

/// Token ids of the prompts, equal for all layouts.
/// @param sequence  numbered over the whole batch
[[nodiscard]] std::int32_t
prompt_token(const Model& model, std::int64_t sequence, std::int64_t position);

} // namespace decodesim
