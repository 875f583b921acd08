// The groups of regular expressions of paths: those that the config's check and whoever uses them must agree
// on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::config {

inline constexpr std::size_t kMostGroups = 9;  // one digit of a substitution

// What is wrong with the groups of an expression that RE2 takes, when they are to be used; empty: nothing.
std::string group_error(const std::string& pattern);
// Names of groups: (?P<name>...).
std::vector<std::string> group_names(const std::string& pattern);
// What is wrong with a text that has \1 to \9 for groups of the expression.
std::string substitution_error(const std::string& pattern, const std::string& substitution);

}  // namespace gatehouse::config
