// A set finds what each of its expressions would find alone, in their order, and says when they are too much
// for one pass.
#include "common/regex_set.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>

namespace gatehouse {
namespace {

std::vector<std::size_t> found(const RegexSet& set, std::string_view text, std::size_t count = 1'000'000) {
  std::vector<std::size_t> all;
  set.each(text, count, [&all](std::size_t index) {
    all.push_back(index);
    return false;
  });
  return all;
}

using Places = std::vector<std::size_t>;

TEST(RegexSet, AFewAndManyAnswerAlike) {
  for (const std::size_t others : {std::size_t{0}, std::size_t{100}}) {
    std::vector<std::string> patterns = {"/a/.*", "/b", "/a/[0-9]+"};
    for (std::size_t i = 0; i < others; ++i) patterns.push_back("/other-" + std::to_string(i));
    const RegexSet set(patterns);
    EXPECT_EQ(found(set, "/a/7"), (Places{0, 2}));
    EXPECT_EQ(found(set, "/a/7", 2), (Places{0}));
    EXPECT_EQ(found(set, "/a/7", 0), Places());
    EXPECT_EQ(found(set, "/a/x"), (Places{0}));
    EXPECT_EQ(found(set, "/bb"), Places()) << "the whole text";
    EXPECT_EQ(found(set, "x/b"), Places());
  }
}

TEST(RegexSet, StopsWhereItIsTold) {
  const RegexSet set({".*", ".*", ".*", ".*", ".*", ".*"});
  Places seen;
  set.each("x", 6, [&seen](std::size_t index) {
    seen.push_back(index);
    return index == 2;
  });
  EXPECT_EQ(seen, (Places{0, 1, 2}));
}

TEST(RegexSet, OfNothingFindsNothing) { EXPECT_EQ(found(RegexSet(), "/"), Places()); }

TEST(RegexSet, LettersMayBeOfAnyCase) {
  std::vector<std::string> patterns = {"Shop-[0-9]+", "b", "c", "d", "e"};
  EXPECT_EQ(found(RegexSet(patterns, RegexSet::Letters::kInAnyCase), "sHOP-1"), (Places{0}));
  EXPECT_EQ(found(RegexSet(patterns), "shop-1"), Places());
}

TEST(RegexSet, FindsWhatEachAloneWouldFind) {
  std::mt19937 random(3);
  constexpr const char* kParts[] = {"a", "b", "/", "[ab]", ".", "a*", "(b|/a)?", "(ab)+"};
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> patterns(20);
    for (std::string& pattern : patterns) {
      for (std::size_t i = 0; i < 1 + random() % 4; ++i) pattern += kParts[random() % std::size(kParts)];
    }
    const RegexSet set(patterns);
    for (int i = 0; i < 20; ++i) {
      std::string text;
      for (std::size_t k = 0; k < random() % 5; ++k) text += "ab/"[random() % 3];
      Places expected;
      for (std::size_t k = 0; k < patterns.size(); ++k) {
        if (std::regex_match(text, std::regex(patterns[k]))) expected.push_back(k);
      }
      ASSERT_EQ(found(set, text), expected) << text;
    }
  }
}

TEST(RegexSet, TooMuchForOnePassIsSaidAndStillAnsweredRight) {
  std::vector<std::string> patterns;
  for (int i = 0; i < 12; ++i) patterns.push_back("/" + std::to_string(i) + "/\\pL{50}");
  patterns.push_back("/x");
  EXPECT_FALSE(RegexSet::fits(patterns));
  EXPECT_TRUE(RegexSet::fits(std::vector<std::string>{"/a", "/b", "/c", "/d", "/e"}));
  EXPECT_EQ(found(RegexSet(patterns), "/x"), (Places{12}));
}

}  // namespace
}  // namespace gatehouse
