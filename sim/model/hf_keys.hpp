#pragma once

#include "sim/json_reader.hpp"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

/// Sizes and flags out of a `config.json`, each checked against what a model can have.
namespace decodesim::hf {

// Far above any published model, and low enough that counts stay within 64 bits: a layer has at
// most 4 x 1e6 x 1e7 attention and 3 x 1e6 x 1e7 feed-forward elements, 1e4 layers 7e17. Experts
// are checked together (hf_experts.cpp).
inline constexpr std::int64_t most_layers = 10'000;
inline constexpr std::int64_t most_hidden = 1'000'000;
inline constexpr std::int64_t most_heads = 100'000;
inline constexpr std::int64_t most_query_size = 10'000'000;
inline constexpr std::int64_t most_ffn = 10'000'000;
inline constexpr std::int64_t most_experts = 100'000;
inline constexpr std::int64_t most_vocabulary = 100'000'000;
inline constexpr std::int64_t most_positions = std::numeric_limits<int>::max();

/// Member of an object; null counts as absent, as in transformers.
[[nodiscard]] std::optional<JsonReader> find_value(const JsonReader& config,
                                                   const std::string& key);

/// A whole number from 1 to `most`.
[[nodiscard]] int size_from(const JsonReader& value, std::int64_t most);

[[nodiscard]] bool flag(const JsonReader& config, const std::string& key, bool absent);

/// A size, and the key that it was read from.
struct Size {
  JsonReader place;
  std::string key;
  int value = 0;
};

/// A size that a family writes under any of several keys. Absent: `absent` when that is given.
/// @throws InputError when two of the keys differ, or none is there and `absent` is not given
[[nodiscard]] Size size_at(const JsonReader& config,
                           std::initializer_list<const char*> keys,
                           std::int64_t most,
                           std::optional<int> absent = {});

/// @param absent  what transformers takes for an absent key; empty = as many as heads
/// @throws InputError when they do not divide the heads
[[nodiscard]] int kv_heads_of(const JsonReader& config,
                              const Size& heads,
                              std::optional<int> absent,
                              const std::string& key = "num_key_value_heads");

/// Head size of models whose heads share the hidden size out evenly.
/// @throws InputError when they cannot
[[nodiscard]] int shared_head_size(const Size& hidden, const Size& heads, std::string_view unless);

/// `head_dim`, else `absent`, else an even share of the hidden size.
[[nodiscard]] int head_size_of(const JsonReader& config,
                               const Size& hidden,
                               const Size& heads,
                               std::optional<int> absent);

} // namespace decodesim::hf
