#include "validation/comparison_report.hpp"
#include "validation/error_summary.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace decodesim {
namespace {

Comparison row(const std::string& id, double measured, std::optional<double> simulated) {
  Comparison one{
      .id = id, .group = "g", .measured = measured, .simulated = simulated, .unit = "ms"};
  if (!simulated) {
    one.status = CaseStatus::not_supported;
    one.reason = "a cluster of CPUs";
  }
  return one;
}

// Errors +10 %, -20 %, +30 %, 0 %: sizes in order 0, .1, .2, .3; median (.1 + .2) / 2, mean .6 / 4,
// nine in ten: the 4th of 4 (ceil 3.6); bias (.1 - .2 + .3) / 4 = .05.
TEST(ErrorSummary, OfFourRows) {
  const auto summary = summarize(
      {row("a", 10, 11), row("b", 10, 8), row("c", 10, 13), row("d", 5, 5), row("e", 1, {})});
  EXPECT_EQ(summary.count, 4);
  EXPECT_EQ(summary.not_simulated, 1);
  EXPECT_NEAR(summary.median_absolute, 0.15, 1e-12);
  EXPECT_NEAR(summary.mean_absolute, 0.15, 1e-12);
  EXPECT_NEAR(summary.p90_absolute, 0.3, 1e-12);
  EXPECT_NEAR(summary.bias, 0.05, 1e-12);
  EXPECT_NEAR(summary.worst, 0.3, 1e-12);
  EXPECT_EQ(summary.worst_id, "c");
}

TEST(ErrorSummary, OfNothingIsEmpty) {
  EXPECT_EQ(summarize({}).count, 0);
  EXPECT_EQ(summarize({}).worst_id, "");
}

TEST(ErrorSummary, OfAnotherPrediction) {
  auto one = row("a", 10, 11);
  one.roofline = 5;
  EXPECT_NEAR(summarize({one}, Prediction::roofline).bias, -0.5, 1e-12);
  EXPECT_EQ(summarize({one}, Prediction::bandwidth_only).not_simulated, 1);
}

TEST(ComparisonReport, JsonHasCasesAndSummary) {
  const ComparisonReport report{
      .title = "t", .rows = {row("a", 10, 11), row("b", 10, {})}, .notes = {}};
  const auto json = nlohmann::json::parse(render(report, OutputFormat::json));
  const auto& cases = json.at("cases");
  ASSERT_EQ(cases.size(), 2U);
  EXPECT_EQ(cases[0].at("status"), "ok");
  EXPECT_NEAR(cases[0].at("error_ratio").get<double>(), 0.1, 1e-12);
  EXPECT_EQ(cases[1].at("status"), "not_supported");
  EXPECT_EQ(cases[1].at("reason"), "a cluster of CPUs");
  EXPECT_TRUE(cases[1].at("simulated").is_null());
  EXPECT_TRUE(cases[1].at("error_ratio").is_null());
  EXPECT_EQ(json.at("summary").at("overall").at("count"), 1);
  EXPECT_EQ(json.at("summary").at("groups").at(0).at("not_simulated"), 1);
}

TEST(ComparisonReport, TextHasEveryRowAndTheReason) {
  const ComparisonReport report{
      .title = "t", .rows = {row("a", 10, 11), row("b", 10, {})}, .notes = {}};
  const auto text = render(report, OutputFormat::text);
  EXPECT_NE(text.find("+10.0 %"), std::string::npos);
  EXPECT_NE(text.find("not_supported: a cluster of CPUs"), std::string::npos);
  const auto csv = render(report, OutputFormat::csv);
  EXPECT_NE(csv.find("\nb,g,not_supported,a cluster of CPUs,10.0,,ms,,no,yes\n"),
            std::string::npos);
}

} // namespace
} // namespace decodesim
