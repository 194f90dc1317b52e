#include "sim/data_files.hpp"
#include "tests/unit/input_file.hpp"
#include "tests/unit/small_machine.hpp"
#include "topologies/machine.hpp"
#include "topologies/routes.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace decodesim {
namespace {

using namespace literals;

Machine preset(const std::string& name, int nodes = 1) {
  return find_machine(name, nodes, "--machine");
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

std::string message_after(std::string_view from, std::string_view to, int nodes = 1) {
  const InputFile file{changed(small_machine, from, to), "m.json"};
  return file.message_of([&] { (void)load_machine(file.path(), nodes); });
}

std::string message_for_nodes(int nodes) {
  const InputFile file{small_machine, "m.json"};
  return file.message_of([&] { (void)load_machine(file.path(), nodes); });
}

TEST(MachineFile, LoadsFromAPath) {
  const InputFile file{small_machine, "m.json"};
  const auto machine = find_machine(file.path().string(), 1, "--machine");
  EXPECT_EQ(machine.gpu_count(), 2);
  EXPECT_EQ(machine.source, "made up for tests");
}

TEST(MachineFile, FindsAGpuFileBesideIt) {
  const InputFile file{changed(small_machine, "\"a100-pcie-40g\"", "\"./gpu.json\""), "m.json"};
  std::ofstream{file.path().parent_path() / "gpu.json"}
      << read_text(find_data_file(DataKind::gpu, "a100-sxm4-80g"));
  EXPECT_EQ(load_machine(file.path()).gpu.name, "a100-sxm4-80g");
}

TEST(MachineFile, SuggestsTheNearestPreset) {
  const InputFile unused{""};
  EXPECT_EQ(unused.message_of([] { (void)preset("dgx-h10"); }),
            "--machine: machine \"dgx-h10\" is unknown; did you mean \"dgx-h100\"? known: " +
                joined(data_file_names(DataKind::machine)));
}

TEST(MachineFile, RefusesUnknownKeys) {
  EXPECT_EQ(message_after("\"link_types\"", "\"linktypes\""),
            "m.json: /: key \"linktypes\" is unknown; did you mean \"link_types\"? known: "
            "format_version, name, summary, source, gpu, shared_gpu, nodes, link_types, links, "
            "transports, peer_to_peer, network_link, in_switch_reduction, cpu_vendor");
}

TEST(MachineFile, NamesAnUnknownGpu) {
  const std::string message = message_after("\"a100-pcie-40g\"", "\"a100-pcie-4g\"");
  EXPECT_TRUE(message.starts_with(
      "m.json: /gpu: GPU \"a100-pcie-4g\" is unknown; did you mean \"a100-pcie-40g\"? known: "))
      << message;
}

TEST(MachineFile, RequiresTheSourceOfItsLayout) {
  EXPECT_EQ(message_after("\"made up for tests\"", "\"\""),
            "m.json: /source: is empty; name the document that the layout is from");
}

TEST(MachineFile, RefusesAnUnknownVertexKind) {
  EXPECT_EQ(message_after("\"pcie_switch\"", "\"switch\""),
            "m.json: /nodes/1/kind: kind \"switch\" is unknown; did you mean \"nvswitch\"? known: "
            "gpu, nvswitch, pcie_switch, root_port, socket, host_memory, nic, network_switch");
}

TEST(MachineFile, RefusesAnIdGivenTwice) {
  EXPECT_EQ(message_after("{\"id\": [\"gpu0\", \"gpu1\"]", "{\"id\": [\"gpu0\", \"gpu0\"]"),
            "m.json: /nodes/0/id/1: \"gpu0\" is given twice; ids are unique");
}

TEST(MachineFile, RefusesIdsThatOutputCouldNotHold) {
  EXPECT_EQ(message_after("{\"id\": \"nic0\"", "{\"id\": \"nic/0\""),
            "m.json: /nodes/2/id: is \"nic/0\"; 1 to 64 letters, digits, '_', '-' or '.' are "
            "expected");
  EXPECT_EQ(message_after("{\"id\": \"nic0\"", "{\"id\": \"fabric\""),
            "m.json: /nodes/2/id: is \"fabric\"; that is the name of the switch between nodes");
  EXPECT_EQ(message_after("{\"id\": \"nic0\"", "{\"id\": []"),
            "m.json: /nodes/2/id: is empty; at least one id is expected");
}

TEST(MachineFile, RequiresAGpu) {
  EXPECT_EQ(message_after("\"kind\": \"gpu\"", "\"kind\": \"nic\""),
            "m.json: /nodes: has no GPU; at least one entry of kind gpu is expected");
}

TEST(MachineFile, RefusesALinkToNowhere) {
  EXPECT_EQ(message_after("\"nic0\", \"to\"", "\"nic9\", \"to\""),
            "m.json: /links/1/from: \"nic9\" is not among the nodes; did you mean \"nic0\"?");
  EXPECT_EQ(message_after("\"nic0\", \"to\": \"switch\"", "\"nic0\", \"to\": \"elsewhere\""),
            "m.json: /links/1/to: \"elsewhere\" is not among the nodes; use an id of /nodes");
}

TEST(MachineFile, RefusesAnUnknownLinkType) {
  EXPECT_EQ(
      message_after("{\"from\": \"nic0\", \"to\": \"switch\", \"type\": \"pcie\"",
                    "{\"from\": \"nic0\", \"to\": \"switch\", \"type\": \"pci\""),
      "m.json: /links/1/type: link type \"pci\" is unknown; did you mean \"pcie\"? known: ib, "
      "pcie");
}

TEST(MachineFile, RefusesALinkToItself) {
  EXPECT_EQ(message_after("\"nic0\", \"to\": \"switch\"", "\"nic0\", \"to\": \"nic0\""),
            "m.json: /links/1/from: joins \"nic0\" to itself; join two different nodes");
}

TEST(MachineFile, RefusesParallelLinks) {
  EXPECT_EQ(message_after("{\"from\": [\"gpu0\", \"gpu1\"]", "{\"from\": [\"gpu0\", \"gpu0\"]"),
            "m.json: /links/0/from/1: joins \"gpu0\" and \"switch\" again; give parallel links as "
            "one, with physical_links and their bandwidth together");
}

TEST(MachineFile, RefusesALinkBetweenTheWrongKinds) {
  EXPECT_EQ(
      message_after("{\"from\": \"nic0\", \"to\": \"switch\", \"type\": \"pcie\"",
                    "{\"from\": \"nic0\", \"to\": \"switch\", \"type\": \"ib\""),
      "m.json: /links/1: ends at pcie_switch \"switch\" and is of kind network; links of that "
      "kind join nic, network_switch");
}

TEST(MachineFile, RefusesASecondPcieLinkOfANic) {
  EXPECT_EQ(
      message_after("{\"from\": \"nic0\", \"to\": \"switch\", \"type\": \"pcie\"}",
                    "{\"from\": [\"switch\", \"gpu0\"], \"to\": \"nic0\", \"type\": \"pcie\"}"),
      "m.json: /links/1/from/1: joins NIC \"nic0\" by a second PCIe link; a NIC has one");
}

TEST(MachineFile, NamesThePairThatIsNotJoined) {
  EXPECT_EQ(message_after("{\"from\": [\"gpu0\", \"gpu1\"]", "{\"from\": \"gpu0\""),
            "m.json: /links: leave no way from gpu0 to gpu1; join all GPUs; traffic does not pass "
            "through other GPUs or NICs, and with peer_to_peer same_switch what passes more is "
            "staged in a host_memory");
}

TEST(MachineFile, NamesTheGpuThatReachesNoNic) {
  EXPECT_EQ(
      message_after(",\n    {\"from\": \"nic0\", \"to\": \"switch\", \"type\": \"pcie\"}", "", 2),
      "m.json: /links: leave no way from node0/gpu0 to node1/gpu0; every GPU needs a way to a NIC; "
      "traffic does not pass through other GPUs or NICs, and with peer_to_peer same_switch what "
      "passes more is staged in a host_memory");
}

TEST(MachineFile, RefusesALinkFromNothing) {
  EXPECT_EQ(message_after("\"from\": \"nic0\"", "\"from\": []"),
            "m.json: /links/1/from: is empty; at least one id is expected");
}

TEST(MachineFile, RequiresTheTransportOfEveryWay) {
  EXPECT_EQ(message_after("\"transports\": {\n    \"pcie\"", "\"transports\": {\n    \"nvlink\""),
            "m.json: /transports: has no \"pcie\"; it is required: the way from gpu0 to gpu1 is of "
            "that kind");
  EXPECT_EQ(message_after("\"network\": {", "\"_network\": {", 2),
            "m.json: /transports: has no \"network\"; it is required: the way from node0/gpu0 to "
            "node1/gpu0 is of that kind");
  EXPECT_EQ(message_after("\"network\": {", "\"_network\": {"), "no InputError");
}

TEST(MachineFile, RefusesAnUnknownTransport) {
  EXPECT_EQ(message_after("\"network\": {", "\"netwrk\": {"),
            "m.json: /transports: key \"netwrk\" is unknown; did you mean \"network\"? known: "
            "nvlink, pcie, host_memory, network");
}

TEST(MachineFile, RefusesASecondLinkOfAHostMemory) {
  const auto text = changed(
      changed(changed(small_machine,
                      "{\"id\": \"nic0\", \"kind\": \"nic\"}",
                      "{\"id\": \"nic0\", \"kind\": \"nic\"}, {\"id\": [\"cpu0\", \"cpu1\"], "
                      "\"kind\": \"socket\"}, {\"id\": \"ram\", \"kind\": \"host_memory\"}"),
              "\"link_types\": {",
              R"("link_types": {"ddr": {"kind": "memory",
        "bandwidth": {"value": 100, "unit": "GB/s", "kind": "assumed", "source": "round"},
        "latency": {"value": 0, "unit": "us", "kind": "assumed", "source": "round"}},)"),
      "\"links\": [",
      "\"links\": [{\"from\": [\"cpu0\", \"cpu1\"], \"to\": \"ram\", \"type\": \"ddr\"},");
  const InputFile file{text, "m.json"};
  EXPECT_EQ(
      file.message_of([&] { (void)load_machine(file.path()); }),
      "m.json: /links/0/from/1: joins host memory \"ram\" by a second link; a host memory has "
      "one");
}

TEST(MachineFile, RequiresANetworkLinkOfItsKindForACluster) {
  EXPECT_EQ(message_after("\"network_link\": \"ib\"", "\"_network_link\": \"ib\"", 2),
            "m.json: /: has no \"network_link\"; it is required for more than one node");
  EXPECT_EQ(message_after("\"network_link\": \"ib\"", "\"network_link\": \"pcie\""),
            "m.json: /network_link: is of kind pcie; a link type of kind network is expected");
}

TEST(MachineFile, RefusesNodesOutOfRange) {
  // 100,000 GPUs at most, two a node.
  EXPECT_EQ(message_for_nodes(0),
            "m.json: /: 0 nodes are asked for; from 1 to 50000 are possible (100000 GPUs)");
  EXPECT_EQ(message_for_nodes(50001),
            "m.json: /: 50001 nodes are asked for; from 1 to 50000 are possible (100000 GPUs)");
}

TEST(MachineFile, WithANetworkOfItsOwnIsOneMachine) {
  const auto with_switch =
      changed(changed(small_machine,
                      "\"id\": \"nic0\", \"kind\": \"nic\"}",
                      "\"id\": \"nic0\", \"kind\": \"nic\"}, {\"id\": \"leaf\", \"kind\": "
                      "\"network_switch\"}"),
              "{\"from\": \"nic0\", \"to\": \"switch\", \"type\": \"pcie\"}",
              "{\"from\": \"nic0\", \"to\": \"switch\", \"type\": \"pcie\"}, {\"from\": \"nic0\", "
              "\"to\": \"leaf\", \"type\": \"ib\"}");
  const InputFile file{with_switch, "m.json"};
  EXPECT_EQ(load_machine(file.path()).gpu_count(), 2);
  EXPECT_EQ(file.message_of([&] { (void)load_machine(file.path(), 2); }),
            "m.json: /nodes: has the network switch \"leaf\"; a file with a network of its own is "
            "one machine: use one node");
}

TEST(MachineFile, NamesThePointerOfABadNumber) {
  EXPECT_EQ(message_after("\"unit\": \"Gbit/s\"", "\"unit\": \"Gbps\""),
            "m.json: /link_types/ib/bandwidth/unit: unit \"Gbps\" is unknown; did you mean "
            "\"GB/s\"? known: B/s, kB/s, MB/s, GB/s, TB/s, KiB/s, MiB/s, GiB/s, TiB/s, Mbit/s, "
            "Gbit/s");
  EXPECT_EQ(
      message_after("\"kind\": \"network\",", "\"kind\": \"network\", \"physical_links\": 0,"),
      "m.json: /link_types/ib/physical_links: is 0; a whole number from 1 to 1024 is expected");
}

} // namespace
} // namespace decodesim
