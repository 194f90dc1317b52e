#include "sim/data_files.hpp"
#include "tests/unit/input_file.hpp"
#include "tests/unit/small_machine.hpp"
#include "topologies/bisection.hpp"
#include "topologies/describe_machine.hpp"
#include "topologies/machine.hpp"
#include "topologies/routes.hpp"

#include <gtest/gtest.h>

#include <map>

namespace decodesim {
namespace {

Machine preset(const std::string& name, int nodes = 1) {
  return find_machine(name, nodes, "--machine");
}

double bisection_GBps(const Machine& machine) {
  return find_bisection(machine, Routes{machine}).bandwidth.value() / 1e9;
}

TEST(Bisection, OfADgxIsFourGpusOfNvlink) {
  // 4 GPUs x 300 GB/s; PCIe beside NVLink carries nothing between GPUs.
  EXPECT_DOUBLE_EQ(bisection_GBps(preset("dgx-a100-80g")), 1200.0);
  EXPECT_DOUBLE_EQ(bisection_GBps(preset("dgx-h100")), 1800.0);
}

TEST(Bisection, OfEveryPresetIsPinned) {
  const std::map<std::string, double> expected{
      {"a100-cube-mesh-80g", 6 * 50 + 16}, // links of two NVLinks; see dgx1-v100
      {"a100-nvlink-pairs", 10},           // between the sockets
      {"a100-quad-40g", 4 * 100},          // four of six pairs
      {"dgx-a100-40g", 4 * 300},           // four GPUs' NVLinks
      {"dgx-a100-80g", 4 * 300},
      {"dgx-b200", 4 * 900},
      {"dgx-h100", 4 * 450},
      {"dgx-h200", 4 * 450},
      {"dgx1-v100", 6 * 25 + 6}, // 0-4 and 1-5 doubly, 2-6, 3-7; other pairs go between the sockets
      {"gb200-nvl72", 36 * 900},
      {"h200-nvl-pairs", 16},
      {"h200-nvl-pcie", 16},
      {"hgx-a800", 4 * 200},
      {"hgx-h20", 4 * 450},
      {"hgx-h800", 4 * 200},
      {"l40s-host-8", 10},
      {"l40s-pcie-8", 10},
      {"p4de-a100-80g", 4 * 300},
      {"pcie-1s-a100-80g", 31.5}, // the uplink of a switch
      {"pcie-2s-a100-40g", 10},
      {"rtx4090-pcie-8", 16},
      {"rtx-pro-6000-pcie-8", 40},
      {"rtx4090-switch-8", 31.5}, // one of the two switches' uplink
      {"v100-pcie-2", 15.75}};
  for (const auto& name : data_file_names(DataKind::machine)) {
    if (const auto machine = preset(name); machine.gpu_count() > 1) {
      EXPECT_DOUBLE_EQ(bisection_GBps(machine), expected.at(name)) << name;
    }
  }
}

TEST(Bisection, OfTwoSocketsIsTheLinkBetweenThem) {
  const auto machine = preset("pcie-2s-a100-40g");
  const auto cut = find_bisection(machine, Routes{machine});
  EXPECT_DOUBLE_EQ(cut.bandwidth.value(), 10e9);
  EXPECT_EQ(cut.one_half, (std::vector<int>{0, 1, 2, 3}));
}

TEST(Bisection, OfOneSocketIsTheUplinkOfASwitch) {
  // {0, 1} against {2, 3}: both GPUs share one x16 uplink of 31.5 GB/s. {0, 2} against {1, 3} would
  // be 63 GB/s: each pair meets in its switch.
  EXPECT_DOUBLE_EQ(bisection_GBps(preset("pcie-1s-a100-80g")), 31.5);
}

TEST(Bisection, OfAClusterIsWhatHalfTheNodesSend) {
  // 210 nodes x 8 NICs x 25 GB/s: each GPU has a NIC, and PCIe (31.5 GB/s) is wider than it.
  EXPECT_DOUBLE_EQ(bisection_GBps(preset("dgx-a100-80g", 420)), 42000.0);
  // Three nodes: one against two.
  EXPECT_DOUBLE_EQ(bisection_GBps(preset("dgx-a100-80g", 3)), 200.0);
  // Four GPUs of a node share its one NIC of 12.5 GB/s.
  EXPECT_DOUBLE_EQ(bisection_GBps(preset("pcie-1s-a100-80g", 2)), 12.5);
}

TEST(Bisection, IsFoundWhereverTheCutIs) {
  // Even GPUs on one switch, odd ones on the other; the link between the switches has 10 GB/s.
  const InputFile file{interleaved_machine(10), "m.json"};
  const auto machine = load_machine(file.path());
  const auto cut = find_bisection(machine, Routes{machine});
  EXPECT_DOUBLE_EQ(cut.bandwidth.value(), 10e9);
  EXPECT_EQ(cut.one_half, (std::vector<int>{0, 2, 4, 6, 8}));
}

TEST(Bisection, OfAnOddNumberLeavesOneMoreInOneHalf) {
  // Three GPUs on a switch: one against two, 10 GB/s.
  const auto text = changed(changed(small_machine,
                                    "\"id\": [\"gpu0\", \"gpu1\"]",
                                    "\"id\": [\"gpu0\", \"gpu1\", \"gpu2\"]"),
                            "\"from\": [\"gpu0\", \"gpu1\"]",
                            "\"from\": [\"gpu0\", \"gpu1\", \"gpu2\"]");
  const InputFile file{text, "m.json"};
  EXPECT_DOUBLE_EQ(bisection_GBps(load_machine(file.path())), 10.0);
}

TEST(Bisection, OfManyGpusCutsTheFileOrder) {
  // 18 GPUs are too many to try all halves: 0 to 8 against 9 to 17. Even GPUs are 0, 2, 4, 6, 8 of
  // the first and 10, 12, 14, 16 of the second half: 4 x 10 GB/s can meet in the first switch, odd
  // ones 4 x 10 in the other, and the fifth even one takes the link between, 10 GB/s.
  const InputFile file{interleaved_machine(18), "m.json"};
  EXPECT_DOUBLE_EQ(bisection_GBps(load_machine(file.path())), 90.0);
}

TEST(Bisection, OfOneGpuIsNone) {
  const InputFile file{
      changed(changed(small_machine, "\"id\": [\"gpu0\", \"gpu1\"]", "\"id\": \"gpu0\""),
              "\"from\": [\"gpu0\", \"gpu1\"]",
              "\"from\": \"gpu0\""),
      "m.json"};
  const auto machine = load_machine(file.path());
  const auto cut = find_bisection(machine, Routes{machine});
  EXPECT_EQ(cut.bandwidth.value(), 0.0);
  EXPECT_TRUE(cut.one_half.empty());
  EXPECT_NE(describe_machine(machine).find("# Bisection bandwidth\n\nnone: one GPU\n"),
            std::string::npos);
}

} // namespace
} // namespace decodesim
