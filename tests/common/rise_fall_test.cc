// How many results in a row turn a verdict.
#include "common/rise_fall.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse {
namespace {

// The verdict after each of `results`: '+' a success, '-' a failure.
std::string verdicts(RiseFall verdict, const std::string& results) {
  std::string after;
  for (const char result : results) {
    const bool was_up = verdict.is_up(), has_turned = verdict.note(result == '+');
    EXPECT_EQ(has_turned, was_up != verdict.is_up());
    after += verdict.is_up() ? 'u' : verdict.is_unsure() ? '?' : 'd';
  }
  return after;
}

TEST(RiseFall, TurnsAfterSoManyInARow) {
  EXPECT_EQ(verdicts(RiseFall(true, 2, 3), "+--+---+-++"), "uuuuuud?d?u");
  EXPECT_EQ(verdicts(RiseFall(false, 3, 1), "++-+++-"), "??d??ud");
}

TEST(RiseFall, OneResultMayCountAlone) {
  RiseFall verdict(true, 2, 3);
  EXPECT_TRUE(verdict.note(false, true));
  EXPECT_FALSE(verdict.note(false, true)) << "it says what the verdict is";
  EXPECT_FALSE(verdict.note(true));
  EXPECT_TRUE(verdict.note(true, true));
}

}  // namespace
}  // namespace gatehouse
