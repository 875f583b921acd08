// What the match that took a request says of its path, for all that is written of it: the prefix that may be
// replaced, and variables, which are segments of a template or named groups of a regex. Compiled once per
// match, immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/config/model_routes.h"
#include "common/config/path_template.h"
#include "l7/capturing_regex.h"

namespace gatehouse::l7 {

class MatchedPath {
 public:
  explicit MatchedPath(const config::RouteMatch& match);

  std::string_view prefix() const { return prefix_; }  // without a '/' at its end
  // Looks for named groups, once for all values of a path.
  void capture(std::string_view path, CapturingRegex::Groups& groups) const;
  std::string_view value(std::string_view path, const CapturingRegex::Groups& groups,
                         std::string_view name) const;

 private:
  std::string prefix_;
  std::optional<config::PathTemplate> template_;
  std::optional<CapturingRegex> regex_;  // one with names
};

}  // namespace gatehouse::l7
