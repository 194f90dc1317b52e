#include "tests/support/machine_sketch.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <set>
#include <unistd.h>

namespace decodesim::testing {

namespace {

nlohmann::json sourced(double value, const char* unit) {
  return {{"value", value}, {"unit", unit}, {"kind", "assumed"}, {"source", "made up for a test"}};
}

template <class T> Sourced<T> made_up(T value) {
  return {value, SourceKind::assumed, "made up for a test"};
}

} // namespace

Gpu round_gpu(double byte_efficiency) {
  Gpu gpu;
  gpu.name = "round";
  gpu.memory_capacity = made_up(Bytes{100e9});
  gpu.memory_reserve = made_up(Bytes{1e9});
  gpu.memory_bandwidth = made_up(BytesPerSecond{1e12});
  gpu.peak[DataType::bf16] = made_up(FlopPerSecond{1e15});
  gpu.eager_launch = made_up(Seconds{0.0});
  gpu.graph_launch = made_up(Seconds{0.0});
  for (const auto kernel_class : {KernelClass::gemm,
                                  KernelClass::grouped_gemm,
                                  KernelClass::attention_decode,
                                  KernelClass::attention_latent,
                                  KernelClass::attention_prefill,
                                  KernelClass::norm,
                                  KernelClass::elementwise,
                                  KernelClass::embedding,
                                  KernelClass::sampling}) {
    gpu.kernels[kernel_class] = {made_up(Seconds{0.0}), made_up(1.0), made_up(byte_efficiency)};
  }
  return gpu;
}

Machine MachineSketch::machine() const {
  nlohmann::json file = {{"format_version", 1},
                         {"name", "sketch"},
                         {"summary", "made up for a test"},
                         {"source", "made up for a test"},
                         {"gpu", "a100-sxm4-80g"}, // any: it is replaced below
                         {"peer_to_peer", peer_to_peer}};
  for (const auto& [id, kind] : vertices) {
    file["nodes"].push_back({{"id", id}, {"kind", kind}});
  }
  for (std::size_t i = 0; i < links.size(); ++i) {
    const auto& link = links[i];
    const auto type = "type" + std::to_string(i);
    file["link_types"][type] = {{"kind", link.kind},
                                {"bandwidth", sourced(link.gbytes_per_s, "GB/s")},
                                {"latency", sourced(link.latency_us, "us")}};
    file["links"].push_back({{"from", link.from}, {"to", link.to}, {"type", type}});
  }
  for (const auto* transport : {"nvlink", "pcie", "host_memory", "network"}) {
    file["transports"][transport] = {{"base", sourced(costs.base_us, "us")},
                                     {"hop", sourced(costs.hop_us, "us")},
                                     {"bandwidth", sourced(costs.gbytes_per_s, "GB/s")}};
  }
  if (network_gbytes_per_s > 0) {
    file["link_types"]["fabric_link"] = {{"kind", "network"},
                                         {"bandwidth", sourced(network_gbytes_per_s, "GB/s")},
                                         {"latency", sourced(network_latency_us, "us")}};
    file["network_link"] = "fabric_link";
  }
  static int number = 0;
  const auto path =
      std::filesystem::temp_directory_path() /
      ("decodesim-test-" + std::to_string(::getpid()) + "-" + std::to_string(number++) + ".json");
  std::ofstream{path} << file.dump(2);
  auto loaded = load_machine(path, nodes, parse_fabric(fabric, "test"));
  std::filesystem::remove(path);
  loaded.gpu = gpu;
  return loaded;
}

MachineSketch two_gpus(double gbytes_per_s, double latency_us) {
  MachineSketch sketch;
  sketch.vertices = {{"gpu0", "gpu"}, {"gpu1", "gpu"}};
  sketch.links = {{"gpu0", "gpu1", "nvlink", gbytes_per_s, latency_us}};
  return sketch;
}

MachineSketch switched_gpus(int count, double gbytes_per_s, double latency_us) {
  MachineSketch sketch;
  for (int i = 0; i < count; ++i) {
    const auto id = "gpu" + std::to_string(i);
    sketch.vertices.emplace_back(id, "gpu");
    sketch.links.push_back({id, "switch", "nvlink", gbytes_per_s, latency_us});
  }
  sketch.vertices.emplace_back("switch", "nvswitch");
  return sketch;
}

} // namespace decodesim::testing
