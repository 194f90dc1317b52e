#include "strategies/build_plan.hpp"
#include "strategies/layout_spec.hpp"
#include "tests/executor/recording_device.hpp"
#include "tests/support/tiny_model.hpp"
#include "validation/executor/plan_run_file.hpp"
#include "validation/measure/run_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace decodesim;
using namespace decodesim::testing;
using nlohmann::ordered_json;
using ::testing::ElementsAre;

// The prologue ends at 10 us, steps at 14.5 and 20 us.
TEST(StepTimes, AreBetweenTheEndsOfSteps) {
  RankTimes times;
  times.prologue_s = 10e-6;
  times.step_end_s = {14.5e-6, 20e-6};
  EXPECT_THAT(step_times_us(times), ElementsAre(4.5, 5.5));
}

// Each operation of the plan is listed once; a span names it, its step, start and duration. The
// slower of two ranks makes a step's time.
TEST(PlanRunFile, HasEverySpanOfEveryRank) {
  const auto model = tiny_model();
  const auto plan = build_plan(model, parse_layout_spec("pp2", 2, "test"), workload(2, 3, 3));
  std::vector<ordered_json> ranks;
  std::size_t operations = 0;
  for (int rank = 0; rank < 2; ++rank) {
    RecordingDevice device;
    PlanExecutor executor{plan, model, rank, device, {.spans = false}};
    executor.prepare();
    RankRun run{.rank = rank, .totals = executor.run()};
    executor.record_spans(true);
    run.recorded = executor.run();
    ranks.push_back(rank_run_json(plan, run));
    const auto& program = plan.program(rank);
    operations = program.prologue.size() + program.body.size() + program.epilogue.size();
    EXPECT_EQ(ranks.back()["operations"].size(), operations);
    EXPECT_EQ(ranks.back()["spans"].size(), operations + program.body.size());
    EXPECT_EQ(ranks.back()["steps"].size(), 2u);
  }
  ranks[0]["steps"] = {4.0, 7.0};
  ranks[1]["steps"] = {5.0, 6.0};
  const PlanRunHead head{.name = "tiny pp2",
                         .scenario = R"({"model": "tiny"})",
                         .mode = "shared",
                         .not_comparable = "ranks took turns",
                         .provenance = provenance_line({.device = "none"})};
  const auto text = plan_run_text(head, ranks);
  EXPECT_LT(plan_run_text(head, ranks, text.size() - 1).size(), text.size())
      << "spans of the last step are left out";
  EXPECT_EQ(parse_run_file(text, "test").plans.at(0).ranks.at(1).spans.at(0).name,
            "receive.hidden");
  const auto file = ordered_json::parse(text);
  EXPECT_EQ(file["kind"], "plan");
  EXPECT_EQ(file["provenance"]["device"], "none");
  const auto& run = file["plans"][0];
  EXPECT_EQ(run["scenario"]["model"], "tiny");
  EXPECT_EQ(run["comparable"], false);
  EXPECT_EQ(run["reason"], "ranks took turns");
  EXPECT_EQ(run["steps"], (ordered_json{5.0, 7.0}));
  const auto& of_second = run["ranks"][1];
  const auto& first = of_second["operations"][0];
  EXPECT_EQ(first["name"], "receive.hidden");
  EXPECT_EQ(first["kind"], "message");
  EXPECT_EQ(first["stream"], "receive");
  EXPECT_EQ(of_second["spans"][0][0], 0);
  EXPECT_EQ(of_second["spans"][0][1], -1);
  EXPECT_GT(of_second["spans"][0][3], 0.0);
}
