#include "sim/json_reader.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

namespace decodesim {

using nlohmann::json;

namespace {

constexpr std::size_t largest_file_bytes = std::size_t{64} << 20; // of a model, machine or scenario

} // namespace

std::string read_text(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    throw InputError::at(path.string(), "is a folder", "give a file");
  }
  std::ifstream in{path, std::ios::binary};
  if (!in) {
    throw InputError::at(path.string(), "cannot be read", "give a file that exists");
  }
  std::string text;
  std::string block(std::size_t{1} << 16, '\0');
  while (in && text.size() <= largest_file_bytes) { // a device may never end
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    text.append(block, 0, static_cast<std::size_t>(in.gcount()));
  }
  if (text.size() > largest_file_bytes) {
    throw InputError::at(path.string(), "is larger than 64 MiB", "give a JSON file");
  }
  return text;
}

namespace {

/// Parses and refuses keys that are given twice: nlohmann would silently keep the last.
json parse_strictly(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> open_objects;
  const auto refuse_repeated = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) {
      open_objects.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      open_objects.pop_back();
    } else if (event == json::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      if (!open_objects.back().insert(key).second) {
        throw InputError::at(where, "key \"" + key + "\" is given twice", "give it once");
      }
    }
    return true;
  };
  try {
    return json::parse(text, refuse_repeated);
  } catch (const json::parse_error& problem) {
    const auto before =
        text.substr(0, std::min(text.size(), problem.byte > 0 ? problem.byte - 1 : 0));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto last_break = before.rfind('\n');
    const auto column =
        before.size() - (last_break == std::string_view::npos ? 0 : last_break + 1) + 1;
    std::string what = problem.what();
    if (const auto detail = what.find("syntax error"); detail != std::string::npos) {
      what = what.substr(detail);
    }
    throw InputError::at(where,
                         "is not valid JSON at line " + std::to_string(line) + ", column " +
                             std::to_string(column),
                         what);
  } catch (const json::out_of_range& problem) {
    throw InputError::at(where, "has a number that no double can hold", problem.what());
  }
}

} // namespace

JsonReader::JsonReader(std::shared_ptr<const json> document,
                       const json* value,
                       std::string file,
                       std::string pointer)
    : document_{std::move(document)}, value_{value}, file_{std::move(file)}, pointer_{std::move(
                                                                                 pointer)} {}

JsonReader JsonReader::open(const std::filesystem::path& path) {
  return parse(read_text(path), path.string());
}

JsonReader JsonReader::parse(std::string_view text, std::string where) {
  auto document = std::make_shared<const json>(parse_strictly(text, where));
  const auto* root = document.get();
  return JsonReader{std::move(document), root, std::move(where), ""};
}

std::string JsonReader::where() const { return file_ + ": " + (pointer_.empty() ? "/" : pointer_); }

InputError JsonReader::error(std::string_view found, std::string_view allowed) const {
  return InputError::at(where(), found, allowed);
}

JsonReader JsonReader::at(const std::string& key) const {
  auto member = find(key);
  if (!member) {
    throw error("has no \"" + key + "\"", "it is required");
  }
  return *member;
}

std::optional<JsonReader> JsonReader::find(const std::string& key) const {
  if (!value_->is_object()) {
    throw error(std::string{"is a "} + value_->type_name(), "an object is expected");
  }
  const auto member = value_->find(key);
  if (member == value_->end()) {
    return std::nullopt;
  }
  return JsonReader{document_, &*member, file_, pointer_ + "/" + key};
}

std::vector<std::string> JsonReader::keys() const {
  std::vector<std::string> names;
  if (!value_->is_object()) {
    throw error(std::string{"is a "} + value_->type_name(), "an object is expected");
  }
  for (const auto& [key, ignored] : value_->items()) {
    names.push_back(key);
  }
  return names;
}

std::vector<JsonReader> JsonReader::elements() const {
  if (!value_->is_array()) {
    throw error(std::string{"is a "} + value_->type_name(), "an array is expected");
  }
  std::vector<JsonReader> all;
  for (std::size_t i = 0; i < value_->size(); ++i) {
    all.push_back(JsonReader{document_, &(*value_)[i], file_, pointer_ + "/" + std::to_string(i)});
  }
  return all;
}

bool JsonReader::is_string() const { return value_->is_string(); }

bool JsonReader::is_array() const { return value_->is_array(); }

bool JsonReader::is_object() const { return value_->is_object(); }

bool JsonReader::is_number() const { return value_->is_number(); }

bool JsonReader::is_null() const { return value_->is_null(); }

std::string JsonReader::as_string() const {
  if (!value_->is_string()) {
    throw error("is " + value_->dump(), "a string is expected");
  }
  return value_->get<std::string>();
}

bool JsonReader::as_bool() const {
  if (!value_->is_boolean()) {
    throw error("is " + value_->dump(), "true or false is expected");
  }
  return value_->get<bool>();
}

std::int64_t JsonReader::as_integer(std::int64_t least, std::int64_t most) const {
  const auto allowed = most == std::numeric_limits<std::int64_t>::max()
                           ? "a whole number of at least " + std::to_string(least) + " is expected"
                           : "a whole number from " + std::to_string(least) + " to " +
                                 std::to_string(most) + " is expected";
  if (!value_->is_number_integer() ||
      (value_->is_number_unsigned() &&
       value_->get<std::uint64_t>() >
           static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))) {
    throw error("is " + value_->dump(), allowed);
  }
  const auto number = value_->get<std::int64_t>();
  if (number < least || number > most) {
    throw error("is " + std::to_string(number), allowed);
  }
  return number;
}

double JsonReader::as_number() const {
  if (!value_->is_number() || !std::isfinite(value_->get<double>())) {
    throw error("is " + value_->dump(), "a finite number is expected");
  }
  return value_->get<double>();
}

void JsonReader::allow_only(const std::vector<std::string>& known) const {
  for (const auto& key : keys()) {
    if (!key.starts_with("_") && std::find(known.begin(), known.end(), key) == known.end()) {
      throw InputError::unknown_name(where(), "key", key, known);
    }
  }
}

} // namespace decodesim
