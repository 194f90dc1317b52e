#include "sim/error.hpp"
#include "sim/temporary_folder.hpp"
#include "topologies/machine.hpp"
#include "validation/calibrate_probes.hpp"
#include "validation/collective_time.hpp"
#include "validation/measure/run_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <numeric>

using namespace decodesim;
using ::testing::HasSubstr;

namespace {

constexpr double us = 1e-6;

/// What the simulator says of `ranks` ranks whose loopback has these numbers.
std::vector<ProbeResult> collectives(int ranks, double hop_us, double gbytes_per_s, bool mps) {
  auto machine = find_machine("shared-h200", ranks, "test");
  auto& network = machine.transports.at(Transport::network);
  network.hop.value = Seconds{hop_us * us};
  network.bandwidth.value = BytesPerSecond{gbytes_per_s * 1e9};
  for (auto& link : machine.links) {
    if (link.kind == LinkKind::network) {
      link.bandwidth.value = BytesPerSecond{gbytes_per_s * 1e9};
    }
  }
  std::vector<int> gpus(static_cast<std::size_t>(ranks));
  std::iota(gpus.begin(), gpus.end(), 0);
  const CollectiveBench bench{machine, gpus, "nccl"};
  std::vector<ProbeResult> probes;
  const auto add = [&](const std::string& kind, std::int64_t bytes, Seconds time) {
    probes.push_back({.name = "collective",
                      .parameters = {{"kind", kind},
                                     {"ranks", ranks},
                                     {"gpus", 1},
                                     {"mps", mps ? 1 : 0},
                                     {"total_bytes", bytes}},
                      .samples_us = {time.value() / us}});
  };
  for (std::int64_t bytes = 1024; bytes <= (std::int64_t{64} << 20); bytes *= 8) {
    const Bytes total{static_cast<double>(bytes)};
    add("all_reduce", bytes, bench.time(CollectiveKind::all_reduce, total));
    add("all_gather", bytes, bench.time(CollectiveKind::all_gather, total));
    add("send_receive", bytes, bench.message(total));
  }
  return probes;
}

ProbeResult launch(const char* how, int kernels, double host_us) {
  return {.name = "launch",
          .parameters = {{"launch", how}, {"kind", "host"}, {"kernels", kernels}},
          .samples_us = {host_us, host_us, 10 * host_us}};
}

class CalibrateProbes : public ::testing::Test {
protected:
  std::map<std::string, nlohmann::json> calibrated(std::vector<ProbeResult> probes) {
    const RunFile file{.kind = "probes",
                       .provenance = {.device = "NVIDIA H200", .start_utc = "2026-11-21T12:00:00Z"},
                       .probes = std::move(probes)};
    std::ofstream{folder_ / "probes.json"} << run_file_text(file);
    std::map<std::string, nlohmann::json> files;
    for (const auto& one : calibrate_probes({folder_ / "probes.json"}, "")) {
      files[one.path.string()] = nlohmann::json::parse(one.text);
    }
    return files;
  }

private:
  TemporaryFolder folder_;
};

} // namespace

// Times that the model made of 35 us and 1.2 GB/s, to nanoseconds, give these numbers back.
TEST_F(CalibrateProbes, FindsHopAndBandwidthOfLoopback) {
  auto probes = collectives(2, 35, 1.2, true);
  const auto four = collectives(4, 35, 1.2, true);
  probes.insert(probes.end(), four.begin(), four.end());
  const auto files = calibrated(std::move(probes));
  ASSERT_EQ(files.size(), 1u);
  const auto& network = files.at("topologies/networks/loopback.json");
  EXPECT_NEAR(network.at("transport").at("hop").at("value").get<double>(), 35, 0.35);
  EXPECT_NEAR(network.at("transport").at("bandwidth").at("value").get<double>(), 1.2, 0.012);
  EXPECT_EQ(network.at("bandwidth").at("value"),
            network.at("transport").at("bandwidth").at("value"));
  EXPECT_EQ(network.at("transport").at("hop").at("kind"), "fitted");
  EXPECT_THAT(network.at("transport").at("hop").at("source").get<std::string>(),
              HasSubstr("decodesim-probe on NVIDIA H200, probes.json of 2026-11-21T12:00:00Z: "
                        "36 rows"));
}

// Medians: one sample of three is disturbed.
TEST_F(CalibrateProbes, TakesTheCostOfLaunches) {
  const auto files = calibrated({launch("graph", 1000, 42), launch("eager", 1, 1.9)});
  ASSERT_EQ(files.size(), 1u);
  const auto& framework = files.at("sim/host/frameworks/decodesim-measure.json");
  EXPECT_EQ(framework.at("eager_launch").at("value"), 1.9);
  EXPECT_EQ(framework.at("eager_launch").at("kind"), "measured");
}

// Ranks that took turns tell nothing of the network, and neither do two GPUs.
TEST_F(CalibrateProbes, RefusesRunsThatNothingFollowsFrom) {
  EXPECT_THROW((void)calibrated(collectives(2, 35, 1.2, false)), InputError);
  auto apart = collectives(2, 35, 1.2, true);
  for (auto& probe : apart) {
    probe.parameters["gpus"] = 2;
  }
  EXPECT_THROW((void)calibrated(apart), InputError);
}
