#include "validation/collective_systems.hpp"

#include "sim/data_files.hpp"
#include "sim/json_reader.hpp"

#include <array>
#include <utility>

namespace decodesim {

namespace {

LaunchStyle read_launch(const JsonReader& json) {
  constexpr std::array styles{std::pair{"processes", LaunchStyle::processes},
                              std::pair{"one_process", LaunchStyle::one_process},
                              std::pair{"eager", LaunchStyle::eager}};
  for (const auto& [name, style] : styles) {
    if (json.as_string() == name) {
      return style;
    }
  }
  throw json.error("is \"" + json.as_string() + "\"", "processes, one_process or eager");
}

void read_into(SystemDescription& system, const JsonReader& json) {
  const auto text = [&](const char* key, std::string& member) {
    if (const auto value = json.find(key)) {
      member = value->as_string();
    }
  };
  text("machine", system.machine);
  text("fabric", system.fabric);
  text("collectives", system.collectives);
  text("reason", system.reason);
  if (const auto launch = json.find("launch")) {
    system.launch = read_launch(*launch);
  }
  if (const auto clean = json.find("clean")) {
    system.clean = clean->as_bool();
  }
}

JsonReader systems_file() {
  return JsonReader::open(data_root() / "validation" / "data" / "systems.json");
}

} // namespace

std::optional<SystemDescription> find_system(const std::string& name, const std::string& run) {
  for (const auto& entry : systems_file().at("systems").elements()) {
    entry.allow_only(
        {"system", "machine", "fabric", "collectives", "launch", "reason", "clean", "runs"});
    if (entry.at("system").as_string() != name) {
      continue;
    }
    SystemDescription system;
    read_into(system, entry);
    if (const auto runs = entry.find("runs")) {
      for (const auto& one : runs->elements()) {
        one.allow_only({"run", "machine", "fabric", "collectives", "launch", "reason"});
        if (one.at("run").as_string() == run) {
          read_into(system, one);
        }
      }
    }
    return system;
  }
  return std::nullopt;
}

std::optional<SystemDescription> system_of_device(const std::string& device) {
  for (const auto& entry : systems_file().at("devices").elements()) {
    entry.allow_only({"device", "machine", "shared"});
    if (device.find(entry.at("device").as_string()) != std::string::npos) {
      SystemDescription system{.machine = entry.at("machine").as_string()};
      if (const auto shared = entry.find("shared")) {
        system.shared_machine = shared->as_string();
      }
      return system;
    }
  }
  return std::nullopt;
}

Seconds launch_time(LaunchStyle style, int gpus_per_node) {
  constexpr Seconds next_gpu{3.9e-6};
  constexpr Seconds dispatch{20e-6};
  switch (style) {
  case LaunchStyle::processes:
    return {};
  case LaunchStyle::one_process:
    return (gpus_per_node - 1.0) * next_gpu;
  case LaunchStyle::eager:
    return dispatch;
  }
  return {};
}

} // namespace decodesim
