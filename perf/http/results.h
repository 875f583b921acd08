// The windows of all launches of a case, and what is made of them, as Markdown: a table of the entries with
// everything that tells whether to believe it, the first entry against each peer by the ratio of minima and
// of medians, the control; and one line per case for the summary.
#pragma once

#include <string>
#include <vector>

#include "perf/http/cases.h"
#include "perf/measurement.h"

namespace gatehouse::perf {

class CaseResults {
 public:
  explicit CaseResults(const Case& subject) : case_(subject), series_(subject.entries.size()) {}

  // A window that others disturbed counts only where there is no other.
  void add(std::size_t entry, const Window& window);
  void skip(std::size_t entry, std::string why) { series_[entry].skipped = std::move(why); }
  bool is_skipped(std::size_t entry) const { return !series_[entry].skipped.empty(); }

  std::string table() const;
  std::string summary_row(const Figure& figure) const;  // of a figure with a demand
  void append(std::vector<Measurement>& list) const;
  const Case& subject() const { return case_; }

 private:
  struct Series {
    std::vector<Window> windows;
    int disturbed = 0;
    std::string skipped;
  };
  struct Ratio {
    double minima = 0;
    double medians = 0;
  };

  bool has(std::size_t entry) const { return !series_[entry].windows.empty(); }
  Summary of(std::size_t entry, const Figure& figure) const;
  Ratio ratio(std::size_t one, std::size_t other, const Figure& figure) const;
  std::size_t best_peer(const Figure& figure) const;  // by its smallest value; entries.size(): none
  std::string entry_row(std::size_t entry) const;
  std::string ratios(const Figure& figure) const;
  struct Verdict {
    std::string ours;      // in the terms of the demand
    std::string demanded;  // both empty: nothing is, or it cannot be told
    std::string outcome;
  };
  Verdict verdict(const Figure& figure) const;

  Case case_;
  std::vector<Series> series_;
};

// What was demanded, over all cases.
std::string summary(const std::vector<CaseResults>& all);

}  // namespace gatehouse::perf
