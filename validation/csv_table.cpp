#include "validation/csv_table.hpp"

#include "sim/error.hpp"

#include <boost/tokenizer.hpp>

#include <charconv>
#include <cmath>
#include <fstream>

namespace decodesim {

namespace {

/// Fields of a line. Two quotes inside a quoted field stand for one.
std::vector<std::string> fields_of(std::string line, const std::string& where) {
  // The tokenizer knows no doubled quotes: they are hidden from it.
  constexpr char hidden_quote = '\x01';
  std::string text;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      text += hidden_quote;
      ++i;
      continue;
    }
    quoted ^= line[i] == '"';
    text += line[i];
  }
  if (quoted) {
    throw InputError::at(where, "has a quoted field that does not end");
  }
  const boost::escaped_list_separator<char> separator{'\x02', ',', '"'};
  std::vector<std::string> fields;
  for (auto field : boost::tokenizer<boost::escaped_list_separator<char>>{text, separator}) {
    for (auto& character : field) {
      character = character == hidden_quote ? '"' : character;
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

} // namespace

CsvTable CsvTable::read(const std::filesystem::path& path) {
  std::ifstream file{path};
  if (!file || std::filesystem::is_directory(path)) {
    throw InputError::at(path.string(), "cannot be read");
  }
  CsvTable table;
  table.file_ = path.filename().string();
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.ends_with('\r')) {
      line.pop_back();
    }
    if (line.starts_with('#') && table.columns_.empty()) {
      table.comments_.push_back(line);
      continue;
    }
    if (line.empty()) {
      continue;
    }
    const auto where = path.string() + ":" + std::to_string(number);
    auto fields = fields_of(line, where);
    if (table.columns_.empty()) {
      for (std::size_t i = 0; i < fields.size(); ++i) {
        if (!table.columns_.emplace(fields[i], i).second) {
          throw InputError::at(where, "names column \"" + fields[i] + "\" twice");
        }
      }
      continue;
    }
    if (fields.size() != table.columns_.size()) {
      throw InputError::at(where,
                           "has " + std::to_string(fields.size()) + " fields",
                           "the header has " + std::to_string(table.columns_.size()));
    }
    table.rows_.push_back({.line = number, .fields = std::move(fields)});
  }
  if (table.columns_.empty()) {
    throw InputError::at(path.string(), "has no header row", "a CSV file is expected");
  }
  return table;
}

const std::string& CsvTable::text(std::size_t row, const std::string& column) const {
  const auto found = columns_.find(column);
  if (found == columns_.end()) {
    throw InputError::at(file_, "has no column \"" + column + "\"");
  }
  return rows_[row].fields[found->second];
}

double CsvTable::number(std::size_t row, const std::string& column) const {
  const auto& field = text(row, column);
  double value = 0;
  const auto [stop, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || stop != field.data() + field.size() || !std::isfinite(value)) {
    throw InputError::at(
        where(row) + ": " + column, "is \"" + field + "\"", "a number is expected");
  }
  return value;
}

double CsvTable::number_or(std::size_t row, const std::string& column, double otherwise) const {
  return has_column(column) && !text(row, column).empty() ? number(row, column) : otherwise;
}

std::string CsvTable::where(std::size_t row) const {
  return file_ + ":" + std::to_string(rows_[row].line);
}

} // namespace decodesim
