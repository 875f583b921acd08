// Three lines per row that has a floor: raw figure, multiple of the floor, ns above it.
#include "perf/packets/results.h"

#include <algorithm>
#include <cstdio>
#include <functional>

#include "common/check.h"

namespace gatehouse::perf {
namespace {

std::string key_of(const std::string& section, const std::string& row, const std::string& column) {
  return section + " / " + row + " / " + column;
}

std::vector<double> combine(std::vector<double> values, const std::vector<double>& others, auto operation) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = operation(values[i], others[i]);
  return values;
}

std::string text_of(const char* format, double first, double second = 0, double third = 0) {
  char text[64];
  std::snprintf(text, sizeof text, format, first, second, third);
  return text;
}

void print_cells(const std::string& name, const std::vector<std::string>& cells) {
  std::printf("%-44s", name.c_str());
  for (const std::string& cell : cells) {
    // ± is two bytes and one column.
    const int extra = cell.find("±") == std::string::npos ? 0 : 1;
    std::printf("%*s", 21 + extra, cell.c_str());
  }
  std::printf("\n");
}

}  // namespace

void Results::add(const std::string& section, const std::string& row, const std::string& column, double nanoseconds) {
  auto& columns = columns_[section];
  if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
  values_[key_of(section, row, column)].push_back(nanoseconds);
}

const Results::Values& Results::raw(const RowSpec& row, const std::string& column) const {
  const auto values = values_.find(key_of(row.section, row.name, column));
  GH_CHECK(values != values_.end());
  return values->second;
}

Results::Values Results::floor_of(const RowSpec& row, const std::string& column) const {
  Values sum;
  for (const std::string& floor : row.floors) {
    const Values& values = values_.at(key_of(row.section, floor, column));
    sum = sum.empty() ? values : combine(sum, values, std::plus<>());
  }
  return sum;
}

void Results::print_row(const RowSpec& row) const {
  std::vector<std::string> figures, ratios, differences;
  for (const std::string& column : columns_.at(row.section)) {
    const Summary summary = summarize(raw(row, column));
    figures.push_back(text_of("%.1f ±%.1f (%.1f)", summary.median, summary.spread, summary.min));
    if (row.floors.empty()) continue;
    ratios.push_back(text_of("%.2f", summarize(combine(raw(row, column), floor_of(row, column), std::divides<>())).median));
    differences.push_back(text_of("%+.1f", summarize(combine(raw(row, column), floor_of(row, column), std::minus<>())).median));
  }
  print_cells(row.name, figures);
  if (row.floors.empty()) return;
  std::string floors;
  for (const std::string& floor : row.floors) floors += (floors.empty() ? "" : " + ") + floor;
  print_cells("  ÷ (" + floors + ")" + (row.most > 0 ? text_of(", bar %.2f", row.most) : ""), ratios);
  print_cells("  ns above that", differences);
}

void Results::print() const {
  std::string section;
  for (const RowSpec& row : rows_) {
    if (row.section != section) {
      section = row.section;
      std::printf("\n%s\nns per packet, wrapper included: median ± quartile range (smallest)\n", section.c_str());
      print_cells("", columns_.at(section));
    }
    print_row(row);
  }
}

std::vector<Measurement> Results::measurements() const {
  std::vector<Measurement> list;
  for (const RowSpec& row : rows_) {
    for (const std::string& column : columns_.at(row.section)) {
      const Summary summary = summarize(raw(row, column));
      list.push_back({key_of(row.section, row.name, column), summary.median, "ns/packet", summary.spread, {}, 0});
      if (row.floors.empty()) continue;
      std::string floors;
      for (const std::string& floor : row.floors) floors += (floors.empty() ? "" : " + ") + key_of(row.section, floor, column);
      list.back().compared_with = floors;
      list.back().ratio = summarize(combine(raw(row, column), floor_of(row, column), std::divides<>())).median;
    }
  }
  return list;
}

}  // namespace gatehouse::perf
