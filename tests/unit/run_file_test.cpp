#include "sim/error.hpp"
#include "tests/unit/input_file.hpp"
#include "validation/measure/run_file.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

RunFile probes() {
  return {.kind = "probes",
          .provenance = {.device = "NVIDIA H200",
                         .devices = 1,
                         .compute_capability = "9.0",
                         .sm_count = 132,
                         .l2_bytes = 52428800,
                         .memory_bytes = 150754820096,
                         .driver = "580.65.06",
                         .cuda = "13.0",
                         .nccl = "2.28.9",
                         .cublas = "13.1.0",
                         .before = GpuState{.sm_clock_mhz = 1980,
                                            .memory_clock_mhz = 3201,
                                            .temperature_c = 35,
                                            .power_w = 120.5,
                                            .throttle_reasons = {"sw_power_cap"}},
                         .after = {},
                         .start_utc = "2026-01-31T12:00:00Z",
                         .end_utc = "2026-01-31T12:01:00Z",
                         .program = "decodesim-probe",
                         .version = "0.1.0",
                         .revision = "1a2b3c",
                         .command = "decodesim-probe --only gemm"},
          .probes = {{.name = "gemm",
                      .parameters = {{"m", 1}, {"n", 4096}, {"k", 8192}, {"dtype", "bf16"}},
                      .l2 = "flushed",
                      .bytes = 67133440,
                      .flop = 67108864,
                      .repeats = 40,
                      .samples_us = {18.125, 18.25},
                      .converged = true,
                      .sm_clock_mhz = 1830,
                      .throttle_reasons = {"sw_power_cap"}},
                     {.name = "gemm",
                      .parameters = {{"dtype", "int8"}, {"m", 1}},
                      .reason = "not supported"}}};
}

MeasuredSpan span(const std::string& name, int step, double start) {
  return {.name = name,
          .layer = 3,
          .kind = "kernel",
          .stream = "compute",
          .step = step,
          .start_us = start,
          .duration_us = 2.5};
}

RunFile plan() {
  return {.kind = "plan",
          .provenance = {.device = "NVIDIA H200"},
          .plans = {
              {.name = "tp2",
               .scenario = R"({"model":"llama-3-8b","batch_size":4})",
               .mode = "shared",
               .graph = true,
               .comparable = false,
               .reason = "time-sliced",
               .steps_us = {100.0, 101.5},
               .recorded_us = {110.0},
               .ranks = {{.rank = 0, .spans = {span("a", 0, 0), span("b", 0, 3), span("a", 1, 9)}},
                         {.rank = 1, .spans = {span("a", 0, 0.5)}}}}}};
}

TEST(RunFile, ProbesComeBackAsTheyWere) {
  EXPECT_EQ(parse_run_file(run_file_text(probes()), "x.json"), probes());
}

TEST(RunFile, PlansComeBackAsTheyWere) {
  EXPECT_EQ(parse_run_file(run_file_text(plan()), "x.json"), plan());
}

TEST(RunFile, AnOperationIsListedOnce) {
  const auto text = run_file_text(plan());
  EXPECT_NE(text.find(R"("spans":[[0,0,0.0,2.5],[1,0,3.0,2.5],[0,1,9.0,2.5]])"), std::string::npos)
      << text;
}

TEST(RunFile, RoundsToNanoseconds) {
  auto run = probes();
  run.probes[0].samples_us = {1.23456789};
  EXPECT_EQ(parse_run_file(run_file_text(run), "x").probes[0].samples_us[0], 1.235);
}

TEST(RunFile, KeepsTheFirstSamplesOfMany) {
  auto run = probes();
  run.probes[0].samples_us.assign(1000, 2.0);
  run.probes[0].samples_us[0] = 1.0;
  const auto kept = parse_run_file(run_file_text(run), "x").probes[0].samples_us;
  EXPECT_EQ(kept.size(), most_samples_kept);
  EXPECT_EQ(kept[0], 1.0);
}

// A span takes at least "[0,0,0.0,2.5]," = 14 bytes: 8 steps of 100 spans at least 11,200. Steps
// are halved until the file fits. The totals of all steps stay.
TEST(RunFile, LeavesOutSpansOfTheLastStepsWhenItWouldBeTooLarge) {
  auto run = plan();
  auto& rank = run.plans[0].ranks[0];
  rank.spans.clear();
  for (int step = 0; step < 8; ++step) {
    for (int i = 0; i < 100; ++i) {
      rank.spans.push_back(span("a", step, i));
    }
  }
  const auto text = run_file_text(run, 10'000);
  EXPECT_LE(text.size(), 10'000u);
  const auto kept = parse_run_file(text, "x").plans[0];
  EXPECT_EQ(kept.ranks[0].spans.size(), 400u);
  EXPECT_EQ(kept.steps_us.size(), 2u);
  EXPECT_THROW((void)run_file_text(run, 100), InputError);
}

TEST(RunFile, LinesCarryProbesAndProvenance) {
  EXPECT_EQ(parse_probe_line(probe_line(probes().probes[0])), probes().probes[0]);
  EXPECT_EQ(parse_provenance_line(provenance_line(probes().provenance)), probes().provenance);
}

std::string message_of(const std::string& text) {
  try {
    (void)parse_run_file(text, "x.json");
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "no InputError";
}

TEST(RunFile, NamesTheFirstMistake) {
  const auto good = run_file_text(probes());
  EXPECT_EQ(message_of(changed(good, R"("kind": "probes")", R"("kind": "poems")")),
            "x.json: /kind: is \"poems\"; \"probes\" or \"plan\" is expected");
  EXPECT_EQ(message_of(changed(good, R"("format_version": 1)", R"("format_version": 2)")),
            "x.json: /format_version: is 2; a whole number from 1 to 1 is expected");
  EXPECT_EQ(message_of(changed(good, R"("l2":"flushed")", R"("l2":"luke")")),
            "x.json: /probes/0/l2: is \"luke\"; \"warm\" or \"flushed\" is expected");
  EXPECT_EQ(message_of(changed(good, "18.125", "-1")),
            "x.json: /probes/0/samples/0: is negative; a time in microseconds is expected");
  EXPECT_EQ(message_of(changed(good, "18.125,18.25", "")),
            "x.json: /probes/0/samples: is empty; a probe without samples has a \"reason\"");
  EXPECT_EQ(message_of(changed(good, R"("name":"mean-deviation")", R"("name":"hope")")),
            "x.json: /stopping_rule/name: is \"hope\"; \"mean-deviation\" is the one there is");
}

TEST(RunFile, NamesTheFirstMistakeOfAPlan) {
  const auto good = run_file_text(plan());
  EXPECT_EQ(message_of(changed(good, "[0,0,0.5,2.5]", "[7,0,0.5,2.5]")),
            "x.json: /plans/0/ranks/1/spans/0/0: is operation 7; there are 1, counted from 0");
  EXPECT_EQ(message_of(changed(good, "[0,0,0.5,2.5]", "[0,0,0.5]")),
            "x.json: /plans/0/ranks/1/spans/0: has 3 numbers; [operation, step, start_us, "
            "duration_us] is expected");
  EXPECT_EQ(message_of(changed(good, "time-sliced", "")),
            "x.json: /plans/0/reason: is empty; a reason goes with what is not comparable");
}

TEST(RunFile, IsToldFromATable) {
  EXPECT_TRUE(looks_like_run_file("\n {\"format_version\": 1}"));
  EXPECT_FALSE(looks_like_run_file("system,dtype\n"));
  EXPECT_FALSE(looks_like_run_file(""));
}

} // namespace
} // namespace decodesim
