#include "strategies/shard.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <string>

namespace decodesim {

namespace {

/// The model whose layers are those of the shard.
Model part_of(const Model& model, const Shard& shard) {
  auto part = model;
  part.heads = shard.heads;
  part.kv_heads = shard.kv_heads;
  part.ffn_size = static_cast<int>(shard.ffn);
  if (part.moe) {
    part.moe->expert_ffn_size /= shard.shards;
    part.moe->shared_ffn_size /= shard.shards;
  }
  return part;
}

} // namespace

Shard::Shard(const Model& model, int count)
    : shards{count}, heads{model.heads / count}, kv_heads{std::max(1, model.kv_heads / count)},
      ffn{model.ffn_size / count}, vocabulary{(std::int64_t{model.vocabulary_size} + count - 1) /
                                              count} {}

void validate_shards(const Model& model, int shards) {
  const auto require = [&](int value, const char* what) {
    if (value % shards != 0) {
      throw LayoutError{model.name + " has " + std::to_string(value) + " " + what +
                        ", which tp = " + std::to_string(shards) + " does not divide"};
    }
  };
  require(model.heads, "attention heads");
  require(model.ffn_size, "FFN columns");
  if (model.kv_heads % shards != 0 && shards % model.kv_heads != 0) {
    throw LayoutError{model.name + " has " + std::to_string(model.kv_heads) +
                      " KV heads, which can be neither divided by nor replicated over tp = " +
                      std::to_string(shards)};
  }
}

ParameterCount attention_parameters(const Model& model, const Shard& shard) {
  return attention_parameters(part_of(model, shard));
}

ParameterCount layer_parameters(const Model& model, int layer, const Shard& shard) {
  return layer_parameters(part_of(model, shard), layer);
}

} // namespace decodesim
