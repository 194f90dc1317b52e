#include "tests/cli/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace decodesim {
namespace {

using nlohmann::json;

/// A small run: 8 billion parameters, 4 output tokens.
const std::string small = " --model llama-3-8b --machine dgx-a100-80g --osl 4 ";

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

} // namespace
} // namespace decodesim
