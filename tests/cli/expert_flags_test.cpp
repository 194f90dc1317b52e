#include "sim/temporary_folder.hpp"
#include "tests/cli/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace decodesim {
namespace {

const std::string mixtral = " --model mixtral-8x7b --machine dgx-a100-80g --isl 16 --osl 3 ";

void expect_refused(const std::string& arguments, const std::string& message) {
  const auto ended = decodesim_with(arguments);
  EXPECT_EQ(ended.code, 3) << arguments;
  EXPECT_EQ(ended.err, "decodesim: " + message + "\n") << arguments;
  EXPECT_EQ(ended.out, "") << arguments;
}

TEST(ExpertFlags, RefuseWhatTheyDoNotKnow) {
  const auto run = "run" + mixtral;
  expect_refused(
      run + "--routing zip:1",
      "--routing: routing \"zip\" is unknown; did you mean \"zipf\"? known: even, fixed, "
      "trace, uniform, zipf");
  expect_refused(run + "--routing fixed:0,8",
                 "--routing: is \"fixed:0,8\"; the model's experts are 0 to 7");
  expect_refused(run + "--routing trace:none.csv",
                 "none.csv: is no file; name a routing trace: trace:FILE");
  expect_refused(run + "--seed -1",
                 "--seed: is \"-1\"; a whole number from 0 to 9007199254740991 is expected");
  expect_refused(run + "--expert-placement round",
                 "--expert-placement: expert placement \"round\" is unknown; did you mean "
                 "\"round-robin\"? known: contiguous, "
                 "round-robin");
  expect_refused(run + "--replicate-experts many",
                 "--replicate-experts: is \"many\"; a whole number from 1 to 65536 is expected");
  expect_refused(run + "--moe-exchange all-to-al",
                 "--moe-exchange: exchange \"all-to-al\" is unknown; did you mean \"all-to-all\"? "
                 "known: all-to-all, all-gather");
  expect_refused(run + "--ep 0", "--ep: is \"0\"; a whole number from 1 to 100000 is expected");
}

TEST(ExpertFlags, SayWhatALayoutCannotDo) {
  const auto dense = decodesim_with("run --model llama-3-8b --machine dgx-a100-80g --ep 8");
  EXPECT_EQ(dense.code, 3);
  EXPECT_NE(dense.err.find("llama-3-8b has no experts to put on ep = 8 GPUs"), std::string::npos)
      << dense.err;
  const auto uneven = decodesim_with("run" + mixtral + "--tp 6 --ep 6");
  EXPECT_EQ(uneven.code, 3);
  const auto indivisible = decodesim_with("run" + mixtral + "--tp 4 --ep 3");
  EXPECT_NE(indivisible.err.find("ep = 3 does not divide the tp x dp = 4 x 1 = 4 GPUs"),
            std::string::npos)
      << indivisible.err;
}

TEST(ExpertFlags, MakeTheFourLayouts) {
  const auto ended =
      decodesim_with("compare" + mixtral +
                     "--strategies tp8,ep8,tp4ep8,tp8ep8 --batch-size 8 --routing zipf:1 --seed 5 "
                     "--expert-placement round-robin --replicate-experts 2 --format json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto json = nlohmann::json::parse(ended.out);
  const auto& scenario = json["scenario"];
  EXPECT_EQ(scenario["routing"], "zipf:1");
  EXPECT_EQ(scenario["seed"], 5);
  EXPECT_EQ(scenario["expert_placement"], "round-robin");
  EXPECT_EQ(scenario["replicated_experts"], 2);
  EXPECT_EQ(scenario["moe_exchange"], "all-to-all");
  EXPECT_EQ(scenario["layouts"][2]["tag"], "tp4ep8");
  EXPECT_EQ(scenario["layouts"][2]["ep"], 8);
  EXPECT_EQ(scenario["layouts"][2]["dp"], 2);
  const auto& results = json["results"];
  ASSERT_EQ(results.size(), 4U);
  for (const auto& result : results) {
    EXPECT_EQ(result["status"], "ok") << result;
    // The same tokens go to the same experts in every layout.
    EXPECT_EQ(result["experts"]["hit_per_layer"], results[0]["experts"]["hit_per_layer"]);
    const bool exchanges = result["layout"] == "ep8" || result["layout"] == "tp4ep8";
    EXPECT_EQ(result["experts"]["exchanged_bytes_per_step"] > 0, exchanges) << result["layout"];
  }
  // Slices of every expert, balanced; a slot each, and one more for copies.
  EXPECT_EQ(results[0]["experts"]["busiest_rank_ratio"], 1.0);
  EXPECT_EQ(results[1]["experts"]["weights_bytes"],
            2 * results[0]["experts"]["weights_bytes"].get<std::int64_t>());
}

TEST(ExpertFlags, AreStoredInADumpThatGivesTheSameResult) {
  const TemporaryFolder folder;
  const auto flags = "run" + mixtral +
                     "--ep 4 --batch-size 5 --routing zipf:1.1 --moe-exchange "
                     "all-gather --format json";
  const auto dump = decodesim_with(flags + " --dump-scenario");
  ASSERT_EQ(dump.code, 0) << dump.err;
  std::ofstream{folder / "s.json"} << dump.out;
  const auto from_file = decodesim_with("run " + (folder / "s.json").string() + " --format json");
  ASSERT_EQ(from_file.code, 0) << from_file.err;
  EXPECT_EQ(from_file.out, decodesim_with(flags).out);
}

TEST(ExpertFlags, TakeATraceFromTheScenariosFolder) {
  const TemporaryFolder folder;
  std::string trace = "iteration,layer,sequence,position,experts\n";
  for (int layer = 0; layer < 32; ++layer) {
    const auto line = [&](int iteration, int position) {
      trace += std::to_string(iteration) + "," + std::to_string(layer) + ",0," +
               std::to_string(position) + ",6;1\n";
    };
    line(0, 0);
    line(0, 1);
    line(1, 2);
  }
  std::ofstream{folder / "trace.csv"} << trace;
  std::ofstream{folder / "s.json"}
      << R"({"model":"mixtral-8x7b","machine":"dgx-a100-80g","isl":2,"osl":2,)"
         R"("routing":"trace:trace.csv","layouts":["tp8ep8"]})";
  const auto ended = decodesim_with("run " + (folder / "s.json").string() + " --format json");
  ASSERT_EQ(ended.code, 0) << ended.err;
  // Two of eight GPUs have one row each: 1 over the mean of 2/8.
  EXPECT_EQ(nlohmann::json::parse(ended.out)["results"][0]["experts"]["busiest_rank_ratio"], 4.0);
}

TEST(ExpertFlags, PrintThePlanAndItsRows) {
  const auto ended = decodesim_with("plan" + mixtral + "--ep 8 --batch-size 8 --routing even");
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("all-to-all over ep"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("grouped gemm 2 rows of 1 experts"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("critical path"), std::string::npos);
}

TEST(ExpertFlags, ShowRowsAndWaitingInTheTimeline) {
  const TemporaryFolder folder;
  const auto file = (folder / "t.json").string();
  const auto ended = decodesim_with("run" + mixtral +
                                    "--ep 4 --batch-size 4 --routing fixed:0,1 --timeline " + file);
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("experts hit"), std::string::npos) << ended.out;
  const auto json = nlohmann::json::parse(std::ifstream{file});
  int dispatches = 0;
  int waits = 0;
  for (const auto& event : json["traceEvents"]) {
    const auto name = event.value("name", "");
    if (name == "L3 dispatch" && event["args"].value("step", -1) == 1) {
      // Each of the three others sends its token to GPU 0.
      const bool first = event["pid"] == 0;
      EXPECT_EQ(event["args"]["rows_sent"], first ? 0 : 1);
      EXPECT_EQ(event["args"]["rows_received"], first ? 3 : 0);
      ++dispatches;
    } else if (name == "L3 expert_down_proj" && event["args"].value("step", -1) == 1) {
      EXPECT_EQ(event["args"]["rows"], event["pid"] == 0 ? 8 : 0);
      EXPECT_EQ(event["args"]["experts"], event["pid"] == 0 ? 2 : 0);
    } else if (name == "waiting: combine" && event["args"].value("step", -1) == 1 &&
               event["args"]["layer"] == 3) {
      EXPECT_NE(event["pid"], 0);
      ++waits;
    }
  }
  EXPECT_EQ(dispatches, 4);
  EXPECT_EQ(waits, 3);
}

TEST(ExpertFlags, ListRoutings) {
  const auto ended = decodesim_with("list routings");
  EXPECT_EQ(ended.code, 0);
  for (const auto* name : {"even", "fixed:E,E,...", "trace:FILE", "uniform", "zipf:S"}) {
    EXPECT_NE(ended.out.find(name), std::string::npos) << name;
  }
}

} // namespace
} // namespace decodesim
