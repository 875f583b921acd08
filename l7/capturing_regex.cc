#include "l7/capturing_regex.h"

#include <re2/re2.h>

#include "common/check.h"

namespace gatehouse::l7 {

CapturingRegex::CapturingRegex(const std::string& pattern)
    : regex_(std::make_unique<re2::RE2>(pattern, re2::RE2::Quiet)) {
  GH_CHECK(regex_->ok() && regex_->NumberOfCapturingGroups() <= static_cast<int>(config::kMostGroups));
  for (const auto& [name, number] : regex_->NamedCapturingGroups())
    names_.emplace_back(name, static_cast<std::size_t>(number));
}
CapturingRegex::~CapturingRegex() = default;
CapturingRegex::CapturingRegex(CapturingRegex&&) noexcept = default;

bool CapturingRegex::take(std::string_view text, Groups& groups) const {
  std::array<re2::StringPiece, config::kMostGroups + 1> found;
  const int count = regex_->NumberOfCapturingGroups() + 1;
  if (!regex_->Match({text.data(), text.size()}, 0, text.size(), re2::RE2::ANCHOR_BOTH, found.data(), count))
    return false;
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i] = {found[i].data(), found[i].size()};
  return true;
}

std::size_t CapturingRegex::group_of(std::string_view name) const {
  for (const auto& [known, number] : names_) {
    if (known == name) return number;
  }
  return 0;
}

}  // namespace gatehouse::l7
