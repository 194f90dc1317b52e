#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace decodesim {

/// A table of measurements: CSV (RFC 4180 without line breaks in fields) with a header row. Lines
/// that begin with '#' before the header are comments: source, notes, units.
class CsvTable {
public:
  /// @throws InputError naming file and line: not readable, no header, a column named twice, a row
  ///         with another number of fields, a quote that does not end
  [[nodiscard]] static CsvTable read(const std::filesystem::path& path);

  /// As written, each with its '#'.
  [[nodiscard]] const std::vector<std::string>& comments() const { return comments_; }

  [[nodiscard]] std::size_t rows() const { return rows_.size(); }

  [[nodiscard]] bool has_column(const std::string& name) const { return columns_.contains(name); }

  /// @throws InputError naming the file when there is no such column
  [[nodiscard]] const std::string& text(std::size_t row, const std::string& column) const;

  /// @throws InputError naming file, line and column when the field is no finite number
  [[nodiscard]] double number(std::size_t row, const std::string& column) const;

  /// The number of a column that is missing or of a field that is empty.
  [[nodiscard]] double
  number_or(std::size_t row, const std::string& column, double otherwise) const;

  /// "cases.csv:12"
  [[nodiscard]] std::string where(std::size_t row) const;

private:
  struct Row {
    int line = 0;
    std::vector<std::string> fields;
  };

  std::string file_;
  std::vector<std::string> comments_;
  std::map<std::string, std::size_t> columns_;
  std::vector<Row> rows_;
};

} // namespace decodesim
