#pragma once

#include "sim/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace decodesim {

/// A place in a JSON file that was read: every wrong value is reported with file and JSON pointer,
/// what was found and what is allowed.
///
/// Cheap to copy: all places of a file share the parsed document.
class JsonReader {
public:
  /// @throws InputError when the file cannot be read, is not JSON (with line and column), or an
  ///         object in it names a key twice
  [[nodiscard]] static JsonReader open(const std::filesystem::path& path);
  /// @param where  stands for the file's name in messages
  [[nodiscard]] static JsonReader parse(std::string_view text, std::string where);

  /// Member of an object. @throws InputError when this is no object or has no such member.
  [[nodiscard]] JsonReader at(const std::string& key) const;
  [[nodiscard]] std::optional<JsonReader> find(const std::string& key) const;

  [[nodiscard]] bool has(const std::string& key) const { return find(key).has_value(); }

  [[nodiscard]] std::vector<std::string> keys() const;
  /// Elements of an array.
  [[nodiscard]] std::vector<JsonReader> elements() const;

  [[nodiscard]] bool is_string() const;
  [[nodiscard]] bool is_array() const;
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_number() const;
  [[nodiscard]] bool is_null() const;

  [[nodiscard]] std::string as_string() const;
  [[nodiscard]] bool as_bool() const;
  /// A whole number within [least, most].
  [[nodiscard]] std::int64_t
  as_integer(std::int64_t least,
             std::int64_t most = std::numeric_limits<std::int64_t>::max()) const;
  /// A finite number.
  [[nodiscard]] double as_number() const;

  /// Unknown keys are errors, with the nearest known key suggested. Keys that start with "_" are
  /// comments and always allowed.
  void allow_only(const std::vector<std::string>& known) const;

  /// "FILE: /pointer", for messages.
  [[nodiscard]] std::string where() const;
  /// An error about this place.
  [[nodiscard]] InputError error(std::string_view found, std::string_view allowed = {}) const;

private:
  JsonReader(std::shared_ptr<const nlohmann::json> document,
             const nlohmann::json* value,
             std::string file,
             std::string pointer);

  std::shared_ptr<const nlohmann::json> document_;
  const nlohmann::json* value_;
  std::string file_;
  std::string pointer_;
};

/// Text of a whole file. @throws InputError when it cannot be read
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

} // namespace decodesim
