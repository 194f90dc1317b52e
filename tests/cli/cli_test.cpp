#include "tests/cli/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <fstream>
#include <unistd.h>

namespace decodesim {
namespace {

using nlohmann::json;

Ended decodesim_with(const std::string& arguments) {
  return run_program(DECODESIM_PROGRAM, arguments);
}

Ended own_program_with(const std::string& arguments) {
  return run_program(DECODESIM_OWN_STRATEGIES, arguments);
}

/// A small run: 8 billion parameters, 4 output tokens.
const std::string small = " --model llama-3-8b --machine dgx-a100-80g --osl 4 ";

/// Bad input: exit code, the whole of stderr, and nothing on stdout.
void expect_refused(const std::string& arguments, int code, const std::string& message) {
  const auto ended = decodesim_with(arguments);
  EXPECT_EQ(ended.code, code) << arguments;
  EXPECT_EQ(ended.err, "decodesim: " + message + "\n") << arguments;
  EXPECT_EQ(ended.out, "") << arguments;
}

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

// ---------------------------------------------------------------------------------------- usage

TEST(Usage, SuggestsTheNearestFlagAndCommand) {
  expect_refused("run" + small + "--bach-size 3",
                 2,
                 "flag --bach-size is unknown; did you mean --batch-size?\n"
                 "See `decodesim run --help`.");
  expect_refused("rnu", 2, "command rnu is unknown; did you mean run?\nSee `decodesim --help`.");
  expect_refused("", 2, "a command is required\nSee `decodesim --help`.");
}

TEST(Usage, NamesWhatIsMissing) {
  expect_refused("run --machine dgx-a100-80g", 2, "--model is required");
  expect_refused("run --model llama-3-8b", 2, "--machine is required");
  expect_refused("compare" + small, 2, "--strategies is required");
  expect_refused("plan --model llama-3-8b --zero3",
                 2,
                 "--gpus or --machine is required for a strategy without its degree");
}

TEST(Usage, RefusesFlagsThatExcludeEachOther) {
  expect_refused(
      "run" + small + "--zero3 --strategy tp", 2, "--zero3 and --strategy tp exclude each other");
  expect_refused("run" + small + "--schedule gpipe", 2, "--schedule needs --pp");
}

// ------------------------------------------------------------------------------------ bad input

TEST(BadInput, NamesFlagValueAndWhatIsAllowed) {
  const auto run = "run" + small;
  expect_refused(run + "--tp 0", 3, "--tp: is \"0\"; a whole number from 1 to 100000 is expected");
  expect_refused(run + "--batch-size -3",
                 3,
                 "--batch-size: is \"-3\"; a whole number from 1 to 1000000 is expected");
  expect_refused(
      run + "--isl nan", 3, "--isl: is \"nan\"; a whole number from 1 to 100000000 is expected");
  expect_refused(run + "--isl 99999999999999",
                 3,
                 "--isl: is \"99999999999999\"; a whole number from 1 to 100000000 is expected");
  expect_refused("run --model llama-3-8b --machine dgx-a100-80g --osl 1.5",
                 3,
                 "--osl: is \"1.5\"; a whole number from 1 to 1000000 is expected");
  expect_refused(
      run + "--nodes 0", 3, "--nodes: is \"0\"; a whole number from 1 to 10000 is expected");
  expect_refused(run + "--tp 100000 --pp 100000",
                 3,
                 "--tp, --pp, --dp: means 10000000000 GPUs; at most 10000000 are allowed");
  expect_refused("compare" + small + "--strategies tp --gpus 16",
                 3,
                 "--gpus: is 16; the machine has 8; see --nodes for more");
}

TEST(BadInput, SuggestsTheNearestName) {
  const auto run = "run" + small;
  expect_refused(run + "--dtype bf17",
                 3,
                 "--dtype: data type \"bf17\" is unknown; did you mean \"bf16\"? known: fp32, "
                 "bf16, fp16, fp8, int8, int4, int4_g64, int4_g32, mxfp4, q4_0, "
                 "q4_k_m, q8_0");
  expect_refused(run + "--launch graf",
                 3,
                 "--launch: launch mode \"graf\" is unknown; did you mean \"graph\"? known: graph, "
                 "eager");
  expect_refused(run + "--format jsn",
                 3,
                 "--format: format \"jsn\" is unknown; did you mean \"json\"? known: text, "
                 "markdown, csv, json");
  expect_refused(
      "list modles",
      3,
      "list: kind \"modles\" is unknown; did you mean \"models\"? known: models, "
      "machines, networks, gpus, frameworks, strategies, schedules, collectives, routings");
  for (const auto* arguments :
       {"run --model lama-3-8b --machine dgx-a100-80g", "describe lama-3-8b"}) {
    const auto ended = decodesim_with(arguments);
    EXPECT_EQ(ended.code, 3);
    EXPECT_NE(ended.err.find("\"lama-3-8b\" is unknown; did you mean \"llama-3-8b\"?"),
              std::string::npos)
        << ended.err;
  }
}

TEST(BadInput, NamesFileAndPointer) {
  const TemporaryFolder folder;
  const auto file = (folder / "s.json").string();
  std::ofstream{file} << R"({"model": "llama-3-8b", "machine": "dgx-a100-80g", "isl": 0})";
  expect_refused(
      "run " + file, 3, file + ": /isl: is 0; a whole number from 1 to 100000000 is expected");
  std::ofstream{file} << R"({"model": "lama-3-8b", "machine": "dgx-a100-80g"})";
  const auto ended = decodesim_with("run " + file);
  EXPECT_EQ(ended.code, 3);
  EXPECT_TRUE(ended.err.starts_with("decodesim: " + file + ": /model: model \"lama-3-8b\" is"))
      << ended.err;
  std::ofstream{file} << "{";
  EXPECT_EQ(decodesim_with("run " + file).code, 3);
  expect_refused(
      "run /no/such/file.json", 3, "/no/such/file.json: cannot be read; give a file that exists");
}

TEST(BadInput, NamesATypeOfExpertsForAModelWithoutAny) {
  expect_refused("run" + small + "--expert-dtype fp8",
                 3,
                 "--expert-dtype: is fp8, but llama-3-8b has no experts; leave it out");
}

TEST(BadInput, FindsAnUnwritableOutputFirst) {
  // This run would take minutes: 100,000 tokens.
  const std::string run = "run --model llama-3-8b --machine dgx-a100-80g --osl 100000 ";
  for (const std::string flag : {"--output", "--timeline"}) {
    expect_refused(run + flag + " /no/such/folder/file.json",
                   3,
                   "/no/such/folder/file.json: cannot be written (No such file or directory); give "
                   "a path in an existing folder");
  }
  const auto ended = decodesim_with(run + "--timeline-dir /proc/none");
  EXPECT_EQ(ended.code, 3);
  EXPECT_TRUE(ended.err.starts_with("decodesim: /proc/none: cannot be used as a folder"))
      << ended.err;
}

TEST(BadInput, LeavesNoFileBehind) {
  const TemporaryFolder folder;
  const auto path = folder.path().string();
  const auto ended =
      decodesim_with("run" + small + "--tp 3 --output " + path + "/r.json --timeline " + path +
                     "/t.json --timeline-dir " + path + "/new/folder");
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(folder.entries(), std::vector<std::string>{});
}

TEST(BadInput, KeepsAnOlderFile) {
  const TemporaryFolder folder;
  const auto file = (folder / "r.json").string();
  std::ofstream{file} << "older";
  EXPECT_EQ(decodesim_with("run" + small + "--tp 3 --output " + file).code, 3);
  EXPECT_EQ(read_text(file), "older");
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"r.json"});
}

TEST(BadInput, IsFoundWhenStdoutIsFull) {
  const auto ended = run_program(
      "/bin/sh", std::string{"-c \""} + DECODESIM_PROGRAM + " list models > /dev/full\"");
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.err, "decodesim: stdout: cannot be written\n");
}

// ------------------------------------------------------------------------------------------ run

TEST(Run, RefusesALayoutThatDoesNotSuit) {
  // Llama-3-8B has 32 heads.
  expect_refused("run" + small + "--tp 3",
                 3,
                 "tp3: llama-3-8b has 32 attention heads, which tp = 3 does not divide");
  expect_refused("run" + small + "--tp 16", 3, "tp16: needs 16 GPUs; there are 8");
}

TEST(Run, PrintsWhatDoesNotFitAndFails) {
  // 70.55e9 parameters of 2 B are 141.1 GB, more than one A100 has.
  const auto ended = decodesim_with("run --model llama-3-70b --machine dgx-a100-80g");
  EXPECT_EQ(ended.code, 3);
  EXPECT_NE(ended.out.find("does not fit"), std::string::npos) << ended.out;
  EXPECT_TRUE(ended.err.starts_with("decodesim: single: needs 141.4 GB of 84.3 GB on the fullest "
                                    "GPU (weights 141.1, "))
      << ended.err;
}

TEST(Run, PrintsWhatCannotRunAsJsonAndFails) {
  for (const auto& [model, layout, status] : {std::tuple{"llama-3-8b", "--tp 3", "invalid"},
                                              std::tuple{"llama-3-70b", "", "does_not_fit"}}) {
    const auto ended = decodesim_with(std::string{"run --machine dgx-a100-80g --format json "} +
                                      layout + " --model " + model);
    EXPECT_EQ(ended.code, 3);
    const auto result = json::parse(ended.out).at("results").at(0);
    EXPECT_EQ(result.at("status"), status);
    EXPECT_FALSE(result.at("reason").get<std::string>().empty());
  }
}

TEST(Run, FoldsRanksAndSamplesStepsUnlessTold) {
  const auto result = [](const std::string& flags) {
    const auto ended = decodesim_with("run --model llama-3-8b --machine dgx-a100-80g --osl 200 "
                                      "--tp 2 --format json " +
                                      flags);
    EXPECT_EQ(ended.code, 0) << ended.err;
    return json::parse(ended.out).at("results").at(0);
  };
  const auto usual = result("");
  EXPECT_EQ(usual.at("simulated_ranks"), 1);
  EXPECT_LT(usual.at("simulated_steps"), 199);
  const auto all = result("--fold none --every-token");
  EXPECT_EQ(all.at("simulated_ranks"), 2);
  EXPECT_EQ(all.at("simulated_steps"), 199);
  const auto tpot = all.at("tpot_s").get<double>();
  EXPECT_NEAR(usual.at("tpot_s").get<double>(), tpot, 1e-3 * tpot);
  expect_refused("run" + small + "--fold some",
                 3,
                 "--fold: folding \"some\" is unknown; did you mean \"none\"? known: auto, none");
}

TEST(Run, PrintsJsonWithTheDocumentedKeys) {
  const auto ended = decodesim_with("run" + small + "--tp 2 --format json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto report = json::parse(ended.out);
  EXPECT_EQ(report.at("format_version"), 1);
  EXPECT_EQ(report.at("tool").at("name"), "decodesim");
  EXPECT_TRUE(report.at("tool").contains("version"));
  EXPECT_EQ(report.at("scenario").at("osl"), 4);
  ASSERT_EQ(report.at("results").size(), 1U);
  const auto& result = report.at("results").at(0);
  EXPECT_EQ(result.at("layout"), "tp2");
  EXPECT_EQ(result.at("status"), "ok");
  EXPECT_EQ(result.at("gpus"), 2);
  for (const auto* key : {"weights_bytes",
                          "kv_cache_bytes",
                          "activation_bytes",
                          "buffer_bytes",
                          "total_bytes",
                          "capacity_bytes"}) {
    EXPECT_TRUE(result.at("memory").contains(key)) << key;
  }
  for (const auto* key : {"reason",
                          "ttft_s",
                          "tpot_s",
                          "tokens_per_s",
                          "tokens_per_s_per_gpu",
                          "bubble_ratio",
                          "links",
                          "assumed"}) {
    EXPECT_TRUE(result.contains(key)) << key;
  }
  EXPECT_TRUE(result.at("communication").contains("tensor_bytes_per_step"));
  EXPECT_TRUE(result.at("communication").contains("received_bytes_per_gpu_per_step"));
  double sum = 0;
  for (const auto* key : {"compute", "communication", "waiting", "other"}) {
    sum += result.at("breakdown").at(key).get<double>();
  }
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(Run, EndsItsSummaryWithSimulatedSecondsPerWallSecond) {
  const auto ended = decodesim_with("run" + small + "--tp 2");
  EXPECT_EQ(ended.code, 0);
  EXPECT_TRUE(ended.err.ends_with(" simulated seconds per wall second\n")) << ended.err;
  EXPECT_EQ(ended.out.find("wall"), std::string::npos) << ended.out;
}

TEST(Run, GivesZero3TheGpusThatAreLeft) {
  const auto ended = decodesim_with("run" + small + "--zero3 --tp 2 --format json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(json::parse(ended.out).at("results").at(0).at("layout"), "tp2zero3x4");
}

TEST(Run, KnowsTheLongNamesOfTheDegrees) {
  const auto ended = decodesim_with(
      "run" + small +
      "--tensor-parallel-size 2 --pipeline-parallel-size 2 --data-parallel-size 2 --batch-size 4 "
      "--format json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(json::parse(ended.out).at("results").at(0).at("layout"), "tp2pp2dp2-naive");
}

TEST(Run, WritesFilesAndKeepsStdoutClean) {
  const TemporaryFolder folder;
  const auto path = folder.path().string();
  const auto ended =
      decodesim_with("run" + small + "--tp 2 --format json --output " + path +
                     "/r.json --timeline " + path + "/t.json --timeline-dir " + path + "/all");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(folder.entries(), (std::vector<std::string>{"all", "r.json", "t.json"}));
  EXPECT_EQ(json::parse(read_text(folder / "r.json")).at("results").size(), 1U);
  EXPECT_TRUE(json::parse(read_text(folder / "t.json")).contains("traceEvents"));
  EXPECT_EQ(read_text(folder / "t.json"), read_text(folder / "all" / "tp2.json"));
  for (const auto* rank : {"rank_0.json", "rank_1.json"}) {
    EXPECT_TRUE(json::parse(read_text(folder / "all" / "tp2" / rank)).contains("distributedInfo"));
  }
}

TEST(Run, ColoursWhenAsked) {
  EXPECT_NE(decodesim_with("run" + small + "--tp 2 --color always").out.find("\x1b["),
            std::string::npos);
  EXPECT_EQ(decodesim_with("run" + small + "--tp 2").out.find("\x1b["), std::string::npos);
}

TEST(Run, WarnsOfContextsThatTheModelWasNotMadeFor) {
  // Llama-2 was published for 4096 tokens.
  const auto ended =
      decodesim_with("run --model llama-2-7b --machine dgx-a100-80g --isl 5000 --osl 2");
  EXPECT_EQ(ended.code, 0);
  EXPECT_TRUE(ended.err.starts_with("decodesim: warning: isl + osl = 5002 tokens, but llama-2-7b "
                                    "was published for contexts of 4096\n"))
      << ended.err;
}

// ------------------------------------------------------------------------------- scenario files

TEST(DumpScenario, ReadsBackAsItself) {
  const TemporaryFolder folder;
  const auto file = (folder / "s.json").string();
  const auto first = decodesim_with(
      "run" + small +
      "--tp 2 --pp 4 --schedule 1f1b --micro-batches 4 --stage-layers 9,8,8,7 --batch-size 8 "
      "--dtype int8 --kv-cache-dtype fp8 --mapping pp,tp,dp --collectives two-shot --launch eager "
      "--ring-order ranks --dump-scenario");
  ASSERT_EQ(first.code, 0) << first.err;
  std::ofstream{file} << first.out;
  const auto second = decodesim_with("run " + file + " --dump-scenario");
  EXPECT_EQ(second.out, first.out) << second.err;
  EXPECT_EQ(json::parse(first.out).at("layouts").at(0).at("tag"), "tp2pp4-1f1b-m4-layers9+8+8+7");
}

TEST(DumpScenario, RunsAsTheFlagsDo) {
  const TemporaryFolder folder;
  const auto file = (folder / "s.json").string();
  const std::string flags = small + "--strategies tp,pp:gpipe --batch-size 8 ";
  std::ofstream{file} << decodesim_with("compare" + flags + "--dump-scenario").out;
  const auto direct = decodesim_with("compare" + flags + "--format json");
  EXPECT_EQ(direct.code, 0);
  EXPECT_EQ(decodesim_with("run " + file + " --format json").out, direct.out);
  EXPECT_EQ(decodesim_with("compare " + file + " --format json").out, direct.out);
}

TEST(DumpScenario, MakesPathsIndependentOfWhereItIsStored) {
  const TemporaryFolder folder;
  std::filesystem::copy_file(DECODESIM_SOURCE "/topologies/machines/dgx-a100-80g.json",
                             folder / "mine.json");
  const auto ended =
      run_program("/bin/sh",
                  "-c 'cd " + folder.path().string() + " && " + DECODESIM_PROGRAM +
                      " run --model llama-3-8b --machine ./mine.json --dump-scenario'");
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(json::parse(ended.out).at("machine"), (folder / "mine.json").string());
}

TEST(ScenarioFlags, OverrideTheFile) {
  const TemporaryFolder folder;
  const auto file = (folder / "s.json").string();
  std::ofstream{file} << R"({"model": "llama-3-8b", "machine": "dgx-a100-80g", "osl": 4,
                            "batch_size": 2, "layouts": ["tp8"]})";
  const auto ended = decodesim_with("run " + file + " --batch-size 5 --tp 4 --dump-scenario");
  const auto scenario = json::parse(ended.out);
  EXPECT_EQ(scenario.at("batch_size"), 5);
  EXPECT_EQ(scenario.at("osl"), 4);
  EXPECT_EQ(scenario.at("layouts").at(0).at("tag"), "tp4");
}

TEST(ScenarioFlags, ChangeTheGpusThatAnOpenDegreeTakes) {
  const TemporaryFolder folder;
  const auto file = (folder / "s.json").string();
  std::ofstream{file}
      << R"({"model": "llama-3-8b", "machine": "dgx-a100-80g", "layouts": ["tp", "zero3"]})";
  const auto layouts = [&](const std::string& flags) {
    const auto scenario =
        json::parse(decodesim_with("run " + file + " --dump-scenario " + flags).out);
    return scenario.at("layouts").at(0).at("tag").get<std::string>() + " " +
           scenario.at("layouts").at(1).at("tag").get<std::string>();
  };
  EXPECT_EQ(layouts(""), "tp8 zero3x8");
  EXPECT_EQ(layouts("--nodes 2"), "tp16 zero3x16");
  EXPECT_EQ(layouts("--machine pcie-1s-a100-80g"), "tp4 zero3x4");
}

// -------------------------------------------------------------------------------------- compare

TEST(Compare, HasARowForWhatCannotRun) {
  const auto ended = decodesim_with("compare --model llama-3-70b --machine dgx-a100-80g --osl 3 "
                                    "--strategies tp,tp3,tp16,single --format json");
  EXPECT_EQ(ended.code, 0) << ended.err;
  const auto results = json::parse(ended.out).at("results");
  ASSERT_EQ(results.size(), 4U);
  EXPECT_EQ(results.at(0).at("status"), "ok");
  EXPECT_EQ(results.at(1).at("status"), "invalid");
  EXPECT_EQ(results.at(2).at("status"), "invalid");
  EXPECT_EQ(results.at(2).at("reason"), "needs 16 GPUs; there are 8");
  EXPECT_EQ(results.at(3).at("status"), "does_not_fit");
}

TEST(Compare, LimitsLayoutsToTheGpusNamed) {
  const auto ended =
      decodesim_with("compare" + small + "--gpus 4 --strategies tp,tp8 --format json");
  const auto results = json::parse(ended.out).at("results");
  EXPECT_EQ(results.at(0).at("layout"), "tp4");
  EXPECT_EQ(results.at(1).at("reason"), "needs 8 GPUs; there are 4");
}

TEST(Compare, GivesEachLayoutTheResultItHasAlone) {
  const std::string workload = small + "--batch-size 16 --format json ";
  const auto both = decodesim_with("compare" + workload + "--strategies pp8:1f1b,zero3,tp8");
  ASSERT_EQ(both.code, 0) << both.err;
  const auto results = json::parse(both.out).at("results");
  const auto alone = [&](const std::string& flags) {
    return json::parse(decodesim_with("run" + workload + flags).out).at("results").at(0);
  };
  EXPECT_EQ(results.at(0), alone("--pp 8 --schedule 1f1b"));
  EXPECT_EQ(results.at(1), alone("--zero3"));
  EXPECT_EQ(results.at(2), alone("--tp 8"));
}

TEST(Compare, WritesTheSameBytesTwice) {
  const auto arguments = "compare" + small + "--batch-size 8 --strategies zero3,tp,pp:gpipe ";
  for (const std::string format : {"text", "markdown", "csv", "json"}) {
    const auto first = decodesim_with(arguments + "--format " + format);
    EXPECT_EQ(first.code, 0);
    EXPECT_FALSE(first.out.empty());
    EXPECT_EQ(decodesim_with(arguments + "--format " + format).out, first.out) << format;
  }
}

TEST(Compare, WritesATimelineOfEachLayout) {
  const TemporaryFolder folder;
  const auto ended = decodesim_with("compare" + small +
                                    "--strategies tp2,pp2:gpipe,tp3 "
                                    "--batch-size 2 --timeline-dir " +
                                    (folder / "t").string());
  EXPECT_EQ(ended.code, 0) << ended.err;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{folder / "t"}) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"pp2-gpipe", "pp2-gpipe.json", "tp2", "tp2.json"}));
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
