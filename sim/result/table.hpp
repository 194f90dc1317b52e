#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace decodesim {

/// Terminal styles; they change no width.
enum class Style { plain, bold, dim, good, caution, bad };

/// `text` in a style, as ANSI escapes.
[[nodiscard]] std::string styled(std::string_view text, Style style);

/// A table of text, rendered as aligned plain text or as Markdown.
struct Table {
  struct Column {
    std::string title{};
    std::string group{}; ///< title over neighbouring columns of the same group; may be empty
    bool right = true;   ///< numbers to the right, words to the left
    std::string alone{}; ///< title where there are no groups; empty = the title
  };

  struct Cell {
    std::string text{};
    Style style = Style::plain;
    bool spans_rest = false; ///< takes the row's remaining columns, as a sentence
  };

  std::vector<Column> columns;
  std::vector<std::vector<Cell>>
      rows; ///< as many cells as columns, or fewer when one spans the rest
};

/// Columns as wide as their longest cell, two spaces apart, a rule under the titles; no trailing
/// spaces. A column whose cells are all empty is left out.
/// @param colour  whether to apply styles
[[nodiscard]] std::string to_text(const Table& table, bool colour);

/// Markdown table (GitHub's form), which has no groups of columns.
[[nodiscard]] std::string to_markdown(const Table& table);

/// Characters a text takes on a terminal: UTF-8 code points, none of them wide.
[[nodiscard]] std::size_t display_width(std::string_view text);

} // namespace decodesim
