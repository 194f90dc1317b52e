#include "sim/network/custom/engine_kernels.hpp"

#include "sim/data_files.hpp"
#include "sim/network/nccl/link_calibration.hpp"
#include "sim/sourced_json.hpp"

#include <cstdlib>
#include <map>

namespace decodesim::custom {

namespace {

KernelCost read_cost(const JsonReader& json) {
  json.allow_only({"residuals", "base", "per_peer", "bandwidth"});
  return {.base = read_seconds(json.at("base")).value,
          .per_peer = read_seconds(json.at("per_peer")).value,
          .bandwidth = read_bytes_per_second(json.at("bandwidth")).value};
}

EngineKernels read_kernels(const JsonReader& json) {
  json.allow_only({"transport",
                   "compute_capability",
                   "machine_bandwidth",
                   "wires",
                   "one_shot",
                   "two_shot",
                   "multimem"});
  EngineKernels kernels{
      .transport = nccl::read_transport(json.at("transport")),
      .compute_capability = nccl::read_compute_capability(json.at("compute_capability")),
      .machine_bandwidth = read_bytes_per_second(json.at("machine_bandwidth")).value,
      .wires = read_seconds(json.at("wires")).value,
      .one_shot = read_cost(json.at("one_shot")),
      .two_shot = {},
      .multimem = {}};
  if (const auto two_shot = json.find("two_shot")) {
    kernels.two_shot = read_cost(*two_shot);
  }
  if (const auto multimem = json.find("multimem")) {
    kernels.multimem = read_cost(*multimem);
  }
  return kernels;
}

const std::vector<EngineKernels>& all_of(const std::string& name) {
  static std::map<std::string, std::vector<EngineKernels>> engines;
  const auto [engine, added] = engines.try_emplace(name);
  if (added) {
    const auto file =
        JsonReader::open(data_root() / "sim" / "network" / "custom" / "fits" / (name + ".json"));
    file.allow_only({"format_version", "name", "summary", "kernels"});
    (void)file.at("format_version").as_integer(1, 1);
    for (const auto& one : file.at("kernels").elements()) {
      engine->second.push_back(read_kernels(one));
    }
  }
  return engine->second;
}

} // namespace

std::optional<EngineKernels>
engine_kernels(const std::string& name, Transport transport, int compute_capability) {
  const EngineKernels* nearest = nullptr;
  const auto distance = [&](const EngineKernels& one) {
    const int later = one.compute_capability - compute_capability;
    return 2 * std::abs(later) - (later > 0 ? 1 : 0);
  };
  for (const auto& one : all_of(name)) {
    if (one.transport == transport && (nearest == nullptr || distance(one) < distance(*nearest))) {
      nearest = &one;
    }
  }
  return nearest == nullptr ? std::nullopt : std::optional{*nearest};
}

} // namespace decodesim::custom
