#include "tests/cli/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace decodesim {
namespace {

using nlohmann::json;

/// A small run: 8 billion parameters, 4 output tokens.
const std::string small = " --model llama-3-8b --machine dgx-a100-80g --osl 4 ";

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

} // namespace
} // namespace decodesim
