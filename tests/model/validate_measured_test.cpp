#include "sim/error.hpp"
#include "sim/model/hf_config.hpp"
#include "sim/result/run.hpp"
#include "sim/scenario/scenario_json.hpp"
#include "sim/temporary_folder.hpp"
#include "validation/measure/run_file.hpp"
#include "validation/validate_measured.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace decodesim {
namespace {

Scenario small_scenario(int tp) {
  Scenario scenario;
  scenario.model = "llama-3-8b";
  scenario.machine = "dgx-h200";
  scenario.workload.batch_size = 2;
  scenario.workload.input_tokens = 16;
  scenario.workload.output_tokens = 4; // 3 decode steps
  scenario.layouts = {Layout{.tp = tp}};
  return scenario;
}

/// A run whose every operation took `factor` times what the simulation says, with the launches of
/// decodesim-measure.
PlanRun run_of(Scenario scenario, double factor, const std::string& mode) {
  PlanRun run{
      .name = "small", .scenario = scenario_to_json(scenario).dump(), .mode = mode, .graph = true};
  use_framework(scenario, find_framework("decodesim-measure", "test"), "test");
  scenario.launch = LaunchMode::graph;
  RunOptions options{.record_timeline = true};
  options.on_result = [&](const Plan& plan, const Machine&, const LayoutResult& result) {
    for (int rank = 0; rank < plan.ranks(); ++rank) {
      run.ranks.push_back({.rank = rank, .spans = {}});
    }
    std::vector<double> kernels_us(3, 0.0);
    for (const auto& span : result.timeline.spans) {
      const auto& op =
          plan.program(span.rank).part(span.part)[static_cast<std::size_t>(span.operation)];
      const double us = (span.end_s - span.start_s) * 1e6 * factor;
      if (span.kind == SpanKind::launch || (mode == "shard" && as_kernel(op) == nullptr)) {
        continue;
      }
      run.ranks[static_cast<std::size_t>(span.rank)].spans.push_back(
          {.name = op.name,
           .layer = op.layer,
           .micro_batch = op.micro_batch,
           .kind = as_kernel(op) != nullptr ? "kernel" : "collective",
           .stream = "compute",
           .step = span.part == Part::body       ? span.step
                   : span.part == Part::prologue ? -1
                                                 : 3,
           .start_us = span.start_s * 1e6 * factor,
           .duration_us = us});
      if (span.rank == 0 && span.part == Part::body && as_kernel(op) != nullptr) {
        kernels_us[static_cast<std::size_t>(span.step)] += us;
      }
    }
    run.steps_us =
        mode == "shard" ? kernels_us : std::vector<double>(3, result.tpot_s.value() * 1e6 * factor);
    run.recorded_us = run.steps_us;
  };
  const auto model = find_model(scenario.model, "test");
  (void)run_layout(
      model, machine_of(scenario, "test"), scenario, scenario.layouts.front(), options);
  if (mode == "shard") {
    run.ranks.resize(1);
  }
  return run;
}

std::filesystem::path written(const TemporaryFolder& folder, const PlanRun& run) {
  RunFile file{.kind = "plan",
               .provenance = {.device = "NVIDIA H200"},
               .rule = {},
               .probes = {},
               .plans = {run}};
  const auto path = folder / "run.json";
  std::ofstream{path} << run_file_text(file);
  return path;
}

// All took 1.25 times as long as simulated: every error is 1/1.25 - 1 = -20 %.
TEST(ValidateMeasured, ComparesStepsKindsAndOperations) {
  const TemporaryFolder folder;
  const auto report =
      validate_measured(written(folder, run_of(small_scenario(1), 1.25, "plain")), {});
  std::set<std::string> ids;
  for (const auto& row : report.rows) {
    ids.insert(row.id);
    EXPECT_NEAR(row.error_ratio().value(), -0.2, 1e-3) << row.id;
  }
  EXPECT_TRUE(ids.contains("small: decode step"));
  EXPECT_TRUE(ids.contains("small: gemm"));
  EXPECT_TRUE(ids.contains("small: attention_decode"));
  EXPECT_TRUE(ids.contains("small: qkv_proj"));
  EXPECT_FALSE(ids.contains("small: L0 qkv_proj"));
}

// Of rank 0 of tp = 8 only kernels ran: collectives are neither measured nor simulated.
TEST(ValidateMeasured, LeavesCommunicationOutOfShards) {
  const TemporaryFolder folder;
  const auto report =
      validate_measured(written(folder, run_of(small_scenario(8), 1.25, "shard")), {.spans = true});
  bool has_a_layer = false;
  for (const auto& row : report.rows) {
    EXPECT_NEAR(row.error_ratio().value(), -0.2, 1e-3) << row.id;
    EXPECT_EQ(row.id.find("all_reduce"), std::string::npos);
    has_a_layer = has_a_layer || row.id == "small: L31 down_proj";
  }
  EXPECT_TRUE(has_a_layer);
}

TEST(ValidateMeasured, WritesBothSideBySide) {
  const TemporaryFolder folder;
  const auto timeline = folder / "both.json";
  (void)validate_measured(written(folder, run_of(small_scenario(2), 1.25, "plain")),
                          {.timeline = timeline});
  std::ifstream stream{timeline};
  const auto trace = nlohmann::json::parse(stream);
  std::map<std::string, int> spans_of_thread;
  std::map<std::pair<int, int>, std::string> names;
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("ph") == "M" && event.at("name") == "thread_name") {
      names[{event.at("pid"), event.at("tid")}] = event.at("args").at("name");
    }
  }
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("ph") == "X" && event.at("cat") != "launch") {
      ++spans_of_thread[names[{event.at("pid"), event.at("tid")}]];
    }
  }
  EXPECT_GT(spans_of_thread["compute"], 1000);
  EXPECT_EQ(spans_of_thread["compute, measured"], spans_of_thread["compute"]);
}

// Ranks that shared an H200 are simulated as such, whatever machine the scenario names.
TEST(ValidateMeasured, PutsRanksOfASharedGpuOnOneGpu) {
  const TemporaryFolder folder;
  auto shared = small_scenario(2);
  shared.machine = "shared-h200";
  shared.nodes = 2;
  auto run = run_of(shared, 1.25, "shared");
  run.scenario = scenario_to_json(small_scenario(2)).dump();
  const auto report = validate_measured(written(folder, run), {});
  EXPECT_GT(report.rows.size(), 10u);
  for (const auto& row : report.rows) {
    EXPECT_NEAR(row.error_ratio().value(), -0.2, 1e-3) << row.id;
    EXPECT_TRUE(row.group.starts_with("shared ")) << row.group;
  }
}

TEST(ValidateMeasured, ListsWhatIsNotComparable) {
  const TemporaryFolder folder;
  auto run = run_of(small_scenario(1), 1.0, "shared");
  run.comparable = false;
  run.reason = "ranks took turns";
  const auto report = validate_measured(written(folder, run), {});
  ASSERT_EQ(report.rows.size(), 1U);
  EXPECT_EQ(report.rows[0].status, CaseStatus::not_supported);
  EXPECT_EQ(report.rows[0].reason, "ranks took turns");
}

TEST(ValidateMeasured, RefusesSpansOfAnotherPlan) {
  const TemporaryFolder folder;
  auto run = run_of(small_scenario(1), 1.0, "plain");
  run.ranks[0].spans[5].name = "nonsense";
  EXPECT_THROW((void)validate_measured(written(folder, run), {}), InputError);
}

} // namespace
} // namespace decodesim
