#include "sim/result/table.hpp"

#include <algorithm>

namespace decodesim {

namespace {

constexpr std::size_t gap = 2; // spaces between columns

const Table::Cell* cell_at(const std::vector<Table::Cell>& row, std::size_t column) {
  return column < row.size() ? &row[column] : nullptr;
}

bool is_empty(const Table& table, std::size_t column) {
  return std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
    const auto* cell = cell_at(row, column);
    return cell == nullptr || cell->text.empty();
  });
}

/// The table without columns in which nothing is said. What spans the rest keeps its place as long
/// as its own column stays.
Table without_empty_columns(const Table& table) {
  Table shown;
  std::vector<std::size_t> kept;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    if (table.rows.empty() || !is_empty(table, column)) {
      kept.push_back(column);
      shown.columns.push_back(table.columns[column]);
    }
  }
  for (const auto& row : table.rows) {
    auto& cells = shown.rows.emplace_back();
    for (const std::size_t column : kept) {
      if (const auto* cell = cell_at(row, column)) {
        cells.push_back(*cell);
      }
    }
  }
  return shown;
}

std::string padded(std::string_view text, std::size_t width, bool right) {
  const std::size_t used = display_width(text);
  const std::string fill(width > used ? width - used : 0, ' ');
  return right ? fill + std::string{text} : std::string{text} + fill;
}

void finish_line(std::string& out, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + "\n";
}

/// Neighbouring columns of one group: [first, last).
struct Group {
  std::size_t first = 0;
  std::size_t last = 0;
  std::string title;
};

std::vector<Group> groups_of(const Table& table) {
  std::vector<Group> groups;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const std::string& title = table.columns[column].group;
    if (!groups.empty() && !title.empty() && groups.back().title == title) {
      groups.back().last = column + 1;
    } else {
      groups.push_back({column, column + 1, title});
    }
  }
  return groups;
}

std::size_t span_of(const std::vector<std::size_t>& widths, const Group& group) {
  std::size_t total = gap * (group.last - group.first - 1);
  for (std::size_t column = group.first; column < group.last; ++column) {
    total += widths[column];
  }
  return total;
}

/// A group's title over its columns, with a rule on both sides: "--- time (ms) ---".
std::string group_heading(const std::string& title, std::size_t width) {
  if (title.empty()) {
    return std::string(width, ' ');
  }
  const std::size_t rest = width - display_width(title);
  if (rest < 4) {
    return padded(title, width, false);
  }
  const std::size_t left = (rest - 2) / 2;
  return std::string(left, '-') + " " + title + " " + std::string(rest - 2 - left, '-');
}

std::string markdown_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '<') {
      out += '\\';
    }
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

} // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; // not a continuation byte
  }));
}

std::string styled(std::string_view text, Style style) {
  const std::string_view code = style == Style::bold      ? "1"
                                : style == Style::dim     ? "2"
                                : style == Style::good    ? "32"
                                : style == Style::caution ? "33"
                                : style == Style::bad     ? "31"
                                                          : "";
  if (code.empty() || text.empty()) {
    return std::string{text};
  }
  return "\x1b[" + std::string{code} + "m" + std::string{text} + "\x1b[0m";
}

std::string to_text(const Table& full, bool colour) {
  const Table table = without_empty_columns(full);
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    std::size_t width = display_width(table.columns[column].title);
    for (const auto& row : table.rows) {
      if (const auto* cell = cell_at(row, column); cell != nullptr && !cell->spans_rest) {
        width = std::max(width, display_width(cell->text));
      }
    }
    widths.push_back(width);
  }
  const std::vector<Group> groups = groups_of(table);
  for (const Group& group : groups) {
    const std::size_t needed = display_width(group.title);
    if (const std::size_t width = span_of(widths, group); width < needed) {
      widths[group.first] += needed - width;
    }
  }

  const std::string space(gap, ' ');
  const auto in_style = [&](const std::string& text, Style style) {
    return colour ? styled(text, style) : text;
  };
  std::string out;
  if (std::any_of(groups.begin(), groups.end(), [](const Group& g) { return !g.title.empty(); })) {
    std::string line;
    for (const Group& group : groups) {
      line += (group.first == 0 ? "" : space) + group_heading(group.title, span_of(widths, group));
    }
    finish_line(out, line);
  }
  std::string titles;
  std::string rule;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const Table::Column& head = table.columns[column];
    titles += (column == 0 ? "" : space) + padded(head.title, widths[column], head.right);
    rule += (column == 0 ? "" : space) + std::string(widths[column], '-');
  }
  finish_line(out, titles);
  finish_line(out, rule);
  for (const auto& row : table.rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const auto& cell = row[column];
      line += column == 0 ? "" : space;
      if (cell.spans_rest) {
        line += in_style(cell.text, cell.style);
        break;
      }
      const std::string text = padded(cell.text, widths[column], table.columns[column].right);
      line += in_style(text, cell.style);
    }
    finish_line(out, line);
  }
  return out;
}

std::string to_markdown(const Table& full) {
  const Table table = without_empty_columns(full);
  std::string titles = "|";
  std::string rule = "|";
  for (const Table::Column& head : table.columns) {
    titles += " " + markdown_escaped(head.alone.empty() ? head.title : head.alone) + " |";
    rule += head.right ? "---:|" : ":---|";
  }
  std::string out = titles + "\n" + rule + "\n";
  for (const auto& row : table.rows) {
    out += "|";
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      const auto* cell = cell_at(row, column);
      out += " " + (cell == nullptr ? std::string{} : markdown_escaped(cell->text)) + " |";
    }
    out += "\n";
  }
  return out;
}

} // namespace decodesim
