#include "tests/unit/input_file.hpp"
#include "tests/unit/small_machine.hpp"
#include "topologies/routes.hpp"

#include <gtest/gtest.h>

#include <set>

namespace decodesim {
namespace {

using namespace literals;

Machine preset(const std::string& name, int nodes = 1) {
  return find_machine(name, nodes, "--machine");
}

std::vector<std::string> names(const Machine& machine, const Path& path) {
  std::vector<std::string> all;
  for (const auto direction : path.links) {
    all.push_back(machine.direction_name(direction));
  }
  return all;
}

TEST(Routes, BetweenGpusOfOneSwitchCrossItOnly) {
  const auto machine = preset("pcie-2s-a100-40g");
  const Routes routes{machine};
  const auto& path = routes.between(0, 1);
  EXPECT_EQ(names(machine, path), (std::vector<std::string>{"gpu0->switch0", "switch0->gpu1"}));
  // Two PCIe crossings of 0.11 us.
  EXPECT_NEAR(path.latency.value(), 0.22e-6, 1e-15);
  EXPECT_EQ(path.bandwidth, 31.5_GBps);
  EXPECT_EQ(path.transport, Transport::pcie);
}

TEST(Routes, BetweenSocketsCrossTheirLink) {
  const auto machine = preset("pcie-2s-a100-40g");
  const Routes routes{machine};
  const auto& path = routes.between(0, 7);
  EXPECT_EQ(names(machine, path),
            (std::vector<std::string>{"gpu0->switch0",
                                      "switch0->root0",
                                      "root0->socket0",
                                      "socket0->socket1",
                                      "socket1->root3",
                                      "root3->switch3",
                                      "switch3->gpu7"}));
  // Six PCIe crossings of 0.11 us and one of 0.3 us between the sockets.
  EXPECT_NEAR(path.latency.value(), 0.96e-6, 1e-15);
  EXPECT_EQ(path.bandwidth, 8.0_GBps);
}

TEST(Routes, GoBackTheWayTheyCame) {
  const auto machine = preset("pcie-2s-a100-40g");
  const Routes routes{machine};
  auto back = routes.between(7, 0).links;
  std::reverse(back.begin(), back.end());
  for (auto& direction : back) {
    direction ^= 1;
  }
  EXPECT_EQ(back, routes.between(0, 7).links);
}

TEST(Routes, PreferNvlinkToPcie) {
  const auto machine = preset("dgx-h200");
  const Routes routes{machine};
  const auto& path = routes.between(3, 6);
  EXPECT_EQ(names(machine, path), (std::vector<std::string>{"gpu3->nvswitch", "nvswitch->gpu6"}));
  EXPECT_EQ(path.transport, Transport::nvlink);
  EXPECT_EQ(path.bandwidth, 450.0_GBps);
}

TEST(Routes, OfSecondNodesAreThoseOfTheFirst) {
  const auto machine = preset("pcie-2s-a100-40g", 3);
  const Routes routes{machine};
  EXPECT_EQ(names(machine, routes.between(16, 17)),
            (std::vector<std::string>{"node2/gpu0->node2/switch0", "node2/switch0->node2/gpu1"}));
}

TEST(Routes, BetweenNodesPassNicsAndTheFabric) {
  const auto machine = preset("dgx-a100-80g", 2);
  const Routes routes{machine};
  const auto& path = routes.between(2, 15);
  EXPECT_EQ(names(machine, path),
            (std::vector<std::string>{"node0/gpu2->node0/switch1",
                                      "node0/switch1->node0/nic2",
                                      "node0/nic2->fabric",
                                      "fabric->node1/nic7",
                                      "node1/nic7->node1/switch3",
                                      "node1/switch3->node1/gpu7"}));
  // Four PCIe crossings of 0.11 us, two network links of 0.6 us; 200 Gbit/s are 25 GB/s.
  EXPECT_NEAR(path.latency.value(), 1.64e-6, 1e-15);
  EXPECT_EQ(path.bandwidth, 25.0_GBps);
  EXPECT_EQ(path.transport, Transport::network);
}

TEST(Routes, GiveEachGpuOfADgxANicOfItsOwn) {
  for (const auto* name : {"dgx-a100-80g", "dgx-h100"}) {
    const auto machine = preset(name, 2);
    const Routes routes{machine};
    std::set<LinkDirection> exits;
    for (int gpu = 0; gpu < 8; ++gpu) {
      for (const auto direction : routes.between(gpu, 8 + gpu).links) {
        if (machine.head(direction) == machine.fabric()) {
          exits.insert(direction);
        }
      }
    }
    EXPECT_EQ(exits.size(), 8u) << name;
  }
}

TEST(Routes, UseTheNicOfTheOwnSocket) {
  const auto machine = preset("pcie-2s-a100-40g", 2);
  const Routes routes{machine};
  EXPECT_EQ(names(machine, routes.between(5, 8))[4], "node0/nic1->fabric");
  EXPECT_EQ(names(machine, routes.between(5, 8))[5], "fabric->node1/nic0");
}

TEST(Routes, DoNotPassThroughAGpu) {
  // gpu0 - gpu1 - gpu2 in a chain of NVLinks, and PCIe below: gpu0 to gpu2 takes PCIe, although
  // NVLink through gpu1 would be faster.
  const auto text = changed(
      changed(changed(changed(small_machine,
                              "\"id\": [\"gpu0\", \"gpu1\"]",
                              "\"id\": [\"gpu0\", \"gpu1\", \"gpu2\"]"),
                      "{\"from\": [\"gpu0\", \"gpu1\"], \"to\": \"switch\", \"type\": \"pcie\"}",
                      "{\"from\": [\"gpu0\", \"gpu1\", \"gpu2\"], \"to\": \"switch\", \"type\": "
                      "\"pcie\"}, {\"from\": [\"gpu0\", \"gpu2\"], \"to\": \"gpu1\", \"type\": "
                      "\"bridge\"}"),
              "\"link_types\": {",
              R"("link_types": {"bridge": {"kind": "nvlink",
        "bandwidth": {"value": 300, "unit": "GB/s", "kind": "assumed", "source": "round"},
        "latency": {"value": 0, "unit": "us", "kind": "assumed", "source": "round"}},)"),
      "\"transports\": {",
      R"("transports": {"nvlink": {
        "base": {"value": 1, "unit": "us", "kind": "assumed", "source": "round"},
        "hop": {"value": 1, "unit": "us", "kind": "assumed", "source": "round"},
        "bandwidth": {"value": 200, "unit": "GB/s", "kind": "assumed", "source": "round"}},)");
  const InputFile file{text, "m.json"};
  const auto machine = load_machine(file.path());
  const Routes routes{machine};
  EXPECT_EQ(names(machine, routes.between(0, 1)), (std::vector<std::string>{"gpu0->gpu1"}));
  EXPECT_EQ(names(machine, routes.between(2, 1)), (std::vector<std::string>{"gpu2->gpu1"}));
  EXPECT_EQ(names(machine, routes.between(0, 2)),
            (std::vector<std::string>{"gpu0->switch", "switch->gpu2"}));
}

TEST(Routes, OfEqualWaysTakeTheLowerVertex) {
  // A second switch just like the first.
  const auto text =
      changed(changed(small_machine,
                      "{\"id\": \"switch\", \"kind\": \"pcie_switch\"}",
                      "{\"id\": [\"switch\", \"second\"], \"kind\": \"pcie_switch\"}"),
              "{\"from\": [\"gpu0\", \"gpu1\"], \"to\": \"switch\", \"type\": \"pcie\"}",
              "{\"from\": [\"gpu0\", \"gpu1\"], \"to\": \"second\", \"type\": \"pcie\"}, "
              "{\"from\": [\"gpu0\", \"gpu1\"], \"to\": \"switch\", \"type\": \"pcie\"}");
  const InputFile file{text, "m.json"};
  const auto machine = load_machine(file.path());
  EXPECT_EQ(names(machine, Routes{machine}.between(0, 1)),
            (std::vector<std::string>{"gpu0->switch", "switch->gpu1"}));
}

TEST(Routes, FindAWayToANic) {
  const auto machine = preset("dgx-a100-80g");
  const auto nic = machine.gpus.back() + 12; // after nvswitch, 4 switches, 4 root ports, 2 sockets
  ASSERT_EQ(machine.vertex(nic).id, "nic0");
  const auto path = find_path(machine, machine.gpus[1], nic);
  ASSERT_TRUE(path);
  EXPECT_EQ(names(machine, *path), (std::vector<std::string>{"gpu1->switch0", "switch0->nic0"}));
  EXPECT_FALSE(find_path(machine, nic, nic));
}

TEST(Routes, RefuseOneAndTheSameGpu) {
  const auto machine = preset("pcie-1s-a100-80g");
  const Routes routes{machine};
  const InputFile unused{""};
  EXPECT_EQ(unused.message_of([&] { (void)routes.between(2, 2); }),
            "machine pcie-1s-a100-80g: no way is needed from gpu2 to itself");
}

} // namespace
} // namespace decodesim
