// The longest common subsequence of what is between a common beginning and a common end.
#include "common/cli/diff.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace gatehouse::cli {
namespace {

constexpr std::size_t kContext = 3;
constexpr std::size_t kMostCells = 16u << 20;

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

// A line of the result: ' ', '-' or '+', and which one of its text.
struct Edit {
  char kind;
  std::string_view line;
};

void add_all(std::vector<Edit>& edits, char kind, const Lines& lines, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) edits.push_back({kind, lines[i]});
}

// Of lines [from, end) of both.
void add_middle(std::vector<Edit>& edits, const Lines& before, const Lines& after, std::size_t from,
                std::size_t end_before, std::size_t end_after) {
  const std::size_t rows = end_before - from, columns = end_after - from;
  if (rows == 0 || columns == 0 || rows > kMostCells / columns) {
    add_all(edits, '-', before, from, end_before);
    add_all(edits, '+', after, from, end_after);
    return;
  }
  // How many lines the rests from (row, column) on have in common at most.
  std::vector<std::uint32_t> common((rows + 1) * (columns + 1));
  const auto at = [&](std::size_t row, std::size_t column) -> std::uint32_t& {
    return common[row * (columns + 1) + column];
  };
  for (std::size_t row = rows; row-- > 0;) {
    for (std::size_t column = columns; column-- > 0;) {
      at(row, column) = before[from + row] == after[from + column]
                            ? at(row + 1, column + 1) + 1
                            : std::max(at(row + 1, column), at(row, column + 1));
    }
  }
  std::size_t row = 0, column = 0;
  while (row < rows || column < columns) {
    if (row < rows && column < columns && before[from + row] == after[from + column]) {
      edits.push_back({' ', before[from + row++]});
      ++column;
    } else if (column == columns || (row < rows && at(row + 1, column) >= at(row, column + 1))) {
      edits.push_back({'-', before[from + row++]});
    } else {
      edits.push_back({'+', after[from + column++]});
    }
  }
}

std::vector<Edit> edits_of(const Lines& before, const Lines& after) {
  std::size_t start = 0, end_before = before.size(), end_after = after.size();
  while (start < end_before && start < end_after && before[start] == after[start]) ++start;
  while (end_before > start && end_after > start && before[end_before - 1] == after[end_after - 1]) {
    --end_before;
    --end_after;
  }
  std::vector<Edit> edits;
  add_all(edits, ' ', before, 0, start);
  add_middle(edits, before, after, start, end_before, end_after);
  add_all(edits, ' ', before, end_before, before.size());
  return edits;
}

std::string range_of(std::size_t start, std::size_t count) {
  return std::to_string(count == 0 ? start : start + 1) + (count == 1 ? "" : "," + std::to_string(count));
}

std::string hunk(const std::vector<Edit>& edits, std::size_t from, std::size_t to) {
  std::size_t start_before = 0, start_after = 0, count_before = 0, count_after = 0;
  std::string lines;
  for (std::size_t i = 0; i < to; ++i) {
    const bool is_in = i >= from;
    (is_in ? count_before : start_before) += edits[i].kind != '+';
    (is_in ? count_after : start_after) += edits[i].kind != '-';
    if (!is_in) continue;
    lines += edits[i].kind + std::string(edits[i].line);
    if (!edits[i].line.ends_with('\n')) lines += "\n\\ No newline at end of file\n";
  }
  return "@@ -" + range_of(start_before, count_before) + " +" + range_of(start_after, count_after) + " @@\n" +
         lines;
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after, const std::string& name_before,
                         const std::string& name_after) {
  if (before == after) return "";
  const std::vector<Edit> edits = edits_of(lines_of(before), lines_of(after));
  std::string text = "--- " + name_before + "\n+++ " + name_after + "\n";
  const auto next_change = [&edits](std::size_t from) {
    while (from < edits.size() && edits[from].kind == ' ') ++from;
    return from;
  };
  for (std::size_t change = next_change(0); change < edits.size();) {
    const std::size_t from = change - std::min(change, kContext);
    std::size_t end = change + 1, next = next_change(end);
    // Changes that are near each other stand in one hunk.
    while (next < edits.size() && next - end <= 2 * kContext) {
      end = next + 1;
      next = next_change(end);
    }
    text += hunk(edits, from, std::min(edits.size(), end + kContext));
    change = next;
  }
  return text;
}

}  // namespace gatehouse::cli
