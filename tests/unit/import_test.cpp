#include "sim/json_reader.hpp"
#include "tests/unit/input_file.hpp"
#include "topologies/describe_machine.hpp"
#include "topologies/import_topology.hpp"
#include "topologies/ring.hpp"
#include "topologies/routes.hpp"
#include "topologies/topo_matrix.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace decodesim {
namespace {

using namespace literals;

std::string paste(const std::string& name) {
  return read_text(std::filesystem::path{DECODESIM_TEST_DATA} / "topo" / (name + ".txt"));
}

Machine imported(const std::string& name, const std::string& gpu) {
  const auto file = import_topology(paste(name), name + ".txt", gpu, name);
  return parse_machine(JsonReader::parse(file, name), "");
}

int count(const Machine& machine, VertexKind kind) {
  return static_cast<int>(std::count_if(machine.vertices.begin(),
                                        machine.vertices.end(),
                                        [&](const auto& vertex) { return vertex.kind == kind; }));
}

std::string message_of(const std::string& text, const std::string& gpu = "a100-pcie-80g") {
  const InputFile unused{""};
  return unused.message_of([&] { (void)import_topology(text, "topo.txt", gpu, "m"); });
}

/// What the matrix says of two devices, in the words of way_kind().
std::string word(const TopoEntry& entry) {
  switch (entry.kind) {
  case TopoKind::nvlink:
    return "NV" + std::to_string(entry.nvlinks);
  case TopoKind::pix:
    return "PIX";
  case TopoKind::pxb:
    return "PXB";
  case TopoKind::phb:
    return "PHB";
  case TopoKind::node:
    return "NODE";
  case TopoKind::sys:
    return "SYS";
  case TopoKind::unknown:
    break;
  }
  return "";
}

struct Paste {
  const char* name;
  const char* gpu;
};

class Pasted : public testing::TestWithParam<Paste> {};

TEST_P(Pasted, GivesAMachineThatSaysTheSame) {
  const auto matrix = read_topo_matrix(paste(GetParam().name), "topo.txt");
  const auto machine = imported(GetParam().name, GetParam().gpu);
  ASSERT_EQ(machine.gpu_count(), matrix.gpus());
  const Routes routes{machine};
  int checked = 0;
  for (std::size_t a = 0; a < matrix.devices.size(); ++a) {
    for (std::size_t b = 0; b < matrix.devices.size(); ++b) {
      const auto expected = word(matrix.joins[a][b]);
      if (expected.empty()) {
        continue;
      }
      const auto path = routes.wires(static_cast<int>(a), static_cast<int>(b));
      ASSERT_TRUE(path);
      EXPECT_EQ(way_kind(machine, *path), expected)
          << matrix.devices[a].name << " " << matrix.devices[b].name;
      ++checked;
    }
  }
  EXPECT_GT(checked, 0);
}

TEST_P(Pasted, MarksWhatItAssumes) {
  const auto machine = imported(GetParam().name, GetParam().gpu);
  for (const auto& link : machine.links) {
    EXPECT_EQ(link.bandwidth.kind, SourceKind::assumed) << link.type;
    EXPECT_EQ(link.latency.kind, SourceKind::assumed) << link.type;
  }
  for (const auto& [transport, cost] : machine.transports) {
    EXPECT_EQ(cost.base.kind, SourceKind::assumed) << to_string(transport);
    EXPECT_EQ(cost.hop.kind, SourceKind::assumed) << to_string(transport);
    EXPECT_EQ(cost.bandwidth.kind, SourceKind::assumed) << to_string(transport);
  }
}

TEST_P(Pasted, TakesMoreNodesWhereItHasNics) {
  const auto file = import_topology(paste(GetParam().name), "topo.txt", GetParam().gpu, "m");
  const auto reader = JsonReader::parse(file, "m");
  if (count(parse_machine(reader, ""), VertexKind::nic) > 0) {
    EXPECT_EQ(parse_machine(reader, "", 2).nodes, 2);
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         Pasted,
                         testing::Values(Paste{"dgx-a100", "a100-sxm4-80g"},
                                         Paste{"dgx-h100", "h100-sxm5-80g"},
                                         Paste{"dgx1-v100", "v100-sxm2-32g"},
                                         Paste{"a100-pcie-bridges", "a100-pcie-80g"},
                                         Paste{"l40s-spaces", "l40s-48g"},
                                         Paste{"rtx4090", "rtx4090-24g"},
                                         Paste{"workstation", "rtx4090-24g"},
                                         Paste{"colours-lost-tabs", "a100-sxm4-40g"},
                                         Paste{"old-driver", "v100-sxm2-16g"},
                                         Paste{"quoted", "a100-pcie-40g"}),
                         [](const auto& one) {
                           std::string name = one.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Import, OfADgxFindsTheNvswitch) {
  // 12 links to each of seven others would be 84: no GPU has them.
  const auto machine = imported("dgx-a100", "a100-sxm4-80g");
  EXPECT_EQ(count(machine, VertexKind::nvswitch), 1);
  EXPECT_EQ(Routes{machine}.between(0, 7).bandwidth, 300.0_GBps);
  // Four NUMA nodes of the CPUs have GPUs.
  EXPECT_EQ(count(machine, VertexKind::socket), 4);
  // 12 links of 19 GB/s each.
  EXPECT_EQ(machine.transports.at(Transport::nvlink).bandwidth.value, 228.0_GBps);
}

TEST(Import, OfAMeshJoinsGpusDirectly) {
  const auto machine = imported("dgx1-v100", "v100-sxm2-32g");
  EXPECT_EQ(count(machine, VertexKind::nvswitch), 0);
  EXPECT_EQ(count(machine, VertexKind::socket), 2);
  const Routes routes{machine};
  EXPECT_EQ(routes.between(0, 3).bandwidth, 50.0_GBps);
  EXPECT_EQ(routes.between(0, 5).transport, Transport::host_memory);
  std::vector<int> gpus(8);
  std::iota(gpus.begin(), gpus.end(), 0);
  EXPECT_DOUBLE_EQ(ring_seconds_per_byte(machine, routes, find_ring(machine, routes, gpus)),
                   1 / 50e9);
  // Four GPUs with NV4 to each other: 12 links a GPU, a direct mesh.
  EXPECT_EQ(count(imported("colours-lost-tabs", "a100-sxm4-40g"), VertexKind::nvswitch), 0);
}

TEST(Import, KeepsTheNamesOfNics) {
  const auto text = import_topology(paste("dgx-h100"), "topo.txt", "h100-sxm5-80g", "m");
  const auto file = JsonReader::parse(text, "m");
  EXPECT_EQ(file.at("_nics").at("nic1").as_string(), "mlx5_3");
  EXPECT_EQ(file.at("source").as_string(),
            "nvidia-smi topo -m, topo.txt; links and costs are assumed");
}

TEST(Import, RefusesABrokenRowByItsLine) {
  EXPECT_EQ(
      message_of(paste("bad-truncated")),
      "topo.txt: line 5: has nothing where GPU3 meets GPU6; X, NV#, PIX, PXB, PHB, NODE or SYS "
      "is expected");
  EXPECT_EQ(message_of(paste("bad-garbled")),
            "topo.txt: line 4: has \"N0DE\" where GPU2 meets GPU0; X, NV#, PIX, PXB, PHB, NODE or "
            "SYS is expected");
}

// A terminal that wraps long lines, and a header that was cut: both would lose devices.
TEST(Import, RefusesRowsThatHaveNoColumn) {
  EXPECT_EQ(
      message_of("  GPU0 GPU1 CPU Affinity\nGPU0 X SYS 0-3\nGPU1 SYS X 0-3\nGPU2 SYS SYS X 0-3\n"),
      "topo.txt: line 4: begins with \"GPU2\", which line 1 does not name; a row for each "
      "column is expected, on one line");
  EXPECT_EQ(message_of("  GPU0 GPU1\nGPU0 X SYS PIX\nGPU1 SYS X PIX\n"),
            "topo.txt: line 2: has more entries than line 1 has columns; the paste may have been "
            "cut; an entry for each column is expected");
}

TEST(Import, ReadsWhatEditorsAndWebPagesAdd) {
  const auto matrix = read_topo_matrix(
      "\xEF\xBB\xBF\xC2\xA0GPU0\xC2\xA0GPU1\nGPU0\xC2\xA0X SYS\nGPU1 SYS X\n", "topo.txt");
  EXPECT_EQ(matrix.devices.size(), 2u);
}

TEST(Import, RefusesWhatIsNoMatrix) {
  EXPECT_EQ(message_of("hello\n"),
            "topo.txt: has no line that begins with GPU0 and names the columns; the output of "
            "`nvidia-smi topo -m` is expected");
  EXPECT_EQ(
      message_of(" GPU0 GPU2 CPU Affinity\n"),
      "topo.txt: line 1: names GPU2 as column 2; GPU0, GPU1 and so on are expected, then NICs");
  EXPECT_EQ(message_of("  GPU0 GPU1\nGPU0 X SYS\n"),
            "topo.txt: line 1: names GPU1, which has no row; a row for each GPU");
  EXPECT_EQ(message_of("  GPU0 GPU1\nGPU0 X SYS\nGPU1 PIX X\n"),
            "topo.txt: line 3: has another entry where GPU1 meets GPU0 than line 2; both rows say "
            "the same");
  EXPECT_EQ(message_of("  GPU0 GPU1\nGPU0 X SYS\nGPU0 X SYS\n"),
            "topo.txt: line 3: is a second row of GPU0; line 2 is the first");
  EXPECT_EQ(message_of("  GPU0 GPU1\nGPU0 SYS X\nGPU1 X SYS\n"),
            "topo.txt: line 2: has no X where GPU0 meets GPU0; a row has X where it meets itself, "
            "and nowhere else");
}

TEST(Import, RefusesAMatrixOfNoTree) {
  // GPU1 shares a switch with both others, which are on two sockets.
  EXPECT_EQ(message_of("  GPU0 GPU1 GPU2\nGPU0 X PIX SYS\nGPU1 PIX X PIX\nGPU2 SYS PIX X\n"),
            "topo.txt: GPU0 and GPU2 are farther apart than what joins both to others; no tree of "
            "switches and sockets has such a matrix; is a row or column mixed up?");
  // 12 + 12 direct links of one GPU.
  EXPECT_EQ(
      message_of("  GPU0 GPU1 GPU2\nGPU0 X NV12 NV12\nGPU1 NV12 X SYS\nGPU2 NV12 SYS X\n"),
      "topo.txt: gives a GPU 24 NVLinks to others, not as many to each; direct links are 18 at "
      "most, and behind an NVSwitch all pairs are alike");
  EXPECT_EQ(message_of("  GPU0 GPU1\nGPU0 X NV4\nGPU1 NV4 X\n", "rtx4090-24g"),
            "topo.txt: has NVLinks, which this GPU does not have; check --gpu");
}

} // namespace
} // namespace decodesim
