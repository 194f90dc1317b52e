#include "validation/validate_cases.hpp"

#include "sim/data_files.hpp"
#include "sim/error.hpp"
#include "sim/result/child_process.hpp"
#include "validation/case_run.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <thread>

namespace decodesim {

namespace {

std::string pack(const CaseOutcome& outcome) {
  nlohmann::json json{{"status", static_cast<int>(outcome.status)}, {"reason", outcome.reason}};
  const auto put = [&](const char* name, const std::optional<double>& value) {
    if (value) {
      json[name] = *value;
    }
  };
  put("simulated", outcome.simulated);
  put("roofline", outcome.roofline);
  put("bandwidth_only", outcome.bandwidth_only);
  return json.dump();
}

void unpack(const std::string& text, Comparison& row) {
  const auto json = nlohmann::json::parse(text);
  row.status = static_cast<CaseStatus>(json.at("status").get<int>());
  row.reason = json.at("reason").get<std::string>();
  const auto value = [&](const char* name) {
    return json.contains(name) ? std::optional{json.at(name).get<double>()} : std::nullopt;
  };
  row.simulated = value("simulated");
  row.roofline = value("roofline");
  row.bandwidth_only = value("bandwidth_only");
}

} // namespace

std::filesystem::path default_case_file() { return data_root() / "validation/data/cases.csv"; }

ComparisonReport validate_cases(const std::filesystem::path& file) {
  const auto cases = read_cases(file);
  std::vector<ChildTask> tasks;
  for (const auto& one : cases) {
    tasks.push_back({.name = one.id,
                     .work = [&one](const auto&) { return pack(simulate_case(one)); },
                     .on_report = {}});
  }
  const auto at_once = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const auto packed = run_in_children(tasks, at_once);
  ComparisonReport report{.title = file.filename().string() + ": " + std::to_string(cases.size()) +
                                   (cases.size() == 1 ? " case" : " cases"),
                          .rows = {},
                          .notes = {}};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto& one = cases[i];
    report.rows.push_back({.id = one.id,
                           .group = group_of(one),
                           .measured = one.value,
                           .simulated = {},
                           .unit = one.unit,
                           .fitted = one.split == "calibration",
                           .in_overall = one.clean});
    unpack(packed[i], report.rows.back());
  }
  report.ranking = rank_layouts(cases, report.rows);
  return report;
}

} // namespace decodesim
