// Asks RE2 what it makes of an expression.
#include "common/config/path_groups.h"

#include <re2/re2.h>

namespace gatehouse::config {

std::string group_error(const std::string& pattern) {
  const re2::RE2 regex(pattern, re2::RE2::Quiet);
  if (!regex.ok() || regex.NumberOfCapturingGroups() <= static_cast<int>(kMostGroups)) return {};
  return "expected at most " + std::to_string(kMostGroups) + " groups, found " +
         std::to_string(regex.NumberOfCapturingGroups()) + "; (?:...) is none";
}

std::vector<std::string> group_names(const std::string& pattern) {
  std::vector<std::string> names;
  if (pattern.empty()) return names;
  const re2::RE2 regex(pattern, re2::RE2::Quiet);
  if (!regex.ok()) return names;
  for (const auto& [name, number] : regex.NamedCapturingGroups()) names.push_back(name);
  return names;
}

std::string substitution_error(const std::string& pattern, const std::string& substitution) {
  const re2::RE2 regex(pattern, re2::RE2::Quiet);
  std::string error;
  return !regex.ok() || regex.CheckRewriteString(substitution, &error) ? "" : error;
}

}  // namespace gatehouse::config
