// RE2::Set does the work; it tells what it found in no order.
#include "common/regex_set.h"

#include <re2/re2.h>
#include <re2/set.h>

#include "common/check.h"

namespace gatehouse {
namespace {

constexpr std::size_t kFew = 4;

re2::StringPiece piece_of(std::string_view text) { return {text.data(), text.size()}; }

re2::RE2::Options options_for(RegexSet::Letters letters) {
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_case_sensitive(letters == RegexSet::Letters::kAsTheyAre);
  return options;
}

}  // namespace

class RegexSet::Together {
 public:
  Together(std::span<const std::string> patterns, re2::RE2::Options options)
      : set_(limited(options), re2::RE2::ANCHOR_BOTH) {
    for (const std::string& pattern : patterns) GH_CHECK(set_.Add(pattern, nullptr) >= 0);
    is_made_ = set_.Compile();
  }
  bool is_made() const { return is_made_; }
  std::span<const int> find(std::string_view text) {
    set_.Match(piece_of(text), &found_);
    std::sort(found_.begin(), found_.end());
    return found_;
  }

 private:
  static re2::RE2::Options limited(re2::RE2::Options options) {
    options.set_max_mem(static_cast<std::int64_t>(kMostBytes));
    return options;
  }

  re2::RE2::Set set_;
  std::vector<int> found_;
  bool is_made_ = false;
};

RegexSet::RegexSet() = default;
RegexSet::~RegexSet() = default;
RegexSet::RegexSet(RegexSet&& other) noexcept = default;
RegexSet& RegexSet::operator=(RegexSet&& other) noexcept = default;

RegexSet::RegexSet(std::vector<std::string> patterns, Letters letters) {
  const re2::RE2::Options options = options_for(letters);
  if (patterns.size() > kFew) {
    together_ = std::make_unique<Together>(patterns, options);
    if (together_->is_made()) return;
    together_.reset();
  }
  for (const std::string& pattern : patterns) {
    apart_.push_back(std::make_unique<re2::RE2>(pattern, options));
    GH_CHECK(apart_.back()->ok());
  }
}

bool RegexSet::fits(std::span<const std::string> patterns, Letters letters) {
  return patterns.size() <= kFew || Together(patterns, options_for(letters)).is_made();
}

bool RegexSet::takes(std::size_t index, std::string_view text) const {
  return re2::RE2::FullMatch(piece_of(text), *apart_[index]);
}

std::span<const int> RegexSet::found_in(std::string_view text) const { return together_->find(text); }

}  // namespace gatehouse
