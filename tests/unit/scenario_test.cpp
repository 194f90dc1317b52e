#include "sim/scenario/scenario_file.hpp"
#include "sim/scenario/scenario_json.hpp"
#include "sim/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace decodesim {
namespace {

Scenario parse(const std::string& text) {
  return parse_scenario(JsonReader::parse(text, "s.json"), "/scenarios");
}

std::string message_of(const std::string& text) {
  try {
    (void)parse(text);
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "no InputError";
}

/// A scenario with one more member.
std::string with(const std::string& member) {
  return R"({"model": "llama-3-8b", "machine": "dgx-a100-80g", )" + member + "}";
}

// ------------------------------------------------------------------------------------- reading

TEST(ScenarioFile, HasTheDefaultsOfAScenario) {
  const auto scenario = parse(R"({"model": "llama-3-8b", "machine": "dgx-a100-80g"})");
  const Scenario defaults;
  EXPECT_EQ(scenario.model, "llama-3-8b");
  EXPECT_EQ(scenario.machine, "dgx-a100-80g");
  EXPECT_EQ(scenario.nodes, 1);
  EXPECT_EQ(scenario.workload.batch_size, defaults.workload.batch_size);
  EXPECT_EQ(scenario.workload.input_tokens, defaults.workload.input_tokens);
  EXPECT_EQ(scenario.workload.output_tokens, defaults.workload.output_tokens);
  EXPECT_EQ(scenario.mapping, defaults.mapping);
  EXPECT_TRUE(scenario.layouts.empty());
}

TEST(ScenarioFile, TakesTheTypesOfTheModelUnlessItNamesItsOwn) {
  const auto precision = [](const std::string& more) {
    return parse(R"({"model": "gpt-oss-120b", "machine": "dgx-a100-80g")" + more + "}")
        .workload.precision;
  };
  EXPECT_EQ(precision(""), (Precision{.experts = DataType::mxfp4}));
  EXPECT_EQ(precision(R"(, "dtype": "bf16")"), Precision{});
  EXPECT_EQ(precision(R"(, "dtype": "bf16", "expert_dtype": "int4")"),
            (Precision{.experts = DataType::int4}));
  EXPECT_EQ(precision(R"(, "expert_dtype": "fp8", "kv_cache_dtype": "fp8")"),
            (Precision{.kv_cache = DataType::fp8, .experts = DataType::fp8}));
}

TEST(ScenarioFile, IsWrittenWithTheTypeOfExperts) {
  const auto scenario =
      parse(R"({"model": "gpt-oss-120b", "machine": "dgx-a100-80g", "layouts": ["tp8"]})");
  const auto json = scenario_to_json(scenario);
  EXPECT_EQ(json.at("dtype"), "bf16");
  EXPECT_EQ(json.at("expert_dtype"), "mxfp4");
  EXPECT_EQ(parse(json.dump()).workload.precision, scenario.workload.precision);
}

TEST(ScenarioFile, ReadsEveryKey) {
  const auto scenario = parse(R"({
    "_comment": "all keys",
    "format_version": 1,
    "model": "llama-3-8b", "machine": "dgx-a100-80g", "nodes": 2,
    "batch_size": 32, "isl": 1024, "osl": 64,
    "dtype": "int4", "kv_cache_dtype": "fp8",
    "mapping": "pp,tp,dp", "collectives": "ideal", "launch": "eager", "ring_order": "ranks",
    "fold": "none", "every_token": true,
    "layouts": ["tp8", {"tp": 4, "pp": 2, "schedule": "1f1b", "micro_batches": 4,
                        "stage_layers": [15, 17]}]})");
  EXPECT_EQ(scenario.nodes, 2);
  EXPECT_EQ(scenario.workload.batch_size, 32);
  EXPECT_EQ(scenario.workload.input_tokens, 1024);
  EXPECT_EQ(scenario.workload.output_tokens, 64);
  EXPECT_EQ(scenario.workload.precision.weights, DataType::int4);
  EXPECT_EQ(scenario.workload.precision.kv_cache, DataType::fp8);
  EXPECT_EQ(scenario.mapping, "pp,tp,dp");
  EXPECT_EQ(scenario.collectives, "ideal");
  EXPECT_EQ(scenario.launch, LaunchMode::eager);
  EXPECT_EQ(scenario.ring_order, RingOrder::ranks);
  EXPECT_EQ(scenario.fold, Folding::none);
  EXPECT_TRUE(scenario.every_token);
  ASSERT_EQ(scenario.layouts.size(), 2U);
  EXPECT_EQ(scenario.layouts[0].tag(), "tp8");
  EXPECT_EQ(scenario.layouts[1].tag(), "tp4pp2-1f1b-m4-layers15+17");
}

TEST(ScenarioFile, KeepsTheCacheInTheTypeOfTheActivations) {
  EXPECT_EQ(parse(with(R"("dtype": "fp32")")).workload.precision.kv_cache, DataType::fp32);
  // int4 weights are computed with in bf16.
  EXPECT_EQ(parse(with(R"("dtype": "int4")")).workload.precision.kv_cache, DataType::bf16);
}

TEST(ScenarioFile, GivesAnOpenDegreeTheGpusOfTheMachine) {
  // Two DGX A100 have 16 GPUs.
  const auto scenario = parse(with(R"("nodes": 2, "layouts": ["tp8dp", "zero3"])"));
  EXPECT_EQ(scenario.layouts[0].tag(), "tp8dp2");
  EXPECT_EQ(scenario.layouts[1].tag(), "zero3x16");
}

TEST(ScenarioFile, TakesRelativePathsFromItsFolder) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "models");
  std::ofstream{folder.path() / "models" / "mine.json"} << "{}";
  std::ofstream{folder.path() / "s.json"}
      << R"({"model": "models/mine.json", "machine": "dgx-a100-80g", "dtype": "bf16"})";
  EXPECT_EQ(load_scenario(folder.path() / "s.json").model,
            (folder.path() / "models" / "mine.json").string());
}

TEST(ScenarioFile, IsTheSameAfterDumpAndParse) {
  const auto first = scenario_to_json(parse(with(
      R"("batch_size": 3, "isl": 7, "osl": 2, "dtype": "int8", "mapping": "0,4,1,5",
         "collectives": "two-shot", "launch": "eager", "ring_order": "ranks", "fold": "none", "every_token": true,
         "layouts": ["single", "tp4", "pp4:gpipe:m2", "zero3x4:prefetch", "tp2zero3x2",
                     "pp4:1f1b:layers7+8+9+8"])")));
  const auto second = scenario_to_json(parse(first.dump()));
  EXPECT_EQ(first.dump(), second.dump());
  EXPECT_EQ(first.at("layouts").size(), 6U);
}

// -------------------------------------------------------------------------------------- errors

TEST(ScenarioFileErrors, SuggestTheNearestKey) {
  EXPECT_TRUE(message_of(with(R"("bach_size": 3)"))
                  .starts_with("s.json: /: key \"bach_size\" is unknown; did you mean "
                               "\"batch_size\"? known: "))
      << message_of(with(R"("bach_size": 3)"));
}

TEST(ScenarioFileErrors, NameThePointerAndWhatIsAllowed) {
  EXPECT_EQ(message_of(R"({"machine": "dgx-a100-80g"})"),
            "s.json: /: has no \"model\"; it is required");
  EXPECT_EQ(message_of(with(R"("batch_size": 0)")),
            "s.json: /batch_size: is 0; a whole number from 1 to 1000000 is expected");
  EXPECT_EQ(message_of(with(R"("isl": 1.5)")),
            "s.json: /isl: is 1.5; a whole number from 1 to 100000000 is expected");
  EXPECT_EQ(message_of(with(R"("osl": 99999999999999)")),
            "s.json: /osl: is 99999999999999; a whole number from 1 to 1000000 is expected");
  EXPECT_EQ(message_of(with(R"("format_version": 2)")),
            "s.json: /format_version: is 2; a whole number from 1 to 1 is expected");
  EXPECT_EQ(message_of(with(R"("launch": "graf")")),
            "s.json: /launch: launch mode \"graf\" is unknown; did you mean \"graph\"? known: "
            "graph, eager");
  EXPECT_EQ(message_of(with(R"("layouts": [])")),
            "s.json: /layouts: is empty; list at least one layout, or leave the key out");
  EXPECT_EQ(message_of(with(R"("layouts": ["tp8", {"tp": 8}])")),
            "s.json: /layouts/1: means tp8, which is listed already; list it once");
  EXPECT_EQ(message_of(with(R"("layouts": [{"tp": 8, "schedul": "naive"}])")).substr(0, 68),
            "s.json: /layouts/0: key \"schedul\" is unknown; did you mean \"schedule");
  EXPECT_EQ(message_of(with(R"("layouts": [{"tag": "tp4", "tp": 8}])")),
            "s.json: /layouts/0/tag: is \"tp4\", but the layout is tp8; leave the tag out or "
            "correct it");
  EXPECT_EQ(message_of(with(R"("layouts": [8])")),
            "s.json: /layouts/0: is no layout; use a spec such as \"tp8\" or an object");
  EXPECT_EQ(message_of(with(R"("layouts": ["tp0"])")),
            "s.json: /layouts/0: \"tp0\": the degree of tp is 0; a whole number from 1 to 100000 "
            "is expected");
}

} // namespace
} // namespace decodesim
