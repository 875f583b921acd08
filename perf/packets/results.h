// The figures of all rounds: printed as one table per section, rows beside the floors that they are measured by, and written as
// JSON. A ratio or a difference is taken within a round, of cases in the same column; only then is the median taken.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "perf/measurement.h"

namespace gatehouse::perf {

struct RowSpec {
  std::string section;
  std::string name;
  std::vector<std::string> floors;  // rows of the section: the sum of their figures is what this one is measured by
  double most = 0;                  // the bar, as a multiple of that; 0: none
};

class Results {
 public:
  void declare(const RowSpec& row) { rows_.push_back(row); }
  // Only the sections whose name has `text`.
  void keep(const std::string& text) { std::erase_if(rows_, [&](const RowSpec& row) { return row.section.find(text) == std::string::npos; }); }
  void add(const std::string& section, const std::string& row, const std::string& column, double nanoseconds);

  void print() const;
  std::vector<Measurement> measurements() const;

 private:
  using Values = std::vector<double>;
  const Values& raw(const RowSpec& row, const std::string& column) const;
  Values floor_of(const RowSpec& row, const std::string& column) const;
  void print_row(const RowSpec& row) const;

  std::vector<RowSpec> rows_;
  std::map<std::string, std::vector<std::string>> columns_;  // section → in the order of their first figure
  std::map<std::string, Values> values_;                     // "section / row / column"
};

}  // namespace gatehouse::perf
