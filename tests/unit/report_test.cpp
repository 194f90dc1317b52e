#include "sim/error.hpp"
#include "sim/json_reader.hpp"
#include "sim/result/format.hpp"
#include "sim/result/human_numbers.hpp"
#include "sim/result/table.hpp"
#include "sim/scenario/scenario_json.hpp"
#include "tests/support/sample_report.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <limits>
#include <sstream>

namespace decodesim {
namespace {

template <class Error, class Action> std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "no error";
}

nlohmann::ordered_json json_of(const Report& report) {
  return nlohmann::ordered_json::parse(render(report, OutputFormat::json));
}

std::vector<std::string> keys_of(const nlohmann::ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) {
    keys.push_back(item.key());
  }
  return keys;
}

// -------------------------------------------------------------------------------- the scenario

TEST(ScenarioJson, FillsInEveryDefaultUnderTheKeysOfAScenarioFile) {
  Scenario scenario = sample_scenario();
  scenario.layouts = {Layout{.tp = 2, .pp = 2, .schedule = "1f1b", .stage_layers = {17, 15}}};
  EXPECT_EQ(
      scenario_to_json(scenario).dump(),
      R"({"model":"llama-3.1-8b","machine":"dgx-a100-80g","nodes":1,"fabric":"single-switch","batch_size":8,)"
      R"("isl":512,"osl":32,"dtype":"bf16","kv_cache_dtype":"bf16",)"
      R"("routing":"uniform","seed":0,"expert_placement":"contiguous","replicated_experts":0,)"
      R"("moe_exchange":"all-to-all","moe_kernels":"nccl","mapping":"tp,pp,dp",)"
      R"("collectives":"nccl","fidelity":"flow","framework":"none","launch":"graph",)"
      R"("ring_order":"searched",)"
      R"("fold":"auto","every_token":false,)"
      R"("layouts":[{"tag":"tp2pp2-1f1b-layers17+15","strategy":"tp","tp":2,"pp":2,"dp":1,"ep":0,)"
      R"("schedule":"1f1b","micro_batches":0,"virtual_stages":0,"prefetch":false,)"
      R"("stage_layers":[17,15]}]})");
}

// ------------------------------------------------------------------------------ the result file

TEST(JsonReport, HasTheDocumentedKeysInTheirOrder) {
  const auto json = json_of(sample_report());
  using Keys = std::vector<std::string>;
  EXPECT_EQ(keys_of(json), (Keys{"format_version", "tool", "scenario", "results"}));
  EXPECT_EQ(keys_of(json["tool"]), (Keys{"name", "version"}));
  const Keys result_keys{"layout",
                         "status",
                         "reason",
                         "gpus",
                         "memory",
                         "ttft_s",
                         "tpot_s",
                         "end_to_end_s",
                         "tokens_per_s",
                         "tokens_per_s_per_gpu",
                         "tokens_per_s_per_user",
                         "communication",
                         "breakdown",
                         "experts",
                         "bubble_ratio",
                         "links",
                         "simulated_ranks",
                         "simulated_steps",
                         "assumed"};
  for (const auto& result : json["results"]) {
    EXPECT_EQ(keys_of(result), result_keys); // the same whatever the status
  }
}

TEST(JsonReport, HasNoKeyOrColumnThatIsNotDocumented) {
  const std::string text = read_text(DECODESIM_DOCS "/formats.md");
  Report report = sample_report();
  report.scenario.layouts = {Layout{}};
  const std::function<void(const nlohmann::ordered_json&, const std::string&)> check_keys =
      [&](const nlohmann::ordered_json& value, const std::string& path) {
        if (value.is_object()) {
          for (const auto& item : value.items()) {
            const bool named = text.find("`" + item.key() + "`") != std::string::npos ||
                               text.find(path + item.key() + "`") != std::string::npos;
            EXPECT_TRUE(named) << path << item.key();
            check_keys(item.value(), item.key() + ".");
          }
        } else if (value.is_array() && !value.empty()) {
          check_keys(value[0], path.substr(0, path.size() - 1) + "[].");
        }
      };
  check_keys(json_of(report), "");
  const std::string csv = render(report, OutputFormat::csv);
  std::istringstream columns{csv.substr(0, csv.find('\n'))};
  for (std::string column; std::getline(columns, column, ',');) {
    EXPECT_NE(text.find("`" + column + "`"), std::string::npos) << column;
  }
}

TEST(JsonReport, GivesANumberForEachThingThatIsKnown) {
  const auto result = json_of(sample_report())["results"][0];
  EXPECT_EQ(result["memory"].dump(),
            R"({"weights_bytes":4000000000,"kv_cache_bytes":1000000000,)"
            R"("activation_bytes":500000000,"buffer_bytes":0,"total_bytes":5500000000,)"
            R"("capacity_bytes":8000000000})");
  EXPECT_DOUBLE_EQ(result["tokens_per_s"], 8 * 32 / 5.1);
  EXPECT_DOUBLE_EQ(result["tokens_per_s_per_gpu"], 8 * 32 / 5.1 / 4);
  EXPECT_DOUBLE_EQ(result["tokens_per_s_per_user"], 10.0); // 1 / 0.1 s
  // 3 MB received by 4 GPUs together.
  EXPECT_EQ(result["communication"].dump(),
            R"({"tensor_bytes_per_step":1000000,"received_bytes_per_gpu_per_step":750000})");
  EXPECT_EQ(result["breakdown"].dump(),
            R"({"compute":0.5,"communication":0.25,"waiting":0.125,"other":0.125})");
  EXPECT_EQ(result["bubble_ratio"], 0.0625);
  EXPECT_EQ(result["links"][0].dump(),
            R"({"name":"gpu0->nvswitch","bytes":31000000,"utilisation_ratio":0.25})");
  EXPECT_TRUE(result["reason"].is_null());
}

// 31 steps of 32 tokens.
TEST(TextReport, SaysWhatIsInterpolated) {
  auto report = sample_report();
  const std::string note = "decode steps simulated";
  report.results[0].simulated_steps = 31;
  for (const auto format : {OutputFormat::text, OutputFormat::markdown}) {
    EXPECT_EQ(render(report, format).find(note), std::string::npos);
  }
  report.results[0].simulated_steps = 12;
  for (const auto format : {OutputFormat::text, OutputFormat::markdown}) {
    EXPECT_NE(
        render(report, format).find("12 of 31 decode steps simulated, the others interpolated"),
        std::string::npos);
  }
  EXPECT_EQ(json_of(report)["results"][0]["simulated_steps"], 12);
}

TEST(JsonReport, GivesNullForWhatIsUnknown) {
  const auto results = json_of(sample_report())["results"];
  EXPECT_EQ(results[1]["status"], "does_not_fit");
  EXPECT_EQ(results[2]["status"], "invalid");
  for (const char* key : {"ttft_s",
                          "tpot_s",
                          "end_to_end_s",
                          "tokens_per_s",
                          "tokens_per_s_per_gpu",
                          "tokens_per_s_per_user",
                          "communication",
                          "breakdown",
                          "bubble_ratio",
                          "links"}) {
    EXPECT_TRUE(results[1][key].is_null()) << key;
    EXPECT_TRUE(results[2][key].is_null()) << key;
  }
  EXPECT_EQ(results[1]["memory"]["total_bytes"], 10'000'000'000);
  EXPECT_TRUE(results[2]["memory"].is_null());
  EXPECT_EQ(results[2]["reason"], "tp 3 does not divide 32 heads");
}

TEST(JsonReport, HasNoDecodeWhenOneTokenIsAskedFor) {
  Report report{sample_scenario(), {sample_result("tp4", 4)}};
  report.results[0].tpot_s.reset();
  report.results[0].breakdown = {};
  const auto result = json_of(report)["results"][0];
  EXPECT_EQ(result["ttft_s"], 2.0);
  for (const char* key : {"tpot_s", "tokens_per_s_per_user", "breakdown", "communication"}) {
    EXPECT_TRUE(result[key].is_null()) << key;
  }
}

TEST(JsonReport, ListsTheTenBusiestLinks) {
  Report report{sample_scenario(), {sample_result("tp4", 4)}};
  report.results[0].links.assign(12, {"gpu0->gpu1", 1.0, 0.5});
  EXPECT_EQ(json_of(report)["results"][0]["links"].size(), 10U);
}

TEST(JsonReport, SurvivesNamesThatAreNotUtf8) {
  Report report = sample_report();
  report.scenario.model = "models/\xFF/config.json";
  EXPECT_EQ(json_of(report)["scenario"]["model"], "models/\uFFFD/config.json");
}

TEST(Render, GivesTheSameBytesForTheSameReport) {
  Report report = sample_report();
  Report other = report;
  other.results[0].wall_s = 12.5; // how long the simulation took is no result
  for (const OutputFormat format :
       {OutputFormat::text, OutputFormat::markdown, OutputFormat::csv, OutputFormat::json}) {
    EXPECT_EQ(render(report, format), render(other, format));
  }
}

TEST(Render, RefusesSharesThatDoNotAddUp) {
  Report report = sample_report();
  report.results[0].breakdown.other_ratio = 0.25;
  EXPECT_EQ(message_of<SimulationError>([&] { (void)render(report, OutputFormat::json); }),
            "result of tp4: the shares of time add up to 1.125000 instead of 1");
}

TEST(Render, RefusesMoreBubbleThanWaiting) {
  Report report = sample_report();
  report.results[0].bubble_ratio = 0.2;
  EXPECT_THROW((void)render(report, OutputFormat::text), SimulationError);
}

TEST(Render, RefusesNumbersThatAreNotFinite) {
  Report report = sample_report();
  report.results[0].ttft_s = std::numeric_limits<double>::infinity();
  EXPECT_EQ(message_of<SimulationError>([&] { (void)render(report, OutputFormat::csv); }),
            "result of tp4: ttft_s is not finite");
}

TEST(OutputFormatName, IsChecked) {
  EXPECT_EQ(output_format_named("markdown", "--format"), OutputFormat::markdown);
  EXPECT_EQ(message_of<InputError>([] { (void)output_format_named("jsn", "--format"); }),
            "--format: format \"jsn\" is unknown; did you mean \"json\"? known: text, markdown, "
            "csv, json");
}

// ----------------------------------------------------------------------------------------- CSV

TEST(CsvReport, HasARowPerLayoutAndQuotesWhatNeedsIt) {
  Report report = sample_report();
  report.results[2].reason = "tp 3 does not divide 32 heads, \"kv\" neither";
  EXPECT_EQ(
      render(report, OutputFormat::csv),
      "model,machine,batch_size,isl,osl,layout,status,reason,gpus,weights_bytes,kv_cache_bytes,"
      "activation_bytes,buffer_bytes,total_bytes,capacity_bytes,ttft_s,tpot_s,end_to_end_s,"
      "tokens_per_s,tokens_per_s_per_gpu,tokens_per_s_per_user,tensor_bytes_per_step,"
      "received_bytes_per_gpu_per_step,compute_ratio,communication_ratio,waiting_ratio,"
      "other_ratio,bubble_ratio,experts_hit_per_layer,busiest_rank_ratio,exchanged_bytes_per_step,"
      "busiest_link,busiest_link_bytes,busiest_link_utilisation_ratio\n"
      "llama-3.1-8b,dgx-a100-80g,8,512,32,tp4,ok,,4,4000000000,1000000000,500000000,0,5500000000,"
      "8000000000,2.0,0.1,5.1,50.196078431372555,12.549019607843139,10.0,1000000,750000,0.5,0.25,"
      "0.125,0.125,0.0625,,,,gpu0->nvswitch,31000000,0.25\n"
      "llama-3.1-8b,dgx-a100-80g,8,512,32,zero3x8,does_not_fit,needs 9.31 GiB of 7.45 GiB,8,"
      "4000000000,5500000000,500000000,0,10000000000,8000000000,,,,,,,,,,,,,,,,,,,\n"
      "llama-3.1-8b,dgx-a100-80g,8,512,32,tp3,invalid,\"tp 3 does not divide 32 heads, \"\"kv\"\" "
      "neither\",3,,,,,,,,,,,,,,,,,,,,,,,,,\n");
}

// ---------------------------------------------------------------------------------------- text

TEST(TextReport, ComparesLayouts) {
  // 4e9 B = 3.73 GiB; 8 x 32 tokens / 5.1 s = 50.2 /s; waiting less bubble 0.125 - 0.0625.
  const char* const expected =
      R"(llama-3.1-8b on dgx-a100-80g
batch 8, 512 tokens in, 32 out; bf16 weights, bf16 KV cache; nccl collectives, graph launch

               GiB per GPU, 7.5 usable     -- latency (ms) --  --- output tokens/s ---
layout   GPUs  weights    KV  total  fits  TTFT  TPOT  x best   all  per GPU  per user
-------  ----  -------  ----  -----  ----  ----  ----  ------  ----  -------  --------
tp4         4     3.73  0.93   5.12  yes   2000   100    1.00  50.2     12.5      10.0
zero3x8     8     3.73  5.12   9.31  no    needs 9.31 GiB of 7.45 GiB
tp3         3  tp 3 does not divide 32 heads

        ------ bytes per step ------  ------------- % of GPU time in decode -------------
layout  of tensors  received per GPU  compute  exposed comm.  late members  bubble  other
------  ----------  ----------------  -------  -------------  ------------  ------  -----
tp4        1.00 MB            750 kB     50.0           25.0           6.2     6.2   12.5

Assumed, not measured or published (reasons: decodesim describe NAME):
  gpu g: eager_launch = 2.2 us
)";
  EXPECT_EQ(render(sample_report(), OutputFormat::text), expected);
}

TEST(TextReport, SummarisesOneLayout) {
  const char* const expected =
      R"(llama-3.1-8b on dgx-a100-80g
batch 8, 512 tokens in, 32 out; bf16 weights, bf16 KV cache; nccl collectives, graph launch

tp4 on 4 GPUs

TTFT                          2.00 s  until every sequence has its first token
TPOT                          100 ms  between two tokens of a sequence
end to end                    5.10 s
output tokens                50.2 /s  all sequences
  per GPU                    12.5 /s
  per user                   10.0 /s  1 / TPOT

memory per GPU              5.12 GiB  of 7.45 GiB usable
  weights                   3.73 GiB
  KV cache                  0.93 GiB  at its longest
  activations               0.47 GiB

bytes per step               1.00 MB  of tensors
  received per GPU            750 kB  mean
  busiest link                25.0 %  gpu0->nvswitch

GPU time in decode             100 %
  compute                     50.0 %  ###############
  exposed communication       25.0 %  ########
  waiting for late members     6.2 %  ##
  pipeline bubble              6.2 %  ##
  other (launch gaps)         12.5 %  ####

Assumed, not measured or published (reasons: decodesim describe NAME):
  gpu g: eager_launch = 2.2 us
)";
  const Report report{sample_scenario(), {sample_result("tp4", 4)}};
  EXPECT_EQ(render(report, OutputFormat::text), expected);
}

TEST(TextReport, SaysWhyOneLayoutCannotRun) {
  Report report = sample_report();
  report.results = {report.results[2]};
  EXPECT_EQ(render(report, OutputFormat::text),
            "llama-3.1-8b on dgx-a100-80g\n"
            "batch 8, 512 tokens in, 32 out; bf16 weights, bf16 KV cache; nccl collectives, graph "
            "launch\n\n"
            "tp3 on 3 GPUs\n"
            "cannot run: tp 3 does not divide 32 heads\n");
}

TEST(TextReport, ExplainsMicroBatchesOnlyWhereThereAreSome) {
  const std::string note = "Each micro-batch reads the weights of its stage again.";
  Report report = sample_report();
  report.results[0].layout.schedule = "gpipe"; // of one stage: nothing to explain
  EXPECT_EQ(render(report, OutputFormat::text).find(note), std::string::npos);
  report.results[0].layout.pp = 2;
  EXPECT_NE(render(report, OutputFormat::text).find(note), std::string::npos);
  EXPECT_NE(render(report, OutputFormat::markdown).find(note), std::string::npos);
  report.results[0].layout.schedule = "naive";
  EXPECT_EQ(render(report, OutputFormat::text).find(note), std::string::npos);
}

TEST(TextReport, ColoursTheStatusWithoutMovingAnything) {
  const Report report = sample_report();
  std::string coloured = render(report, OutputFormat::text, true);
  EXPECT_NE(coloured.find("\x1b[33mneeds 9.31 GiB of 7.45 GiB\x1b[0m"), std::string::npos);
  EXPECT_NE(coloured.find("\x1b[31mtp 3 does not divide 32 heads\x1b[0m"), std::string::npos);
  std::string bare;
  for (std::size_t i = 0; i < coloured.size(); ++i) {
    if (coloured[i] == '\x1b') {
      i = coloured.find('m', i);
    } else {
      bare += coloured[i];
    }
  }
  EXPECT_EQ(bare, render(report, OutputFormat::text, false));
}

TEST(MarkdownReport, ComparesLayouts) {
  const std::string text = render(sample_report(), OutputFormat::markdown);
  EXPECT_NE(text.find("| layout | GPUs | weights (GiB per GPU) | KV cache (GiB) | total (GiB) of "
                      "7.5 | fits | TTFT (ms) | TPOT (ms) | x best TPOT | output tokens/s | per "
                      "GPU | per user |\n"
                      "|:---|---:|---:|---:|---:|:---|---:|---:|---:|---:|---:|---:|\n"
                      "| tp4 | 4 | 3.73 | 0.93 | 5.12 | yes | 2000 | 100 | 1.00 | 50.2 | 12.5 "
                      "| 10.0 |\n"),
            std::string::npos)
      << text;
  EXPECT_TRUE(text.ends_with("- gpu g: eager_launch = 2.2 us\n"));
}

// ---------------------------------------------------------------------------- tables, numbers

TEST(Table, AlignsByCharactersAndDropsEmptyColumns) {
  Table table;
  table.columns = {{"name", "", false}, {"nothing"}, {"µs"}};
  table.rows = {{{"é"}, {""}, {"1"}}, {{"long name"}, {""}, {"22"}}};
  EXPECT_EQ(to_text(table, false),
            "name       µs\n"
            "---------  --\n"
            "é           1\n"
            "long name  22\n");
}

TEST(Table, EscapesWhatMarkdownWouldRead) {
  Table table;
  table.columns = {{"a", "", false}};
  table.rows = {{{"x|y<b>"}}};
  EXPECT_EQ(to_markdown(table), "| a |\n|:---|\n| x\\|y\\<b> |\n");
}

TEST(HumanNumbers, ShowThreeDigits) {
  EXPECT_EQ(rounded(0.0), "0");
  EXPECT_EQ(rounded(0.012345), "0.0123");
  EXPECT_EQ(rounded(9.996), "10.0");
  EXPECT_EQ(rounded(162.4), "162");
  EXPECT_EQ(rounded(1079.4), "1079");
}

TEST(HumanNumbers, ChooseAUnit) {
  EXPECT_EQ(duration_text(Seconds{0.00618}), "6.18 ms");
  EXPECT_EQ(duration_text(Seconds{0.9996}), "1.00 s");
  EXPECT_EQ(duration_text(Seconds{3.5e-7}), "350 ns");
  EXPECT_EQ(traffic_text(Bytes{2.62e6}), "2.62 MB");
  EXPECT_EQ(traffic_text(Bytes{999.7}), "1.00 kB");
  EXPECT_EQ(traffic_text(Bytes{0.0}), "0 B");
  EXPECT_DOUBLE_EQ(gib(Bytes{1073741824.0}), 1.0);
}

TEST(HumanNumbers, GiveAColumnEqualDecimals) {
  EXPECT_EQ(decimals_for({6.18, 65.2}), 2);
  EXPECT_EQ(decimals_for({162.0, 1079.0}), 0);
  EXPECT_EQ(decimals_for({0.0, 12.0}), 1);
  EXPECT_EQ(decimals_for({}), 0);
}

} // namespace
} // namespace decodesim
