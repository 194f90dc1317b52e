#include "sim/network/custom/exchange_kernels.hpp"

#include "sim/data_files.hpp"
#include "sim/network/nccl/link_calibration.hpp"
#include "sim/sourced_json.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

namespace decodesim::custom {

namespace {

struct ReadCost {
  ExchangeCost cost;
  double bytes_ratio = 1.0;
};

struct Measured {
  Transport transport = Transport::nvlink;
  int compute_capability = 90;
  BytesPerSecond machine_bandwidth;
  ReadCost dispatch;
  ReadCost combine;
};

ReadCost read_cost(const JsonReader& json) {
  json.allow_only({"residuals", "base", "per_peer", "bandwidth", "bytes_ratio"});
  ReadCost cost{.cost = {.base = read_seconds(json.at("base")).value,
                         .per_peer = read_seconds(json.at("per_peer")).value,
                         .bandwidth = read_bytes_per_second(json.at("bandwidth")).value}};
  if (const auto ratio = json.find("bytes_ratio")) {
    cost.bytes_ratio = read_ratio(*ratio).value;
  }
  return cost;
}

struct Kernels {
  bool copies = false;
  std::vector<Measured> measured;
};

const Kernels& kernels_of(const std::string& name) {
  static std::map<std::string, Kernels> files;
  const auto [entry, added] = files.try_emplace(name);
  if (added) {
    const auto file = JsonReader::open(data_root() / "sim" / "network" / "custom" / "fits" /
                                       ("exchange-" + name + ".json"));
    file.allow_only({"format_version", "name", "summary", "a_copy_for_each_expert", "kernels"});
    (void)file.at("format_version").as_integer(1, 1);
    entry->second.copies = file.at("a_copy_for_each_expert").as_bool();
    for (const auto& one : file.at("kernels").elements()) {
      one.allow_only(
          {"transport", "compute_capability", "machine_bandwidth", "dispatch", "combine"});
      entry->second.measured.push_back(
          {.transport = nccl::read_transport(one.at("transport")),
           .compute_capability = nccl::read_compute_capability(one.at("compute_capability")),
           .machine_bandwidth = read_bytes_per_second(one.at("machine_bandwidth")).value,
           .dispatch = read_cost(one.at("dispatch")),
           .combine = read_cost(one.at("combine"))});
    }
  }
  return entry->second;
}

} // namespace

std::vector<std::string> exchange_kernel_names() { return {"deepep-ll", "deepep-normal", "nccl"}; }

std::string exchange_kernels_named(const std::string& name, const std::string& where) {
  const auto known = exchange_kernel_names();
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    throw InputError::unknown_name(where, "kernels of experts' exchanges", name, known);
  }
  return name;
}

bool copies_for_each_expert(const std::string& name) { return kernels_of(name).copies; }

double bytes_ratio(const std::string& name, bool combine) {
  const auto& measured = kernels_of(name).measured;
  return measured.empty() ? 1.0
         : combine        ? measured.front().combine.bytes_ratio
                          : measured.front().dispatch.bytes_ratio;
}

std::optional<ExchangeCost> exchange_cost(const std::string& name,
                                          bool combine,
                                          Transport transport,
                                          int compute_capability,
                                          BytesPerSecond machine_bandwidth) {
  const Measured* nearest = nullptr;
  const auto distance = [&](const Measured& one) {
    const int later = one.compute_capability - compute_capability;
    return 2 * std::abs(later) - (later > 0 ? 1 : 0);
  };
  for (const auto& one : kernels_of(name).measured) {
    if (one.transport == transport && (nearest == nullptr || distance(one) < distance(*nearest))) {
      nearest = &one;
    }
  }
  if (nearest == nullptr) {
    return std::nullopt;
  }
  auto cost = combine ? nearest->combine.cost : nearest->dispatch.cost;
  cost.bandwidth = cost.bandwidth * (machine_bandwidth / nearest->machine_bandwidth);
  return cost;
}

} // namespace decodesim::custom
