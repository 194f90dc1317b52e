#include "validation/case_file.hpp"

#include "sim/error.hpp"
#include "validation/csv_table.hpp"

#include <cmath>

namespace decodesim {

namespace {

class CaseRow {
public:
  CaseRow(const CsvTable& table, std::size_t row) : table_{table}, row_{row} {}

  [[nodiscard]] const std::string& text(const char* column) const {
    return table_.text(row_, column);
  }

  [[nodiscard]] std::string optional_text(const char* column) const {
    return table_.has_column(column) ? text(column) : "";
  }

  /// A count of at least 1; 1 when the field is empty.
  [[nodiscard]] int count(const char* column) const {
    constexpr double most = 1e6;
    const double value = table_.number_or(row_, column, 1);
    if (value < 1 || value > most || value != std::floor(value)) {
      throw InputError::at(table_.where(row_) + ": " + column,
                           "is " + text(column),
                           "a whole number of at least 1 is expected");
    }
    return static_cast<int>(value);
  }

  [[nodiscard]] double positive(const char* column) const {
    const double value = table_.number(row_, column);
    if (value <= 0) {
      throw InputError::at(table_.where(row_) + ": " + column,
                           "is " + text(column),
                           "a positive number is expected");
    }
    return value;
  }

  [[nodiscard]] std::string where() const { return table_.where(row_); }

private:
  const CsvTable& table_;
  std::size_t row_;
};

Case case_of(const CaseRow& row) {
  return {.id = row.text("id"),
          .where = row.where(),
          .split = row.optional_text("split"),
          .source = row.optional_text("source"),
          .model = row.text("model"),
          .params = row.optional_text("params"),
          .gpu = row.text("gpu"),
          .gpus = row.count("gpus"),
          .nodes = row.count("nodes"),
          .interconnect = row.optional_text("interconnect"),
          .strategy = row.optional_text("strategy"),
          .tp = row.count("tp"),
          .pp = row.count("pp"),
          .ep = row.count("ep"),
          .dp = row.count("dp"),
          .batch = row.text("batch"),
          .prompt_tokens = row.text("prompt_len"),
          .output_tokens = row.text("output_len_or_ctx"),
          .dtype = row.text("dtype"),
          .framework = row.optional_text("framework"),
          .metric = row.text("metric"),
          .value = row.positive("value"),
          .unit = row.text("unit"),
          .notes = row.optional_text("notes"),
          .clean = row.optional_text("clean") != "no",
          .why_not_clean = row.optional_text("why_not_clean")};
}

} // namespace

std::vector<Case> read_cases(const std::filesystem::path& file) {
  const auto table = CsvTable::read(file);
  for (const auto* column : {"id",
                             "model",
                             "gpu",
                             "gpus",
                             "nodes",
                             "tp",
                             "pp",
                             "ep",
                             "dp",
                             "batch",
                             "prompt_len",
                             "output_len_or_ctx",
                             "dtype",
                             "metric",
                             "value",
                             "unit"}) {
    if (!table.has_column(column)) {
      throw InputError::at(file.string(),
                           std::string{"has no column \""} + column + "\"",
                           "a case file is expected");
    }
  }
  std::vector<Case> cases;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const CaseRow row{table, i};
    try {
      cases.push_back(case_of(row));
    } catch (const InputError& problem) {
      cases.push_back({.id = row.text("id"), .where = row.where(), .problem = problem.what()});
    }
  }
  return cases;
}

} // namespace decodesim
