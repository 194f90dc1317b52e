#include "sim/model/hf_keys.hpp"

#include "sim/error.hpp"

namespace decodesim::hf {

std::optional<JsonReader> find_value(const JsonReader& config, const std::string& key) {
  auto member = config.find(key);
  return member && !member->is_null() ? member : std::nullopt;
}

int size_from(const JsonReader& value, std::int64_t most) {
  return static_cast<int>(value.as_integer(1, most));
}

bool flag(const JsonReader& config, const std::string& key, bool absent) {
  const auto member = find_value(config, key);
  return member ? member->as_bool() : absent;
}

Size size_at(const JsonReader& config,
             std::initializer_list<const char*> keys,
             std::int64_t most,
             std::optional<int> absent) {
  std::optional<Size> found;
  for (const std::string key : keys) {
    const auto member = find_value(config, key);
    if (!member) {
      continue;
    }
    const int value = size_from(*member, most);
    if (found && found->value != value) {
      throw member->error("is " + std::to_string(value),
                          found->key + " says " + std::to_string(found->value) +
                              " for the same size");
    }
    if (!found) {
      found = Size{*member, key, value};
    }
  }
  if (found) {
    return *found;
  }
  if (absent) {
    return {config, *keys.begin(), *absent};
  }
  std::string others;
  for (const auto* key = keys.begin() + 1; key < keys.end(); ++key) {
    others += std::string{" or \""} + *key + "\"";
  }
  throw config.error(std::string{"has no \""} + *keys.begin() + "\"" + others, "it is required");
}

int shared_head_size(const Size& hidden, const Size& heads, std::string_view unless) {
  if (hidden.value % heads.value != 0) {
    throw hidden.place.error("is " + std::to_string(hidden.value),
                             std::string{unless} + "a multiple of " + heads.key + " (" +
                                 std::to_string(heads.value) + ") is expected");
  }
  return hidden.value / heads.value;
}

int kv_heads_of(const JsonReader& config,
                const Size& heads,
                std::optional<int> absent,
                const std::string& key) {
  const auto member = config.find(key);
  if (!member) {
    const int kv_heads = absent.value_or(heads.value);
    if (heads.value % kv_heads != 0) {
      throw config.error("has no \"" + key + "\"",
                         "its default of " + std::to_string(kv_heads) + " does not divide " +
                             heads.key + " (" + std::to_string(heads.value) + ")");
    }
    return kv_heads;
  }
  if (member->is_null()) {
    return heads.value;
  }
  const int kv_heads = size_from(*member, most_heads);
  if (heads.value % kv_heads != 0) {
    throw member->error("is " + std::to_string(kv_heads),
                        "a divisor of " + heads.key + " (" + std::to_string(heads.value) +
                            ") is expected");
  }
  return kv_heads;
}

int head_size_of(const JsonReader& config,
                 const Size& hidden,
                 const Size& heads,
                 std::optional<int> absent) {
  const auto member = config.find("head_dim");
  if (!member && absent) {
    return *absent;
  }
  if (!member || member->is_null()) {
    return shared_head_size(hidden, heads, "without \"head_dim\" ");
  }
  return size_from(*member, most_query_size / heads.value);
}

} // namespace decodesim::hf
