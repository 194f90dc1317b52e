#include "topologies/fabric.hpp"

#include "sim/data_files.hpp"
#include "sim/sourced_json.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace decodesim {

namespace {

constexpr int most_ports = 10'000;
constexpr int most_oversubscription = 100;

constexpr std::array<std::pair<FabricKind, const char*>, 3> fabric_kinds{
    {{FabricKind::single_switch, "single-switch"},
     {FabricKind::fat_tree, "fat-tree"},
     {FabricKind::rail_optimized, "rail-optimized"}}};

/// A whole number from 1 to `most` that is all of `text`.
std::optional<int> whole_number(std::string_view text, int most) {
  int number = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc{} || stop != end || number < 1 || number > most) {
    return std::nullopt;
  }
  return number;
}

bool begins_with_digit(const std::string& text) {
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

void read_ports(const std::string& option, Fabric& fabric, const std::string& where) {
  const auto ports = whole_number(std::string_view{option}.substr(5), most_ports);
  if (!ports || *ports < 2) {
    throw InputError::at(where,
                         "has the option \"" + option + "\"",
                         "ports2 to ports" + std::to_string(most_ports) + " are expected");
  }
  fabric.ports = *ports;
}

void read_oversubscription(const std::string& option, Fabric& fabric, const std::string& where) {
  const auto to = std::min(option.find("to"), option.size());
  const auto down = whole_number(std::string_view{option}.substr(0, to), most_oversubscription);
  const auto up = to == option.size() ? std::nullopt
                                      : whole_number(std::string_view{option}.substr(to + 2),
                                                     most_oversubscription);
  if (!down || !up || *down < *up) {
    throw InputError::at(where,
                         "has the option \"" + option + "\"",
                         "an oversubscription is written as 2to1, from 1to1 to " +
                             std::to_string(most_oversubscription) + "to1");
  }
  fabric.down = *down;
  fabric.up = *up;
}

FabricKind kind_named(const std::string& name, const std::string& where) {
  for (const auto& [kind, known] : fabric_kinds) {
    if (name == known) {
      return kind;
    }
  }
  throw InputError::unknown_name(where, "fabric", name, fabric_names());
}

} // namespace

Network find_network(const std::string& name, const std::string& where) {
  const auto path = find_data_file(DataKind::network, name);
  if (path.empty()) {
    throw InputError::unknown_name(where, "network", name, data_file_names(DataKind::network));
  }
  const auto json = JsonReader::open(path);
  json.allow_only({"format_version",
                   "name",
                   "summary",
                   "switch_ports",
                   "bandwidth",
                   "latency",
                   "switch_latency",
                   "transport"});
  (void)json.at("format_version").as_integer(1, 1);
  const auto transport = json.at("transport");
  transport.allow_only({"base", "hop", "bandwidth"});
  return {.name = json.at("name").as_string(),
          .summary = json.at("summary").as_string(),
          .bandwidth = read_bytes_per_second(json.at("bandwidth")),
          .latency = read_seconds(json.at("latency")),
          .switch_latency = read_seconds(json.at("switch_latency")),
          .switch_ports = static_cast<int>(json.at("switch_ports").as_integer(2, most_ports)),
          .transport = {read_seconds(transport.at("base")),
                        read_seconds(transport.at("hop")),
                        read_bytes_per_second(transport.at("bandwidth"))}};
}

Fabric parse_fabric(const std::string& text, const std::string& where) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(':', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  Fabric fabric{.kind = kind_named(parts.front(), where)};
  bool has_ports = false;
  bool has_oversubscription = false;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto& option = parts[i];
    const bool is_ports = option.starts_with("ports");
    const bool is_oversubscription = begins_with_digit(option);
    if (fabric.kind == FabricKind::single_switch && (is_ports || is_oversubscription)) {
      throw InputError::at(where,
                           "has the option \"" + option + "\"",
                           "a single switch never blocks, whatever its ports; use fat-tree or "
                           "rail-optimized");
    }
    if (is_ports              ? std::exchange(has_ports, true)
        : is_oversubscription ? std::exchange(has_oversubscription, true)
                              : !fabric.network.empty()) {
      throw InputError::at(where, "has the option \"" + option + "\" beside another of its sort");
    }
    if (is_ports) {
      read_ports(option, fabric, where);
    } else if (is_oversubscription) {
      read_oversubscription(option, fabric, where);
    } else {
      fabric.network = find_network(option, where).name;
    }
  }
  return fabric;
}

std::string to_string(const Fabric& fabric) {
  std::string text;
  for (const auto& [kind, name] : fabric_kinds) {
    if (kind == fabric.kind) {
      text = name;
    }
  }
  if (!fabric.network.empty()) {
    text += ":" + fabric.network;
  }
  if (fabric.ports > 0) {
    text += ":ports" + std::to_string(fabric.ports);
  }
  if (fabric.down != fabric.up) {
    text += ":" + std::to_string(fabric.down) + "to" + std::to_string(fabric.up);
  }
  return text;
}

std::vector<std::string> fabric_names() {
  std::vector<std::string> names;
  for (const auto& entry : fabric_kinds) {
    names.emplace_back(entry.second);
  }
  return names;
}

} // namespace decodesim
