#include "validation/comparison_report.hpp"

#include "sim/result/human_numbers.hpp"
#include "sim/result/table.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace decodesim {

namespace {

/// "+3.4 %"
std::string percent(double ratio) {
  const auto text = fixed(100 * ratio, 1);
  return (ratio >= 0 && !text.starts_with("-") ? "+" : "") + text + " %";
}

std::string size_percent(double ratio) { return fixed(100 * ratio, 1) + " %"; }

Style style_of(double error) {
  return std::abs(error) <= 0.1    ? Style::good
         : std::abs(error) <= 0.25 ? Style::caution
                                   : Style::bad;
}

Table rows_table(const ComparisonReport& report) {
  Table table{.columns = {{.title = "case", .right = false},
                          {.title = "group", .right = false},
                          {.title = "measured"},
                          {.title = "simulated"},
                          {.title = "unit", .right = false},
                          {.title = "error"},
                          {.title = "note", .right = false}},
              .rows = {}};
  for (const auto& row : report.rows) {
    const auto error = row.error_ratio();
    std::string note = row.reason;
    if (row.status != CaseStatus::ok) {
      note = std::string{to_string(row.status)} + ": " + note;
    }
    table.rows.push_back(
        {{.text = row.id},
         {.text = row.group},
         {.text = rounded(row.measured)},
         {.text = row.simulated ? rounded(*row.simulated) : ""},
         {.text = row.unit},
         {.text = error ? percent(*error) : "", .style = error ? style_of(*error) : Style::plain},
         {.text = note, .style = Style::dim}});
  }
  return table;
}

void add_summary_row(Table& table, const std::string& name, const ErrorSummary& summary) {
  const bool some = summary.count > 0;
  table.rows.push_back({{.text = name},
                        {.text = std::to_string(summary.count)},
                        {.text = std::to_string(summary.not_simulated)},
                        {.text = some ? size_percent(summary.median_absolute) : ""},
                        {.text = some ? size_percent(summary.mean_absolute) : ""},
                        {.text = some ? size_percent(summary.p90_absolute) : ""},
                        {.text = some ? percent(summary.bias) : ""},
                        {.text = some ? percent(summary.worst) : ""},
                        {.text = summary.worst_id}});
}

std::vector<Comparison> overall(const std::vector<Comparison>& rows, bool fitted) {
  std::vector<Comparison> chosen;
  for (const auto& row : rows) {
    if (row.in_overall && row.fitted == fitted) {
      chosen.push_back(row);
    }
  }
  return chosen;
}

Table summary_table(const ComparisonReport& report) {
  Table table{.columns = {{.title = "group", .right = false},
                          {.title = "rows"},
                          {.title = "not simulated"},
                          {.title = "median"},
                          {.title = "mean"},
                          {.title = "9 in 10"},
                          {.title = "bias"},
                          {.title = "worst"},
                          {.title = "worst case", .right = false}},
              .rows = {}};
  for (const auto& group : by_group(report.rows)) {
    add_summary_row(table, group.front().group, summarize(group));
  }
  const auto unseen = overall(report.rows, false);
  const auto fitted = overall(report.rows, true);
  if (!unseen.empty()) {
    add_summary_row(table, fitted.empty() ? "all" : "all never fitted", summarize(unseen));
  }
  if (!fitted.empty()) {
    add_summary_row(table, "all fitted", summarize(fitted));
  }
  return table;
}

nlohmann::ordered_json to_json(const ErrorSummary& summary) {
  nlohmann::ordered_json json{{"count", summary.count}, {"not_simulated", summary.not_simulated}};
  const bool some = summary.count > 0;
  const auto number = [&](double value) {
    return some ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
  };
  json["median_absolute_error_ratio"] = number(summary.median_absolute);
  json["mean_absolute_error_ratio"] = number(summary.mean_absolute);
  json["p90_absolute_error_ratio"] = number(summary.p90_absolute);
  json["bias_ratio"] = number(summary.bias);
  json["worst_error_ratio"] = number(summary.worst);
  json["worst_case"] = some ? nlohmann::ordered_json(summary.worst_id) : nullptr;
  return json;
}

nlohmann::ordered_json optional_number(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

std::string json_of(const ComparisonReport& report) {
  nlohmann::ordered_json json{{"format_version", comparison_format_version},
                              {"title", report.title}};
  json["cases"] = nlohmann::ordered_json::array();
  for (const auto& row : report.rows) {
    json["cases"].push_back({{"id", row.id},
                             {"group", row.group},
                             {"status", to_string(row.status)},
                             {"reason", row.reason},
                             {"measured", row.measured},
                             {"simulated", optional_number(row.simulated)},
                             {"unit", row.unit},
                             {"error_ratio", optional_number(row.error_ratio())},
                             {"fitted", row.fitted},
                             {"in_overall", row.in_overall},
                             {"roofline", optional_number(row.roofline)},
                             {"bandwidth_only", optional_number(row.bandwidth_only)}});
  }
  auto& summary = json["summary"];
  summary["overall"] = to_json(summarize(overall(report.rows, false)));
  summary["fitted"] = to_json(summarize(overall(report.rows, true)));
  summary["groups"] = nlohmann::ordered_json::array();
  for (const auto& group : by_group(report.rows)) {
    nlohmann::ordered_json one{{"group", group.front().group}};
    one.update(to_json(summarize(group)));
    summary["groups"].push_back(std::move(one));
  }
  if (report.ranking) {
    json["layout_ranking"] = {
        {"pairs", report.ranking->pairs},
        {"right", report.ranking->pairs - static_cast<int>(report.ranking->wrong.size())},
        {"wrong", report.ranking->wrong}};
  }
  json["notes"] = report.notes;
  return json.dump(2) + "\n";
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char character : text) {
    quoted += character == '"' ? "\"\"" : std::string(1, character);
  }
  return quoted + "\"";
}

std::string csv_of(const ComparisonReport& report) {
  const auto number = [](const std::optional<double>& value) {
    return value ? nlohmann::json(*value).dump() : "";
  };
  std::string text =
      "id,group,status,reason,measured,simulated,unit,error_ratio,fitted,in_overall\n";
  for (const auto& row : report.rows) {
    text += csv_field(row.id) + "," + csv_field(row.group) + "," +
            std::string{to_string(row.status)} + "," + csv_field(row.reason) + "," +
            number(row.measured) + "," + number(row.simulated) + "," + row.unit + "," +
            number(row.error_ratio()) + "," + (row.fitted ? "yes" : "no") + "," +
            (row.in_overall ? "yes" : "no") + "\n";
  }
  return text;
}

std::vector<std::string> notes_of(const ComparisonReport& report) {
  auto notes = report.notes;
  if (report.ranking && report.ranking->pairs > 0) {
    const auto& wrong = report.ranking->wrong;
    notes.push_back("Layouts measured more than 10 % apart are in the right order in " +
                    std::to_string(report.ranking->pairs - static_cast<int>(wrong.size())) +
                    " of " + std::to_string(report.ranking->pairs) + " pairs" +
                    (wrong.empty() ? "." : "; not:"));
    for (const auto& [first, second] : wrong) {
      notes.push_back(first + " and " + second);
    }
  }
  return notes;
}

} // namespace

std::string render(const ComparisonReport& report, OutputFormat format, bool colour) {
  std::string notes;
  switch (format) {
  case OutputFormat::json:
    return json_of(report);
  case OutputFormat::csv:
    return csv_of(report);
  case OutputFormat::markdown:
    for (const auto& note : notes_of(report)) {
      notes += "\n- " + note;
    }
    return "**" + report.title + "**\n\n" + to_markdown(rows_table(report)) + "\n" +
           to_markdown(summary_table(report)) + notes + (notes.empty() ? "" : "\n");
  case OutputFormat::text:
    break;
  }
  for (const auto& note : notes_of(report)) {
    notes += note + "\n";
  }
  return report.title + "\n\n" + to_text(rows_table(report), colour) + "\n" +
         "Errors are simulated / measured - 1; median, mean and 9 in 10 of their sizes.\n\n" +
         to_text(summary_table(report), colour) + (notes.empty() ? "" : "\n" + notes);
}

} // namespace decodesim
