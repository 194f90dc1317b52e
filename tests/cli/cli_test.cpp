#include "tests/cli/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <fstream>
#include <unistd.h>

namespace decodesim {
namespace {

using nlohmann::json;

Ended own_program_with(const std::string& arguments) {
  return run_program(DECODESIM_OWN_STRATEGIES, arguments);
}

/// A small run: 8 billion parameters, 4 output tokens.
const std::string small = " --model llama-3-8b --machine dgx-a100-80g --osl 4 ";

// ----------------------------------------------------------------------------------------- help

TEST(Help, NamesTheSubcommands) {
  const auto ended = decodesim_with("--help");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.err, "");
  for (const auto* word :
       {"run", "compare", "plan", "topology", "list", "describe", "Exit codes"}) {
    EXPECT_NE(ended.out.find(word), std::string::npos) << word;
  }
}

TEST(Help, OfEverySubcommandHasAnExample) {
  for (const std::string command : {"run", "compare", "plan", "topology", "list", "describe"}) {
    const auto ended = decodesim_with(command + " --help");
    EXPECT_EQ(ended.code, 0) << command;
    EXPECT_NE(ended.out.find("\n  decodesim " + command + " "), std::string::npos) << command;
  }
}

TEST(Version, NamesVersionAndRevision) {
  const auto ended = decodesim_with("--version");
  EXPECT_EQ(ended.code, 0);
  EXPECT_TRUE(ended.out.starts_with("decodesim 0.")) << ended.out;
  EXPECT_NE(ended.out.find('('), std::string::npos) << ended.out;
}

// ------------------------------------------------------------------------- the other subcommands

TEST(Lists, NameWhatOthersTake) {
  EXPECT_NE(decodesim_with("list models").out.find("llama-3-70b "), std::string::npos);
  EXPECT_NE(decodesim_with("list models").out.find(" 70.55e9 parameters"), std::string::npos);
  EXPECT_NE(decodesim_with("list machines").out.find("dgx-a100-80g "), std::string::npos);
  EXPECT_NE(decodesim_with("list gpus").out.find("a100-sxm4-80g "), std::string::npos);
  EXPECT_NE(decodesim_with("list strategies").out.find("zero3 "), std::string::npos);
  EXPECT_NE(decodesim_with("list schedules").out.find("1f1b "), std::string::npos);
}

TEST(Describe, KnowsEveryNameThatIsListed) {
  for (const std::string kind : {"models",
                                 "machines",
                                 "networks",
                                 "gpus",
                                 "frameworks",
                                 "strategies",
                                 "schedules",
                                 "collectives"}) {
    std::istringstream list{decodesim_with("list " + kind).out};
    int names = 0;
    for (std::string line; std::getline(list, line); ++names) {
      const auto name = line.substr(0, line.find(' '));
      if (kind == "frameworks" && name == "none") {
        continue; // stands for the lack of one
      }
      const auto ended = decodesim_with("describe " + name);
      EXPECT_EQ(ended.code, 0) << name;
      EXPECT_NE(ended.out.find(name), std::string::npos) << name;
    }
    EXPECT_GE(names, 2) << kind;
  }
}

TEST(Describe, SaysWhatTheFileOfAModelStores) {
  const auto mixed = decodesim_with("describe gpt-oss-120b").out;
  EXPECT_NE(mixed.find("bf16, experts in mxfp4 (quantization_config)"), std::string::npos) << mixed;
  EXPECT_NE(mixed.find("128 tokens in 18 of 36 layers"), std::string::npos) << mixed;
  const auto latent = decodesim_with("describe deepseek-v3").out;
  EXPECT_NE(latent.find("fp8 (quantization_config)"), std::string::npos) << latent;
  // 61 x 576 x 2.
  EXPECT_NE(latent.find("70272 B a token"), std::string::npos) << latent;
  EXPECT_NE(latent.find("671.026e9"), std::string::npos) << latent;
  EXPECT_NE(decodesim_with("describe llama-3-70b").out.find("bf16 (no other type is stated)"),
            std::string::npos);
}

// 1.8e12 parameters in fp16 are 3.6e12 B: 450e9 B, 419 GiB on each of 8 GPUs; in int8 half of that,
// in int4 4.125 bits each.
TEST(Describe, GivesTheWeightsOfAParameterCountAlone) {
  const auto text = decodesim_with("describe --params 1.8e12");
  EXPECT_EQ(text.code, 0);
  EXPECT_TRUE(text.out.starts_with("weights of 1.8e+12 parameters, GiB per GPU\n")) << text.out;
  EXPECT_NE(text.out.find("   8   419   210    108\n"), std::string::npos) << text.out;
  const auto csv = decodesim_with("describe --params 1.8e12 --format csv").out;
  EXPECT_TRUE(csv.starts_with("parameters,dtype,gpus,weights_bytes_per_gpu\n")) << csv;
  EXPECT_NE(csv.find("\n1800000000000.0,fp16,8,450000000000.0\n"), std::string::npos) << csv;
  EXPECT_NE(csv.find("\n1800000000000.0,int4,8,116015625000.0\n"), std::string::npos) << csv;
  const auto table = json::parse(decodesim_with("describe --params 1.8e12 --format json").out);
  EXPECT_EQ(table.at("parameters"), 1.8e12);
  EXPECT_EQ(table.at("weights").at(0).at("weights_bytes_per_gpu"), 3.6e12);
}

TEST(Describe, NeedsANameOrAParameterCount) {
  const std::string allowed =
      "; a whole number of parameters from 1 to 1e17 is expected, such as 1.8e12";
  for (const std::string wrong : {"1.8T", "0", "-5", "1.5", "1e18", "nan"}) {
    expect_refused("describe --params=" + wrong, 3, "--params: is \"" + wrong + "\"" + allowed);
  }
  expect_refused("describe --params 5 --format dot",
                 3,
                 "--format: format \"dot\" is unknown; known: text, csv, json");
  EXPECT_EQ(decodesim_with("describe").code, 2);
  EXPECT_EQ(decodesim_with("describe llama-3-8b --params 5").code, 2);
  EXPECT_EQ(decodesim_with("describe llama-3-8b --format json").code, 2);
}

TEST(Machines, EachRunsTheSmallestExample) {
  std::istringstream list{decodesim_with("list machines").out};
  int machines = 0;
  for (std::string line; std::getline(list, line); ++machines) {
    const auto name = line.substr(0, line.find(' '));
    const auto ended =
        decodesim_with("run --model " DECODESIM_SOURCE "/tests/data/models/gpt2 --machine " + name +
                       (name.starts_with("shared-") ? " --nodes 2" : "") +
                       " --tp 2 --isl 8 --osl 2 --format json");
    EXPECT_EQ(ended.code, 0) << name << ": " << ended.err;
    const auto result = json::parse(ended.out).at("results").at(0);
    EXPECT_EQ(result.at("status"), "ok") << name;
    EXPECT_GT(result.at("tpot_s").get<double>(), 0.0) << name;
  }
  EXPECT_GE(machines, 14);
}

TEST(Fabric, IsAFlagAndAKeyOfScenarios) {
  const TemporaryFolder folder;
  const auto file = (folder / "scenario.json").string();
  const std::string two_nodes =
      "run --model llama-3-8b --machine dgx-a100-80g --nodes 2 --tp 8 --pp 2 --osl 2 --isl 8 ";
  const auto with_flag = two_nodes + "--fabric rail-optimized:2to1:hdr ";
  std::ofstream{file} << decodesim_with(with_flag + "--dump-scenario").out;
  const auto dumped = decodesim_with(with_flag + "--format json");
  EXPECT_EQ(dumped.code, 0) << dumped.err;
  EXPECT_EQ(json::parse(dumped.out).at("scenario").at("fabric"), "rail-optimized:hdr:2to1");
  // The file means the same; a flag overrides it.
  EXPECT_EQ(decodesim_with("run " + file + " --format json").out, dumped.out);
  const auto slow = decodesim_with("run " + file + " --fabric single-switch:eth10 --format json");
  EXPECT_GT(json::parse(slow.out).at("results").at(0).at("tpot_s").get<double>(),
            json::parse(dumped.out).at("results").at(0).at("tpot_s").get<double>());
  EXPECT_NE(decodesim_with(two_nodes + "--fabric fat-tree:ndr").out.find("2 nodes, fat-tree:ndr"),
            std::string::npos);
  expect_refused(two_nodes + "--fabric fat-tree:wide",
                 3,
                 "--fabric: network \"wide\" is unknown; known: edr, efa100, eth10, eth100, eth25, "
                 "hdr, loopback, ndr, roce10, "
                 "roce100, roce200, roce400");
}

TEST(Topology, ImportsWhatNvidiaSmiPrints) {
  const TemporaryFolder folder;
  const auto file = (folder / "m.json").string();
  const std::string pastes = DECODESIM_SOURCE "/tests/data/topo/";
  const auto made =
      decodesim_with("topology --import " + pastes +
                     "dgx-h100.txt --gpu h100-sxm5-80g --format json --output " + file);
  EXPECT_EQ(made.code, 0) << made.err;
  const auto text = read_text(file);
  EXPECT_EQ(json::parse(text).at("nodes").at(0).at("kind"), "gpu");
  EXPECT_TRUE(json::parse(text).at("links").is_array());
  // It loads as a machine file, and is shown like any other.
  const auto shown = decodesim_with("topology " + file);
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("Machine dgx-h100: imported: 8 x h100-sxm5-80g, 8 NICs, 2 sockets\n"),
            std::string::npos)
      << shown.out;
  EXPECT_EQ(decodesim_with("topology --import " + pastes + "dgx-h100.txt --gpu h100-sxm5-80g").out,
            shown.out);
  EXPECT_EQ(decodesim_with("topology " + file + " --nodes 4 --fabric rail-optimized").code, 0);
  expect_refused("topology --import " + pastes + "bad-garbled.txt --gpu rtx4090-24g",
                 3,
                 pastes +
                     "bad-garbled.txt: line 4: has \"N0DE\" where GPU2 meets GPU0; X, NV#, PIX, "
                     "PXB, PHB, NODE or SYS is expected");
  EXPECT_EQ(decodesim_with("topology --import " + pastes + "dgx-h100.txt").code, 2);
  EXPECT_EQ(decodesim_with("topology dgx-h100 --gpu h100-sxm5-80g").code, 2);
  EXPECT_EQ(decodesim_with("topology").code, 2);
}

TEST(Topology, ShowsAMachineAndChecksAFile) {
  EXPECT_NE(decodesim_with("topology dgx-a100-80g").out.find("NV12"), std::string::npos);
  EXPECT_TRUE(decodesim_with("topology pcie-2s-a100-40g --format dot").out.starts_with("graph "));
  EXPECT_EQ(json::parse(decodesim_with("topology dgx-a100-80g --format json").out).at("name"),
            "dgx-a100-80g");
  const TemporaryFolder folder;
  const auto file = (folder / "m.json").string();
  std::ofstream{file} << "{}";
  const auto ended = decodesim_with("topology " + file);
  EXPECT_EQ(ended.code, 3);
  EXPECT_TRUE(ended.err.starts_with("decodesim: " + file + ": /: ")) << ended.err;
}

TEST(Plan, PrintsOperationsAndTheCriticalPath) {
  const auto ended = decodesim_with("plan" + small + "--tp 2");
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const auto* text : {"plan tp2: 2 ranks",
                           "qkv_proj",
                           "all_reduce over tp",
                           "again for the next 30 layers",
                           "critical path on dgx-a100-80g: "}) {
    EXPECT_NE(ended.out.find(text), std::string::npos) << text;
  }
}

TEST(Plan, NeedsNoMachine) {
  const auto ended = decodesim_with("plan --model llama-3-8b --zero3 --gpus 4 --format json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto plan = json::parse(ended.out).at("plans").at(0);
  EXPECT_EQ(plan.at("layout"), "zero3x4");
  EXPECT_EQ(plan.at("program_of_rank").size(), 4U);
  EXPECT_FALSE(plan.contains("critical_path"));
}

TEST(Plan, BoundsTheSimulationFromBelow) {
  const auto flags = small + "--pp 4 --schedule gpipe --batch-size 8 --format json";
  const auto path =
      json::parse(decodesim_with("plan" + flags).out).at("plans").at(0).at("critical_path");
  const auto result = json::parse(decodesim_with("run" + flags).out).at("results").at(0);
  EXPECT_LE(path.at("first_token_s").get<double>(), result.at("ttft_s").get<double>());
  EXPECT_LE(path.at("end_s").get<double>(), result.at("end_to_end_s").get<double>());
}

// -------------------------------------------------- programs with strategies of their own;
// failures

TEST(OwnProgram, HasTheWholeCommandLineAndItsStrategy) {
  EXPECT_NE(own_program_with("list strategies").out.find("mine "), std::string::npos);
  const auto theirs = own_program_with("run" + small + "--strategy mine --tp 4 --format json");
  ASSERT_EQ(theirs.code, 0) << theirs.err;
  auto mine = json::parse(theirs.out).at("results").at(0);
  EXPECT_EQ(mine.at("layout"), "mine4");
  auto ours =
      json::parse(decodesim_with("run" + small + "--tp 4 --format json").out).at("results").at(0);
  mine.erase("layout");
  ours.erase("layout");
  EXPECT_EQ(mine, ours);
}

TEST(Unfinished, NamesTheOperationsThatHang) {
  for (const auto& command : {"run" + small + "--pp 2 --schedule stuck",
                              "compare" + small + "--strategies tp,pp2:stuck"}) {
    const TemporaryFolder folder;
    const auto ended = own_program_with(command + " --output " + (folder / "r.txt").string());
    EXPECT_EQ(ended.code, 4) << ended.err;
    EXPECT_EQ(ended.out, "");
    EXPECT_NE(ended.err.find("pp2-stuck"), std::string::npos) << ended.err;
    EXPECT_EQ(folder.entries(), std::vector<std::string>{});
  }
}

TEST(InternalError, NamesTheLayoutWhoseProcessCrashed) {
  const auto ended = own_program_with("compare" + small + "--strategies tp,pp2:crash");
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.out, "");
  EXPECT_NE(ended.err.find("internal error: pp2-crash: its process was killed by signal 6"),
            std::string::npos)
      << ended.err;
}

} // namespace
} // namespace decodesim
