#include "tests/unit/input_file.hpp"
#include "tests/unit/small_machine.hpp"
#include "topologies/routes.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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
                                      "socket1->memory1",
                                      "memory1->socket1",
                                      "socket1->root3",
                                      "root3->switch3",
                                      "switch3->gpu7"}));
  // Six PCIe crossings of 0.11 us, one of 0.3 us between the sockets, two of 0.09 us to memory.
  EXPECT_NEAR(path.latency.value(), 1.14e-6, 1e-15);
  EXPECT_EQ(path.bandwidth, 10.0_GBps);
  EXPECT_EQ(path.transport, Transport::host_memory);
}

TEST(Routes, GoBackTheWayTheyCame) {
  const auto machine = preset("dgx-a100-80g", 2);
  const Routes routes{machine};
  auto back = routes.between(15, 2).links;
  std::reverse(back.begin(), back.end());
  for (auto& direction : back) {
    direction ^= 1;
  }
  EXPECT_EQ(back, routes.between(2, 15).links);
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
        if (machine.vertex(machine.head(direction)).id == "fabric") {
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
  // A NIC on the socket is out of peer-to-peer reach: five links to its memory and back.
  EXPECT_EQ(names(machine, routes.between(5, 8))[3], "node0/socket1->node0/memory1");
  EXPECT_EQ(names(machine, routes.between(5, 8))[6], "node0/nic1->fabric");
  EXPECT_EQ(names(machine, routes.between(5, 8))[7], "fabric->node1/nic0");
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
  // After nvswitch, 4 switches, 4 root ports, 2 sockets, 2 memories.
  const auto nic = machine.gpus.back() + 14;
  ASSERT_EQ(machine.vertex(nic).id, "nic0");
  const Routes routes{machine};
  const auto path = routes.wires(machine.gpus[1], nic);
  ASSERT_TRUE(path);
  EXPECT_EQ(names(machine, *path), (std::vector<std::string>{"gpu1->switch0", "switch0->nic0"}));
  EXPECT_FALSE(routes.wires(nic, nic));
}

// ------------------------------------------------------------------------------ peer-to-peer
// access

/// Two pairs of GPUs, each pair on a switch of its own root port of one socket; round numbers.
Machine two_root_ports(const std::string& peer_to_peer) {
  nlohmann::json number = {
      {"value", 10}, {"unit", "GB/s"}, {"kind", "assumed"}, {"source", "round"}};
  nlohmann::json time = {{"value", 1}, {"unit", "us"}, {"kind", "assumed"}, {"source", "round"}};
  const auto type = [&](const char* kind, double gbytes_per_s) {
    auto bandwidth = number;
    bandwidth["value"] = gbytes_per_s;
    return nlohmann::json{{"kind", kind}, {"bandwidth", bandwidth}, {"latency", time}};
  };
  const nlohmann::json cost = {{"base", time}, {"hop", time}, {"bandwidth", number}};
  const nlohmann::json file = {
      {"format_version", 1},
      {"name", "two-root-ports"},
      {"summary", "made up for a test"},
      {"source", "made up for a test"},
      {"gpu", "a100-pcie-40g"},
      {"peer_to_peer", peer_to_peer},
      {"nodes",
       {{{"id", {"gpu0", "gpu1", "gpu2"}}, {"kind", "gpu"}},
        {{"id", "switch0"}, {"kind", "pcie_switch"}},
        {{"id", {"root0", "root1"}}, {"kind", "root_port"}},
        {{"id", "socket0"}, {"kind", "socket"}},
        {{"id", "memory0"}, {"kind", "host_memory"}}}},
      {"link_types", {{"pcie", type("pcie", 10)}, {"ram", type("memory", 15)}}},
      {"links",
       {{{"from", {"gpu0", "gpu1"}}, {"to", "switch0"}, {"type", "pcie"}},
        {{"from", "switch0"}, {"to", "root0"}, {"type", "pcie"}},
        {{"from", "gpu2"}, {"to", "root1"}, {"type", "pcie"}},
        {{"from", {"root0", "root1"}}, {"to", "socket0"}, {"type", "pcie"}},
        {{"from", "socket0"}, {"to", "memory0"}, {"type", "ram"}}}},
      {"transports", {{"pcie", cost}, {"host_memory", cost}}}};
  return parse_machine(JsonReader::parse(file.dump(), "m.json"), "");
}

TEST(PeerToPeer, ReachesTheSameSwitchByDefault) {
  const auto machine = two_root_ports("same_switch");
  EXPECT_EQ(preset("pcie-2s-a100-40g").peer_to_peer, PeerToPeer::same_switch);
  const Routes routes{machine};
  EXPECT_EQ(names(machine, routes.between(0, 1)),
            (std::vector<std::string>{"gpu0->switch0", "switch0->gpu1"}));
  EXPECT_EQ(routes.between(0, 1).transport, Transport::pcie);
  const auto& staged = routes.between(0, 2);
  EXPECT_EQ(names(machine, staged),
            (std::vector<std::string>{"gpu0->switch0",
                                      "switch0->root0",
                                      "root0->socket0",
                                      "socket0->memory0",
                                      "memory0->socket0",
                                      "socket0->root1",
                                      "root1->gpu2"}));
  EXPECT_EQ(staged.transport, Transport::host_memory);
  EXPECT_NEAR(staged.latency.value(), 7e-6, 1e-15);
}

TEST(PeerToPeer, ReachesAsFarAsItIsSaid) {
  const auto direct = two_root_ports("same_socket");
  EXPECT_EQ(
      names(direct, Routes{direct}.between(0, 2)),
      (std::vector<std::string>{
          "gpu0->switch0", "switch0->root0", "root0->socket0", "socket0->root1", "root1->gpu2"}));
  EXPECT_EQ(Routes{direct}.between(0, 2).transport, Transport::pcie);
  const auto one_port = two_root_ports("same_root_port");
  EXPECT_EQ(Routes{one_port}.between(0, 2).transport, Transport::host_memory);
  const auto everywhere = two_root_ports("everywhere");
  EXPECT_EQ(Routes{everywhere}.between(0, 2).transport, Transport::pcie);
}

TEST(PeerToPeer, OfConsumerCardsReachesNothing) {
  // Both legs of a copy between GPUs of one switch cross its uplink and the root port.
  const auto machine = two_root_ports("none");
  EXPECT_EQ(names(machine, Routes{machine}.between(0, 1)),
            (std::vector<std::string>{"gpu0->switch0",
                                      "switch0->root0",
                                      "root0->socket0",
                                      "socket0->memory0",
                                      "memory0->socket0",
                                      "socket0->root0",
                                      "root0->switch0",
                                      "switch0->gpu1"}));
}

TEST(PeerToPeer, IsOneOfFive) {
  const InputFile unused{""};
  EXPECT_EQ(unused.message_of([] { (void)two_root_ports("same_sockets"); }),
            "m.json: /peer_to_peer: peer-to-peer access \"same_sockets\" is unknown; did you mean "
            "\"same_socket\"? known: none, same_switch, same_root_port, same_socket, everywhere");
}

TEST(PeerToPeer, StagesInTheMemoryOfTheReceiver) {
  const auto machine = preset("rtx4090-pcie-8");
  const Routes routes{machine};
  EXPECT_EQ(names(machine, routes.between(0, 4))[4], "memory1->socket1");
  EXPECT_EQ(names(machine, routes.between(4, 0))[4], "memory0->socket0");
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
