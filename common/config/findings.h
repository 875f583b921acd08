// Errors and warnings while they are gathered, with the lines of the file that they are about. Internal to
// common/config, but for suggest(), which whatever takes names from people uses.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/load.h"

namespace gatehouse::config {

class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}

  void error(int line, std::string text) { add(Finding::Severity::kError, line, std::move(text)); }
  void warning(int line, std::string text) { add(Finding::Severity::kWarning, line, std::move(text)); }
  // Where "route[2].pool" is, for rules that look at the finished Config. A default is where its table is.
  void remember(const std::string& path, int line) { lines_[path] = line; }
  int line_of(std::string path) const;

  const std::map<std::string, int>& lines() const { return lines_; }

  std::vector<Finding> sorted() const;  // errors first, each in file order

 private:
  struct Entry {
    Finding::Severity severity;
    int line;
    std::string text;
  };
  void add(Finding::Severity severity, int line, std::string text) { entries_.push_back({severity, line, std::move(text)}); }

  std::string file_;
  std::vector<Entry> entries_;
  std::map<std::string, int> lines_;
};

// The known word nearest to `word` (edit distance of two at most, or a third of it); empty: none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);
// "; did you mean \"weight\"?" or, when nothing is near, the whole list.
std::string suggest(std::string_view word, const std::vector<std::string>& known);

// Rules across options and sections: references, duplicates, what is legal and wrong.
void validate(const Config& config, Findings& findings);

}  // namespace gatehouse::config
