#include "common/config/findings.h"

#include <algorithm>
#include <numeric>

namespace gatehouse::config {
namespace {

// Levenshtein's distance, one row at a time.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

int Findings::line_of(std::string path) const {
  while (!path.empty()) {
    if (const auto known = lines_.find(path); known != lines_.end()) return known->second;
    const std::size_t parent = path.find_last_of(".[");
    if (parent == std::string::npos) break;
    path.resize(parent);
  }
  return 1;
}

std::vector<Finding> Findings::sorted() const {
  std::vector<Entry> entries = entries_;
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
    return std::pair(left.severity, left.line) < std::pair(right.severity, right.line);
  });
  std::vector<Finding> findings;
  for (const Entry& entry : entries) {
    const char* kind = entry.severity == Finding::Severity::kWarning ? "warning: " : "";
    findings.push_back({entry.severity, file_ + ":" + std::to_string(entry.line) + ": " + kind + entry.text});
  }
  return findings;
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t steps = distance(word, candidate);
    if (steps < least && steps < candidate.size()) {
      least = steps;
      best = candidate;
    }
  }
  return best;
}

std::string suggest(std::string_view word, const std::vector<std::string>& known) {
  if (const std::string near = nearest(word, known); !near.empty()) return "; did you mean \"" + near + "\"?";
  if (known.empty()) return "; there is none";
  std::string list;
  for (const std::string& candidate : known) list += (list.empty() ? "" : ", ") + candidate;
  return "; known: " + list;
}

}  // namespace gatehouse::config
