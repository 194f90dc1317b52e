#pragma once

#include "sim/model/parameters.hpp"

#include <cstdint>

namespace decodesim {

/// Sizes of one rank's part of a model whose matrices are cut over `shards` ranks.
struct Shard {
  int shards = 1;
  int heads = 0;
  int kv_heads = 0; ///< at least 1: KV heads are replicated when shards > KV heads
  std::int64_t ffn = 0;
  std::int64_t vocabulary = 0; ///< rounded up: the table is padded

  Shard(const Model& model, int shards);
};

/// @throws LayoutError when heads, KV heads or a dense FFN cannot be divided
void validate_shards(const Model& model, int shards);

/// Parameters of attention in one shard, norms whole; of latent attention the projections to the
/// latents too, whose outputs all heads share.
[[nodiscard]] ParameterCount attention_parameters(const Model& model, const Shard& shard);

/// Parameters of one layer in one shard, norms and routers whole, each expert cut like an FFN.
[[nodiscard]] ParameterCount layer_parameters(const Model& model, int layer, const Shard& shard);

} // namespace decodesim
