// A table for people: columns as wide as their widest cell, two spaces between them, numbers to the right.
// Columns in which no row has anything are left out, and so are control characters, because cells carry other
// people's text.
#pragma once

#include <string>
#include <vector>

namespace gatehouse::cli {

class TextTable {
 public:
  enum class Align { kLeft, kRight };

  // Columns without a heading need no declaration and are aligned to the left.
  void add_column(std::string heading, Align align = Align::kLeft);
  void add_row(std::vector<std::string> cells);
  bool is_empty() const { return rows_.empty(); }
  std::string text() const;  // one line per row, headings first; empty without rows

 private:
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };
  std::vector<std::size_t> widths() const;  // 0: nothing in it
  void append_line(std::string& text, const std::vector<std::string>& cells,
                   const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace gatehouse::cli
