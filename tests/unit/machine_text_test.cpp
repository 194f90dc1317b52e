#include "sim/json_reader.hpp"
#include "tests/unit/input_file.hpp"
#include "tests/unit/small_machine.hpp"
#include "topologies/describe_machine.hpp"
#include "topologies/draw_machine.hpp"
#include "topologies/machine.hpp"
#include "topologies/machine_graph_text.hpp"
#include "topologies/routes.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace decodesim {
namespace {

Machine preset(const std::string& name, int nodes = 1) {
  return find_machine(name, nodes, "--machine");
}

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
