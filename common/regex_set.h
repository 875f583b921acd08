// Regular expressions (RE2) that a text is held against all at once: one pass over it tells which of them
// take the whole of it, however many they are. A few are asked one by one, which takes no memory per text.
//
// What is to be one set has a bound: more would not be one pass any more. The config's check names the
// expression that goes beyond; a set that could not be made all the same answers right, one by one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace gatehouse {

class RegexSet {
 public:
  static constexpr std::size_t kMostBytes = 16
                                            << 20;  // for the program and the states that texts have led to
  enum class Letters { kAsTheyAre, kInAnyCase };

  RegexSet();
  // Of expressions that RE2 takes.
  explicit RegexSet(std::vector<std::string> patterns, Letters letters = Letters::kAsTheyAre);
  ~RegexSet();
  RegexSet(RegexSet&& other) noexcept;
  RegexSet& operator=(RegexSet&& other) noexcept;

  // Whether they fit into kMostBytes.
  static bool fits(std::span<const std::string> patterns, Letters letters = Letters::kAsTheyAre);

  // Calls visit(index) for the first `count` patterns that take the whole text, in their order, until one
  // returns true.
  template <typename Visit>
  void each(std::string_view text, std::size_t count, Visit visit) const {
    if (count == 0) return;
    if (!together_) {
      for (std::size_t i = 0; i < std::min(count, apart_.size()); ++i) {
        if (takes(i, text) && visit(i)) return;
      }
      return;
    }
    for (const int index : found_in(text)) {
      if (static_cast<std::size_t>(index) >= count || visit(static_cast<std::size_t>(index))) return;
    }
  }

 private:
  class Together;

  bool takes(std::size_t index, std::string_view text) const;
  std::span<const int> found_in(std::string_view text) const;  // in order; until the next call, of one thread

  std::unique_ptr<Together> together_;
  std::vector<std::unique_ptr<re2::RE2>> apart_;  // without it
};

}  // namespace gatehouse
