#include "common/config/check_prefix_lists.h"

#include <filesystem>

#include "common/prefix_list.h"

namespace gatehouse::config {

std::vector<Finding> check_prefix_lists(const Config& config) {
  std::vector<Finding> findings;
  std::size_t sum = 0;
  for (const PrefixList& list : config.prefix_lists) {
    sum += list.prefixes.size();
    if (list.file.empty()) continue;
    std::error_code error;
    if (!std::filesystem::is_regular_file(list.file, error)) {
      findings.push_back({Finding::Severity::kWarning, config.file + ": [[prefix_list]] \"" + list.name +
                                                           "\": there is no file " + list.file +
                                                           " here; L4 hosts need it"});
      continue;
    }
    const auto prefixes = load_prefix_list(list.file);
    if (prefixes) sum += prefixes->size();
    if (!prefixes) findings.push_back({Finding::Severity::kError, prefixes.error().message});
  }
  if (sum > config.protection.prefixes) {
    findings.push_back({Finding::Severity::kError, config.file +
                                                       ": protection.prefixes: " + std::to_string(sum) +
                                                       " prefixes in all lists, and room for " +
                                                       std::to_string(config.protection.prefixes)});
  }
  return findings;
}

}  // namespace gatehouse::config
