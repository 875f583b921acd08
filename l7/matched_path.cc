#include "l7/matched_path.h"

namespace gatehouse::l7 {

MatchedPath::MatchedPath(const config::RouteMatch& match) : prefix_(match.path_prefix) {
  if (prefix_.ends_with('/')) prefix_.pop_back();
  if (!match.path_template.empty()) template_ = *config::PathTemplate::parse(match.path_template);
  if (!config::group_names(match.path_regex).empty()) regex_.emplace(match.path_regex);
}

void MatchedPath::capture(std::string_view path, CapturingRegex::Groups& groups) const {
  if (regex_) regex_->take(path, groups);
}

std::string_view MatchedPath::value(std::string_view path, const CapturingRegex::Groups& groups,
                                    std::string_view name) const {
  if (template_) return template_->value(path, name).value_or("");
  return regex_ ? groups[regex_->group_of(name)] : std::string_view();
}

}  // namespace gatehouse::l7
