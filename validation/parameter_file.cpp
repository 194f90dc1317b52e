#include "validation/parameter_file.hpp"

#include <nlohmann/json.hpp>

namespace decodesim {

namespace {

using Json = nlohmann::ordered_json;

void write(std::string& out, const Json& value, const std::string& indent) {
  if (value.is_array()) {
    out += "[";
    for (std::size_t i = 0; i < value.size(); ++i) {
      out += (i > 0 ? ", " : "") + value[i].dump();
    }
    out += "]";
    return;
  }
  if (!value.is_object() || value.empty()) {
    out += value.dump();
    return;
  }
  if (value.contains("value")) {
    out += "{\"value\": " + value.at("value").dump() + ", \"unit\": " + value.at("unit").dump() +
           ", \"kind\": " + value.at("kind").dump() + ",\n" + indent +
           " \"source\": " + value.at("source").dump() + "}";
    return;
  }
  out += "{\n";
  bool first = true;
  for (const auto& [key, member] : value.items()) {
    out += (first ? "" : ",\n") + indent + "  " + Json(key).dump() + ": ";
    write(out, member, indent + "  ");
    first = false;
  }
  out += "\n" + indent + "}";
}

} // namespace

std::string parameter_text(const Json& file) {
  std::string text;
  write(text, file, "");
  return text + "\n";
}

} // namespace decodesim
