#include "sim/data_files.hpp"
#include "sim/json_reader.hpp"
#include "tests/unit/input_file.hpp"
#include "tests/unit/small_machine.hpp"
#include "topologies/bisection.hpp"
#include "topologies/describe_machine.hpp"
#include "topologies/draw_machine.hpp"
#include "topologies/machine.hpp"
#include "topologies/machine_graph_text.hpp"
#include "topologies/routes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace decodesim {
namespace {

using namespace literals;

Machine preset(const std::string& name, int nodes = 1) {
  return find_machine(name, nodes, "--machine");
}

int count(const Machine& machine, VertexKind kind) {
  return static_cast<int>(std::count_if(machine.vertices.begin(),
                                        machine.vertices.end(),
                                        [&](const auto& vertex) { return vertex.kind == kind; }));
}

// ------------------------------------------------------------------------------------- presets

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

bool has_nics(const std::string& name) { return count(preset(name), VertexKind::nic) > 0; }

class MachinePreset : public testing::TestWithParam<std::string> {};

TEST_P(MachinePreset, IsConnectedAndSourced) {
  for (const int nodes : {1, 2}) {
    if (nodes > 1 && !has_nics(GetParam())) {
      continue;
    }
    const auto machine = preset(GetParam(), nodes);
    EXPECT_EQ(machine.name, GetParam());
    EXPECT_FALSE(machine.summary.empty());
    const Routes routes{machine};
    for (int from = 0; from < machine.gpu_count(); ++from) {
      for (int to = 0; to < machine.gpu_count(); ++to) {
        if (from != to) {
          const auto& path = routes.between(from, to);
          EXPECT_GT(path.latency, 0.0_us);
          EXPECT_TRUE(machine.transports.contains(path.transport));
        }
      }
    }
    for (const auto& link : machine.links) {
      EXPECT_FALSE(link.bandwidth.source.empty());
      EXPECT_FALSE(link.latency.source.empty());
    }
    for (const auto& [transport, cost] : machine.transports) {
      EXPECT_FALSE(cost.base.source.empty());
      EXPECT_FALSE(cost.hop.source.empty());
      EXPECT_FALSE(cost.bandwidth.source.empty());
    }
    EXPECT_EQ(boost::num_vertices(machine.graph), machine.vertices.size());
    EXPECT_EQ(boost::num_edges(machine.graph), 2 * machine.links.size());
  }
}

TEST_P(MachinePreset, MovesNoMoreThanItsLinksDo) {
  const auto machine = preset(GetParam(), has_nics(GetParam()) ? 2 : 1);
  const Routes routes{machine};
  for (int to = 1; to < machine.gpu_count(); ++to) {
    const auto& path = routes.between(0, to);
    auto most = path.bandwidth;
    if (path.transport == Transport::nvlink) {
      most = BytesPerSecond{};
      for (const auto& link : machine.links) {
        if (link.kind == LinkKind::nvlink &&
            (link.from == machine.gpus[0] || link.to == machine.gpus[0])) {
          most += link.bandwidth.value;
        }
      }
    } else if (path.transport == Transport::host_memory) {
      most = 63.0_GBps; // the link between sockets is for all GPUs: the way bounds, not the cap
    }
    EXPECT_LE(machine.transports.at(path.transport).bandwidth.value, most) << to;
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         MachinePreset,
                         testing::ValuesIn(data_file_names(DataKind::machine)),
                         [](const auto& preset_info) {
                           auto name = preset_info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(DgxA100, HasThePartsOfItsUserGuide) {
  const auto machine = preset("dgx-a100-80g");
  EXPECT_EQ(machine.gpu.name, "a100-sxm4-80g");
  EXPECT_EQ(count(machine, VertexKind::gpu), 8);
  EXPECT_EQ(count(machine, VertexKind::nvswitch), 1);
  EXPECT_EQ(count(machine, VertexKind::pcie_switch), 4);
  EXPECT_EQ(count(machine, VertexKind::socket), 2);
  EXPECT_EQ(count(machine, VertexKind::nic), 8);
  // 8 GPUs on NVSwitch, 8 GPUs and 8 NICs on PCIe switches, 4 uplinks, 4 root ports, 1 between
  // the sockets, 2 to their memory.
  EXPECT_EQ(machine.links.size(), 8u + 16u + 4u + 4u + 1u + 2u);
  // 12 NVLinks of 25 GB/s.
  EXPECT_EQ(machine.links.front().physical_links, 12);
  EXPECT_EQ(machine.links.front().bandwidth.value, 300.0_GBps);
}

TEST(DgxH100, HasEighteenNvlinksAndOneNicPerGpu) {
  const auto machine = preset("dgx-h100");
  EXPECT_EQ(machine.links.front().physical_links, 18);
  EXPECT_EQ(machine.links.front().bandwidth.value, 450.0_GBps);
  EXPECT_EQ(count(machine, VertexKind::nic), 8);
  EXPECT_EQ(count(machine, VertexKind::pcie_switch), 8);
}

TEST(Transports, AddUpWithTheLinksToTheFittedStep) {
  // A ring step on a DGX A100 was fitted as 0.96 us: two NVLink crossings of 0.2 us and the hop.
  const auto machine = preset("dgx-a100-80g", 2);
  const Routes routes{machine};
  const auto step = [&](int from, int to) {
    const auto& path = routes.between(from, to);
    return (path.latency + machine.transports.at(path.transport).hop.value).value();
  };
  EXPECT_NEAR(step(0, 1), 0.96e-6, 1e-12);
  // NCCL's constant for a step over a network is 2.7 us.
  EXPECT_NEAR(step(0, 8), 2.7e-6, 1e-12);
}

TEST(Transports, AreKeptOnlyWhereGpusUseThem) {
  // The GPUs of one DGX never talk over PCIe or the network.
  const auto server = preset("dgx-a100-80g");
  EXPECT_EQ(server.transports.size(), 1u);
  EXPECT_TRUE(server.transports.contains(Transport::nvlink));
  const auto cluster = preset("dgx-a100-80g", 2);
  EXPECT_EQ(cluster.transports.size(), 2u);
  EXPECT_TRUE(cluster.transports.contains(Transport::network));
}

// ------------------------------------------------------------------------------------ clusters

TEST(Cluster, IsEqualNodesBehindOneSwitch) {
  const auto server = preset("dgx-a100-80g");
  const auto cluster = preset("dgx-a100-80g", 2);
  EXPECT_EQ(cluster.nodes, 2);
  EXPECT_EQ(cluster.gpu_count(), 16);
  EXPECT_EQ(cluster.gpus_per_node(), 8);
  EXPECT_EQ(cluster.vertices.size(), 2 * server.vertices.size() + 1);
  // Each node has its links and one from each of 8 NICs to the fabric.
  EXPECT_EQ(cluster.links.size(), 2 * (server.links.size() + 8));
  EXPECT_EQ(cluster.vertices.back().id, "fabric");
  EXPECT_EQ(cluster.vertices.back().node, -1);
  EXPECT_EQ(cluster.gpu_name(0), "node0/gpu0");
  EXPECT_EQ(cluster.gpu_name(15), "node1/gpu7");
  const auto& last = cluster.vertex(cluster.gpus[15]);
  EXPECT_EQ(last.node, 1);
  EXPECT_EQ(last.gpu, 15);
  EXPECT_EQ(cluster.direction_name(0), "node0/gpu0->node0/nvswitch");
  EXPECT_EQ(cluster.direction_name(1), "node0/nvswitch->node0/gpu0");
}

TEST(Cluster, OfFourHundredAndTwentyNodesLoads) {
  // 3,360 GPUs, on which Megatron-Turing NLG was trained.
  const auto cluster = preset("dgx-a100-80g", 420);
  EXPECT_EQ(cluster.gpu_count(), 3360);
  EXPECT_EQ(cluster.gpu_name(3359), "node419/gpu7");
}

// --------------------------------------------------------------------------------- bad machines

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

// ------------------------------------------------------------------------------------ bisection

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

// ----------------------------------------------------------------------------------------- text

TEST(TopologyMatrix, UsesTheWordsOfNvidiaSmi) {
  const auto machine = preset("pcie-1s-a100-80g");
  EXPECT_EQ(topology_matrix(machine, Routes{machine}),
            "      gpu0  gpu1  gpu2  gpu3  nic0\n"
            "gpu0  X     PIX   NODE  NODE  PHB\n"
            "gpu1  PIX   X     NODE  NODE  PHB\n"
            "gpu2  NODE  NODE  X     PIX   PHB\n"
            "gpu3  NODE  NODE  PIX   X     PHB\n"
            "nic0  PHB   PHB   PHB   PHB   X\n"
            "\n"
            "  X     itself\n"
            "  PIX   at most one PCIe switch\n"
            "  PHB   a PCIe host bridge (root port) or the CPU\n"
            "  NODE  two PCIe host bridges of one socket\n");
}

TEST(TopologyMatrix, CountsNvlinksAndCrossesSockets) {
  const auto machine = preset("dgx-a100-80g");
  const auto matrix = topology_matrix(machine, Routes{machine});
  EXPECT_NE(matrix.find("gpu0  X     NV12  NV12  NV12  NV12  NV12  NV12  NV12  PIX   PIX   NODE  "
                        "NODE  SYS   SYS   SYS   SYS\n"),
            std::string::npos)
      << matrix;
  const auto h100 = preset("dgx-h100");
  EXPECT_NE(topology_matrix(h100, Routes{h100}).find("gpu0  X     NV18"), std::string::npos);
}

TEST(WayKind, OfSeveralSwitchesWithoutAHostBridgeIsPxb) {
  // gpu1 moves to a second switch behind the first.
  const auto text =
      changed(changed(small_machine,
                      "{\"id\": \"switch\", \"kind\": \"pcie_switch\"}",
                      "{\"id\": [\"switch\", \"second\"], \"kind\": \"pcie_switch\"}"),
              "{\"from\": [\"gpu0\", \"gpu1\"], \"to\": \"switch\", \"type\": \"pcie\"}",
              "{\"from\": [\"gpu0\", \"second\"], \"to\": \"switch\", \"type\": \"pcie\"}, "
              "{\"from\": \"gpu1\", \"to\": \"second\", \"type\": \"pcie\"}");
  const InputFile file{text, "m.json"};
  const auto machine = load_machine(file.path());
  EXPECT_EQ(way_kind(machine, Routes{machine}.between(0, 1)), "PXB");
}

TEST(Description, NamesRingCrossingsAndBisection) {
  const auto text = describe_machine(preset("pcie-2s-a100-40g"));
  EXPECT_NE(text.find("crossings between sockets: socket0->socket1 1, socket1->socket0 1\n"),
            std::string::npos);
  EXPECT_NE(text.find("10 GB/s per direction, between gpu0, gpu1, gpu2, gpu3 and the other GPUs\n"),
            std::string::npos);
  EXPECT_NE(text.find("gpu0  gpu7  SYS   host_memory  1.14 us  10 GB/s    gpu0 > switch0 > root0 > "
                      "socket0 > socket1 > memory1 > socket1 > root3 > switch3 > gpu7\n"),
            std::string::npos);
}

TEST(Description, OfAClusterStaysReadable) {
  const auto text = describe_machine(preset("dgx-a100-80g", 420));
  EXPECT_LT(text.size(), 30'000u);
  EXPECT_NE(text.find("42 TB/s per direction, between the first 210 of 420 nodes"),
            std::string::npos);
}

TEST(Markdown, DrawsTwinsInOneBoxAndOneOfManyParts) {
  const auto dgx = machine_mermaid(preset("dgx-a100-80g"));
  EXPECT_TRUE(dgx.starts_with("flowchart TB\n  v0[\"gpu0, gpu1\"]:::gpu\n")) << dgx;
  EXPECT_NE(dgx.find("  v0 == NV12 === v8\n"), std::string::npos);
  EXPECT_EQ(dgx.find("v1["), std::string::npos);
  const auto rack = machine_mermaid(preset("gb200-nvl72"));
  EXPECT_EQ(rack,
            "flowchart TB\n"
            "  subgraph part [\"one of 36 alike\"]\n"
            "    v0[\"gpu0, gpu1\"]:::gpu\n"
            "    v73[[\"grace0\"]]\n"
            "    v109>\"nic0, nic1\"]\n"
            "  end\n"
            "  v72{{\"nvswitch\"}}\n"
            "  v0 == NV18 === v72\n"
            "  v73 == C2C === v0\n"
            "  v73 --- v109\n"
            "  classDef gpu fill:#c8e6c9,stroke:#2e7d32,color:#000\n");
}

TEST(Markdown, DrawsDirectNvlinksApart) {
  const auto text = machine_markdown(preset("a100-nvlink-pairs"));
  EXPECT_NE(text.find("```mermaid\nflowchart LR\n  gpu0 == NV12 === gpu1\n"), std::string::npos)
      << text;
}

TEST(Dot, NamesVerticesAndLinks) {
  const InputFile file{small_machine, "m.json"};
  const auto dot = machine_dot(load_machine(file.path()));
  EXPECT_TRUE(dot.starts_with("graph \"small\" {\n  subgraph cluster_0 {\n    label=\"node0\";\n"))
      << dot;
  EXPECT_NE(dot.find("    \"switch\" [label=\"switch\", shape=hexagon];\n"), std::string::npos);
  EXPECT_NE(dot.find("  \"gpu0\" -- \"switch\" [label=\"pcie, 10 GB/s\"];\n"), std::string::npos);
}

TEST(Dot, EscapesNamesFromFiles) {
  const InputFile file{changed(small_machine, "\"small\"", R"("a\"b")"), "m.json"};
  EXPECT_TRUE(machine_dot(load_machine(file.path())).starts_with("graph \"a\\\"b\" {\n"));
}

TEST(MachineJson, GivesTheResolvedGraph) {
  const InputFile file{small_machine, "m.json"};
  const auto json = JsonReader::parse(machine_json(load_machine(file.path(), 2)), "machine");
  // 2 x (2 GPUs, switch, NIC) and the fabric; 2 x (3 links, and one to the fabric).
  EXPECT_EQ(json.at("nodes").elements().size(), 9u);
  EXPECT_EQ(json.at("links").elements().size(), 8u);
  const auto last = json.at("links").elements().back();
  EXPECT_EQ(last.at("from").as_string(), "node1/nic0");
  EXPECT_EQ(last.at("to").as_string(), "fabric");
  EXPECT_EQ(last.at("bandwidth_bytes_per_s").as_number(), 5e9);
  EXPECT_EQ(last.at("latency_s").as_number(), 2e-6);
  EXPECT_EQ(json.at("nodes").elements()[1].at("gpu").as_integer(0), 1);
  EXPECT_EQ(json.at("transports").at("pcie").at("base_s").as_number(), 4e-6);
}

TEST(AssumedNumbers, AreThoseThatARunMayUse) {
  const auto lines = assumed_numbers(preset("pcie-2s-a100-40g"));
  EXPECT_TRUE(lines.front().starts_with(
      "machine pcie-2s-a100-40g: link_types/upi/latency = 300 ns (crossing to the other socket"))
      << lines.front();
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with("gpu a100-pcie-40g: memory_reserve = 1.611 GB (");
  }));
  // GPUs of one DGX do not use its network, so nothing of it is listed.
  for (const auto& line : assumed_numbers(preset("dgx-a100-80g"))) {
    EXPECT_EQ(line.find("link_types/hdr"), std::string::npos) << line;
    EXPECT_EQ(line.find("transports/network"), std::string::npos) << line;
  }
}

} // namespace
} // namespace decodesim
