#include "sim/model/parameters.hpp"
#include "tests/unit/input_file.hpp"
#include "validation/case_names.hpp"
#include "validation/case_run.hpp"
#include "validation/case_scenario.hpp"
#include "validation/collective_time.hpp"
#include "validation/layout_ranking.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

/// Llama-3-8B on one A100, batch 1.
Case small_case() {
  return {.id = "x",
          .where = "cases.csv:2",
          .split = "validation",
          .model = "Llama-3-8B",
          .gpu = "A100-80GB SXM",
          .batch = "1",
          .prompt_tokens = "128",
          .output_tokens = "16",
          .dtype = "bf16",
          .framework = "",
          .metric = "tpot",
          .value = 12,
          .unit = "ms"};
}

CaseStatus status_of(const Case& one) {
  try {
    (void)scenario_of(one, {});
    return CaseStatus::ok;
  } catch (const CaseProblem& problem) {
    return problem.status();
  }
}

TEST(CaseNames, FindPresetsOfWhatTablesWrite) {
  EXPECT_EQ(model_preset_for("Llama-3.1-70B"), "llama-3-70b");
  EXPECT_EQ(model_preset_for("meta-llama/Llama-2-7b-hf"), "llama-2-7b");
  EXPECT_EQ(model_preset_for("DeepSeek-R1"), "deepseek-v3");
  EXPECT_EQ(model_preset_for("BLOOM-176B"), "bloom-176b");
  EXPECT_EQ(model_preset_for("QwQ-32B"), "qwen2.5-32b");
  EXPECT_EQ(model_preset_for("a model of nobody"), std::nullopt);
  EXPECT_EQ(gpu_preset_for("NVIDIA A100-SXM4-80GB"), "a100-sxm4-80g");
  EXPECT_EQ(gpu_preset_for("A100 PCIe 80GB"), "a100-pcie-80g");
  EXPECT_EQ(gpu_preset_for("GeForce RTX 4090 D"), "rtx4090d-24g");
  EXPECT_EQ(gpu_preset_for("RTX 6000 Ada Generation"), "rtx6000ada-48g");
  EXPECT_EQ(gpu_preset_for("L40S 48GB"), "l40s-48g");
  EXPECT_EQ(gpu_preset_for("H20-3e"), "h20-141g");
  EXPECT_EQ(gpu_preset_for("H200"), "h200-sxm5-141g");
}

TEST(CaseScenario, TakesTheShapeInTheNotes) {
  auto one = small_case();
  one.model = "GPT-20B";
  one.notes = "44 layers, hidden 6144, 48 heads, vocab 51200; includes prefill";
  const auto found = scenario_of(one, {});
  EXPECT_EQ(found.model.layers, 44);
  EXPECT_EQ(found.model.head_size, 128);
  EXPECT_EQ(found.model.ffn_size, 24'576);
  // 12 h^2 per layer are 19.9e9; with biases, norms and two tables 20.26e9.
  EXPECT_NEAR(static_cast<double>(total_parameters(found.model)), 20.3e9, 0.1e9);
}

TEST(CaseScenario, ReadsInexactNumbersAndSaysSo) {
  auto one = small_case();
  one.batch = "Poisson 1 req/s (about 5 in flight)";
  one.prompt_tokens = "about 280 (median)";
  one.output_tokens = "short";
  const auto found = scenario_of(one, {});
  EXPECT_EQ(found.scenario.workload.batch_size, 5);
  EXPECT_EQ(found.scenario.workload.input_tokens, 280);
  EXPECT_EQ(found.scenario.workload.output_tokens, 200);
  EXPECT_TRUE(found.mixes_prefills);
  EXPECT_EQ(found.notes.size(), 2U);
  EXPECT_EQ(group_of(one), "no framework, 1 GPU (requests in flight)");
  one.batch = "1000 requests at once (<=256 running)";
  EXPECT_EQ(scenario_of(one, {}).scenario.workload.batch_size, 256);
}

TEST(CaseScenario, PutsRanksOnTheGpusThatWereUsed) {
  auto one = small_case();
  one.tp = 4;
  one.pp = 2;
  one.gpus = 8;
  one.nodes = 2;
  // Four GPUs in each of two servers of eight.
  EXPECT_EQ(scenario_of(one, {}).scenario.mapping, "0,1,2,3,8,9,10,11");
  auto pair = small_case();
  pair.gpu = "H200 NVL 141GB";
  pair.tp = pair.gpus = 2;
  pair.interconnect = "2 GPUs of different NVLink pairs (PCIe only)";
  EXPECT_EQ(scenario_of(pair, {}).scenario.mapping, "0,2");
}

TEST(CaseScenario, ReadsLayouts) {
  auto one = small_case();
  one.strategy = "ZeRO-3 (weights sharded, all-gathered per layer)";
  one.gpus = one.dp = 8;
  one.batch = "8";
  const auto zero = scenario_of(one, {}).scenario.layouts.front();
  EXPECT_EQ(zero.strategy, "zero3");
  EXPECT_EQ(zero.dp, 8);
  auto experts = small_case();
  experts.model = "DeepSeek-V3";
  experts.gpus = experts.ep = 8; // dp 1 beside ep > tp: not given
  EXPECT_EQ(scenario_of(experts, {}).scenario.layouts.front().dp, 8);
  auto stages = small_case();
  stages.gpus = stages.pp = 4;
  EXPECT_EQ(scenario_of(stages, {}).scenario.layouts.front().schedule, "naive");
  stages.batch = "8";
  EXPECT_EQ(scenario_of(stages, {}).scenario.layouts.front().schedule, "1f1b");
}

constexpr const char* columns = "id,model,gpu,gpus,nodes,tp,pp,ep,dp,batch,prompt_len,output_len_"
                                "or_ctx,dtype,metric,value,unit\n";

TEST(CaseFile, KeepsRowsWithWrongNumbers) {
  const InputFile file{std::string{columns} +
                           "a,Llama-3-8B,A100,1,1,1,1,1,1,1,8,8,bf16,tpot,9,ms\n"
                           "b,Llama-3-8B,A100,two,1,1,1,1,1,1,8,8,bf16,tpot,9,ms\n"
                           "c,Llama-3-8B,A100,1,1,1,1,1,1,1,8,8,bf16,tpot,,ms\n",
                       "t.csv"};
  const auto cases = read_cases(file.path());
  ASSERT_EQ(cases.size(), 3U);
  EXPECT_EQ(cases[0].problem, "");
  EXPECT_EQ(cases[1].problem, "t.csv:3: gpus: is \"two\"; a number is expected");
  EXPECT_EQ(cases[2].problem, "t.csv:4: value: is \"\"; a number is expected");
  EXPECT_EQ(status_of(cases[1]), CaseStatus::invalid);
}

TEST(CaseFile, NeedsItsColumns) {
  const InputFile file{"id,model\na,b\n", "t.csv"};
  EXPECT_EQ(file.message_of([&] { (void)read_cases(file.path()); }),
            "t.csv: has no column \"gpu\"; a case file is expected");
}

TEST(CaseScenario, SaysWhyItCannot) {
  auto one = small_case();
  one.gpu = "CPU c3d-highcpu-30 (GCP VM)";
  EXPECT_EQ(status_of(one), CaseStatus::not_supported);
  one = small_case();
  one.gpu = "TPU v5e";
  EXPECT_EQ(status_of(one), CaseStatus::not_supported);
  one = small_case();
  one.model = "nobody's";
  EXPECT_EQ(status_of(one), CaseStatus::not_supported);
  one = small_case();
  one.dtype = "ternary";
  EXPECT_EQ(status_of(one), CaseStatus::not_supported);
  one = small_case();
  one.tp = 4; // on one GPU
  EXPECT_EQ(status_of(one), CaseStatus::invalid);
  one = small_case();
  one.batch = "many";
  EXPECT_EQ(status_of(one), CaseStatus::not_supported);
}

// A closed loop of 4 sequences: each waits for the prefills of the 3 others once in its 16 tokens.
TEST(CaseRun, CountsPrefillsOfOthersInAClosedLoop) {
  auto one = small_case();
  one.batch = "4";
  const double step = simulate_case(one, {}).simulated.value();
  one.notes = "closed loop, concurrency 4";
  const double mixed = simulate_case(one, {}).simulated.value();
  auto alone = small_case();
  alone.metric = "e2e_latency";
  alone.output_tokens = "2"; // prefill and one step at context 129
  const double prefill_and_step = simulate_case(alone, {}).simulated.value();
  alone.metric = "tpot";
  const double prefill = prefill_and_step - simulate_case(alone, {}).simulated.value();
  EXPECT_NEAR(mixed, step + 3 * prefill / 16, 1e-6 * mixed);
}

TEST(CaseRun, ExpressesTheMetricOfTheCase) {
  auto one = small_case();
  const double step_ms = simulate_case(one, {}).simulated.value();
  one.metric = "decode_throughput";
  one.unit = "tok/s";
  EXPECT_NEAR(simulate_case(one, {}).simulated.value(), 1e3 / step_ms, 1e-6);
  one.metric = "e2e_latency";
  one.unit = "s";
  const double whole_s = simulate_case(one, {}).simulated.value();
  one.metric = "output_throughput";
  one.unit = "tok/s";
  EXPECT_NEAR(simulate_case(one, {}).simulated.value(), 16 / whole_s, 1e-6);
  one.metric = "total_throughput"; // 128 + 16 tokens
  EXPECT_NEAR(simulate_case(one, {}).simulated.value(), 144 / whole_s, 1e-6);
  one.metric = "ttft";
  one.unit = "s"; // all but 15 steps
  EXPECT_NEAR(
      simulate_case(one, {}).simulated.value(), whole_s - 15 * step_ms / 1e3, 1e-3 * whole_s);
  one.metric = "ms_per_generated_token";
  one.unit = "ms";
  EXPECT_NEAR(simulate_case(one, {}).simulated.value(), 1e3 * whole_s / 16, 1e-6);
  one.metric = "beauty";
  EXPECT_EQ(simulate_case(one, {}).status, CaseStatus::not_supported);
}

Case all_reduce_case() {
  auto one = small_case();
  one.model = "collective only";
  one.gpu = "H100 SXM";
  one.gpus = 8;
  one.interconnect = "NVSwitch";
  one.batch = "";
  one.output_tokens = "8192";
  one.framework = "NCCL";
  one.metric = "allreduce_latency";
  one.unit = "us";
  return one;
}

TEST(CaseRun, SimulatesACollectiveAlone) {
  const auto outcome = simulate_case(all_reduce_case());
  ASSERT_EQ(outcome.status, CaseStatus::ok) << outcome.reason;
  std::vector<int> gpus{0, 1, 2, 3, 4, 5, 6, 7};
  const CollectiveBench bench{find_machine("dgx-h100", 1, ""), gpus, "nccl"};
  EXPECT_NEAR(outcome.simulated.value(),
              bench.time(CollectiveKind::all_reduce, Bytes{8192}).value() * 1e6,
              1e-9);
  // 2 x 7/8 of 8,192 bytes over links of 450 GB/s: 0.03 us, without any latency.
  EXPECT_NEAR(outcome.roofline.value(), 2 * 7.0 / 8 * 8192 / 450e9 * 1e6, 1e-3);
}

TEST(CaseRun, SimulatesAnExchangeAlone) {
  auto one = all_reduce_case();
  one.model = "DeepSeek-V3";
  one.ep = 8;
  one.batch = "1024"; // 128 tokens of each rank
  one.framework = "DeepEP low-latency";
  one.metric = "dispatch_latency";
  const auto there = simulate_case(one);
  ASSERT_EQ(there.status, CaseStatus::ok) << there.reason;
  one.metric = "combine_latency";
  const auto back = simulate_case(one);
  // fp8 and scales there, 16 bits back: nearly twice the bytes.
  EXPECT_GT(back.simulated.value(), 1.2 * there.simulated.value());
  one.model = "Llama-3-8B";
  EXPECT_EQ(simulate_case(one).status, CaseStatus::invalid);
}

TEST(CaseRun, RefusesACollectiveOfNothing) {
  auto one = all_reduce_case();
  one.output_tokens = "much";
  EXPECT_EQ(simulate_case(one).status, CaseStatus::invalid);
  one = all_reduce_case();
  one.gpus = 1;
  EXPECT_EQ(simulate_case(one).status, CaseStatus::invalid);
  one = all_reduce_case();
  one.unit = "s";
  EXPECT_EQ(simulate_case(one).status, CaseStatus::invalid);
}

TEST(LayoutRanking, CountsPairsOfTheSameWorkloadInTheWrongOrder) {
  const auto layout = [](const std::string& id, int tp) {
    auto one = small_case();
    one.id = id;
    one.tp = one.gpus = tp;
    return one;
  };
  auto other_batch = layout("other batch", 8);
  other_batch.batch = "2";
  const std::vector<Case> cases{
      layout("tp1", 1), layout("tp2", 2), layout("tp4", 4), layout("near tp4", 8), other_batch};
  const auto row = [&](std::size_t i, double measured, double simulated) {
    return Comparison{
        .id = cases[i].id, .group = "g", .measured = measured, .simulated = simulated};
  };
  // Pairs: tp1-tp2, tp1-tp4, tp1-near, tp2-tp4, tp2-near; tp4 and near are 5 % apart.
  const auto ranking = rank_layouts(
      cases, {row(0, 20, 21), row(1, 12, 9), row(2, 10, 9.5), row(3, 9.5, 12), row(4, 1, 99)});
  EXPECT_EQ(ranking.pairs, 5);
  EXPECT_EQ(
      ranking.wrong,
      (std::vector<std::pair<std::string, std::string>>{{"tp2", "tp4"}, {"tp2", "near tp4"}}));
}

} // namespace
} // namespace decodesim
