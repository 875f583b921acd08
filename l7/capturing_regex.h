// A regular expression whose groups are wanted: RE2, over the whole text, in time linear to it. For what is
// only asked whether it takes a text there are WholeRegex and RegexSet, which are faster.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/path_groups.h"

namespace re2 {
class RE2;
}

namespace gatehouse::l7 {

class CapturingRegex {
 public:
  using Groups = std::array<std::string_view, config::kMostGroups + 1>;  // the first: the whole text

  explicit CapturingRegex(const std::string& pattern);  // that the config's check let through
  ~CapturingRegex();
  CapturingRegex(CapturingRegex&&) noexcept;

  // Views of `text`; what took no part is empty.
  bool take(std::string_view text, Groups& groups) const;
  // Number of the group of that name; 0: there is none.
  std::size_t group_of(std::string_view name) const;
  bool has_names() const { return !names_.empty(); }

 private:
  std::unique_ptr<re2::RE2> regex_;
  std::vector<std::pair<std::string, std::size_t>> names_;
};

}  // namespace gatehouse::l7
