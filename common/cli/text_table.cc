// Layout of tables.
#include "common/cli/text_table.h"

#include <algorithm>

namespace gatehouse::cli {
namespace {

// Characters, not bytes: continuation bytes of UTF-8 take no room.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

void TextTable::add_column(std::string heading, Align align) {
  columns_.push_back({std::move(heading), align});
}

void TextTable::add_row(std::vector<std::string> cells) {
  for (std::string& cell : cells) {
    std::ranges::replace_if(
        cell, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  }
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> TextTable::widths() const {
  std::vector<std::size_t> result;
  for (const auto& row : rows_) {
    result.resize(std::max(result.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) result[i] = std::max(result[i], width_of(row[i]));
  }
  for (std::size_t i = 0; i < std::min(result.size(), columns_.size()); ++i) {
    if (result[i] > 0) result[i] = std::max(result[i], width_of(columns_[i].heading));
  }
  return result;
}

void TextTable::append_line(std::string& text, const std::vector<std::string>& cells,
                            const std::vector<std::size_t>& widths) const {
  std::string line;
  for (std::size_t i = 0; i < std::min(cells.size(), widths.size()); ++i) {
    if (widths[i] == 0) continue;
    const std::string padding(widths[i] - width_of(cells[i]), ' ');
    const bool is_right = i < columns_.size() && columns_[i].align == Align::kRight;
    if (!line.empty()) line += "  ";
    line += is_right ? padding + cells[i] : cells[i] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  text += line + "\n";
}

std::string TextTable::text() const {
  std::string result;
  const std::vector<std::size_t> all = widths();
  std::vector<std::string> headings;
  for (const Column& column : columns_) headings.push_back(column.heading);
  if (!headings.empty() && !rows_.empty()) append_line(result, headings, all);
  for (const auto& row : rows_) append_line(result, row, all);
  return result;
}

}  // namespace gatehouse::cli
