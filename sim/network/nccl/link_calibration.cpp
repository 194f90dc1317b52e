#include "sim/network/nccl/link_calibration.hpp"

#include "sim/data_files.hpp"
#include "sim/sourced_json.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace decodesim::nccl {

namespace {

constexpr std::array transports{std::pair{"nvlink", Transport::nvlink},
                                std::pair{"pcie", Transport::pcie},
                                std::pair{"host_memory", Transport::host_memory},
                                std::pair{"network", Transport::network}};

std::pair<Algorithm, Protocol> read_kernel_name(const JsonReader& kernels,
                                                const std::string& name) {
  for (const auto algorithm :
       {Algorithm::ring, Algorithm::tree, Algorithm::nvls, Algorithm::nvls_tree}) {
    for (const auto protocol : {Protocol::ll, Protocol::ll128, Protocol::simple}) {
      if (name == to_string(algorithm) + "-" + to_string(protocol)) {
        return {algorithm, protocol};
      }
    }
  }
  throw kernels.error("has \"" + name + "\"", "ALGORITHM-PROTOCOL is expected: \"ring-ll\"");
}

KernelCost read_kernel(const JsonReader& json) {
  json.allow_only(
      {"residuals", "base", "hop", "fill", "fill_per_peer", "fill_bytes", "bandwidth", "copy"});
  return {.base = read_seconds(json.at("base")).value,
          .hop = read_seconds(json.at("hop")).value,
          .fill = read_seconds(json.at("fill")).value,
          .fill_per_peer = read_seconds(json.at("fill_per_peer")).value,
          .fill_bytes = read_bytes(json.at("fill_bytes")).value,
          .bandwidth = read_bytes_per_second(json.at("bandwidth")).value,
          .copy = read_bytes_per_second(json.at("copy")).value};
}

} // namespace

Transport read_transport(const JsonReader& json) {
  for (const auto& [name, transport] : transports) {
    if (json.as_string() == name) {
      return transport;
    }
  }
  throw json.error("is \"" + json.as_string() + "\"", "nvlink, pcie, host_memory or network");
}

int read_compute_capability(const JsonReader& json) {
  const auto text = json.as_string();
  const auto point = text.find('.');
  const auto digits =
      text.substr(0, point) + (point == std::string::npos ? "" : text.substr(point + 1));
  if (point == std::string::npos || digits.size() < 2 || digits.size() > 3 ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    throw json.error("is \"" + text + "\"", "a compute capability is expected: \"9.0\"");
  }
  return std::stoi(digits);
}

Seconds KernelCost::fill_time(Bytes bytes, int parts, int members) const {
  return std::min(1.0, bytes / (parts * fill_bytes)) * (fill + (members - 1.0) * fill_per_peer);
}

BytesPerSecond KernelCost::effective_bandwidth(int steps) const {
  return bandwidth / (1.0 + bandwidth / copy / steps);
}

LinkCalibration read_link_calibration(const JsonReader& file) {
  file.allow_only({"format_version",
                   "name",
                   "summary",
                   "transport",
                   "compute_capability",
                   "residuals",
                   "machine_bandwidth",
                   "wires",
                   "kernels"});
  (void)file.at("format_version").as_integer(1, 1);
  LinkCalibration calibration{
      .name = file.at("name").as_string(),
      .summary = file.at("summary").as_string(),
      .transport = read_transport(file.at("transport")),
      .compute_capability = read_compute_capability(file.at("compute_capability")),
      .machine_bandwidth = read_bytes_per_second(file.at("machine_bandwidth")).value,
      .wires = read_seconds(file.at("wires")).value,
      .kernels = {}};
  const auto kernels = file.at("kernels");
  for (const auto& name : kernels.keys()) {
    calibration.kernels[read_kernel_name(kernels, name)] = read_kernel(kernels.at(name));
  }
  for (const auto protocol : {Protocol::ll, Protocol::simple}) {
    if (!calibration.kernels.contains({Algorithm::ring, protocol})) {
      throw kernels.error("has no \"ring-" + to_string(protocol) + "\"",
                          "both \"ring-ll\" and \"ring-simple\" are required");
    }
  }
  return calibration;
}

const std::vector<LinkCalibration>& link_calibrations() {
  static const std::vector<LinkCalibration> all = [] {
    std::vector<LinkCalibration> list;
    for (const auto& name : data_file_names(DataKind::collective_fit)) {
      list.push_back(
          read_link_calibration(JsonReader::open(find_data_file(DataKind::collective_fit, name))));
    }
    return list;
  }();
  return all;
}

namespace {

/// Twice the distance, less one when it is greater.
int distance(const LinkCalibration& one, int compute_capability) {
  const int later = one.compute_capability - compute_capability;
  return 2 * std::abs(later) - (later > 0 ? 1 : 0);
}

} // namespace

const LinkCalibration& link_calibration(Transport transport, int compute_capability) {
  const LinkCalibration* nearest = nullptr;
  for (const auto& one : link_calibrations()) {
    if (one.transport == transport &&
        (nearest == nullptr ||
         distance(one, compute_capability) < distance(*nearest, compute_capability))) {
      nearest = &one;
    }
  }
  if (nearest == nullptr) {
    throw InputError::at("sim/network/nccl/fits",
                         "has no file for a transport that the machine uses",
                         "the files that come with the program are expected there");
  }
  return *nearest;
}

std::vector<std::string> assumed_calibrations(const std::vector<Transport>& used,
                                              int compute_capability) {
  std::vector<std::string> list;
  for (const auto& [name, transport] : transports) {
    if (std::find(used.begin(), used.end(), transport) == used.end()) {
      continue;
    }
    const auto what = "collectives over " + std::string{name} + " = ";
    if (transport == Transport::network) {
      list.push_back(what + "NCCL's constants between nodes, not fitted");
      continue;
    }
    const auto& fit = link_calibration(transport, compute_capability);
    if (fit.compute_capability != compute_capability) {
      list.push_back(what + "as " + fit.name + " (" + fit.summary + ")");
    }
  }
  return list;
}

const LinkCalibration& start_calibration(int compute_capability) {
  const auto& all = link_calibrations();
  if (all.empty()) {
    throw InputError::at("sim/network/nccl/fits",
                         "has no file",
                         "the files that come with the program are expected there");
  }
  return *std::min_element(all.begin(), all.end(), [&](const auto& a, const auto& b) {
    return distance(a, compute_capability) < distance(b, compute_capability);
  });
}

} // namespace decodesim::nccl
