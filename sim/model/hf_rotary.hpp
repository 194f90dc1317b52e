#pragma once

#include "sim/json_reader.hpp"
#include "sim/model/model.hpp"

#include <optional>

namespace decodesim::hf {

/// What transformers takes for a key that is absent; empty stands for a value that follows from
/// other keys (as many KV heads as heads; hidden size / heads) or is required.
struct RotaryDefaults {
  std::optional<int> kv_heads = {};
  std::optional<int> head_size = {};
  std::optional<int> heads = {};
  std::optional<int> vocabulary_size = {};
  bool tied_embeddings = false;
};

/// Llama's layer, which most later families share: RMS norms, rotary positions, grouped-query
/// attention and a gated feed-forward network.
/// @param ffn_required  whether `intermediate_size` must be there
[[nodiscard]] Model rotary_gated_model(const JsonReader& config,
                                       const RotaryDefaults& absent,
                                       bool ffn_required = true);

} // namespace decodesim::hf
