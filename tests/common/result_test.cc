// Result: a value or an Error, and that asking for the other one is a broken invariant.
#include "common/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

namespace gatehouse {
namespace {

Result<int> half_of(int number) {
  if (number % 2 != 0) return Error{"an even number was expected, found " + std::to_string(number)};
  return number / 2;
}

Status check(bool is_good) {
  if (!is_good) return Error{"not good"};
  return {};
}

TEST(Result, HoldsAValue) {
  Result<int> result = half_of(8);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result.has_value());
  EXPECT_EQ(*result, 4);
  *result = 5;
  EXPECT_EQ(result.value(), 5);
}

TEST(Result, HoldsAnError) {
  const Result<int> result = half_of(7);
  ASSERT_FALSE(result);
  EXPECT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "an even number was expected, found 7");
}

TEST(Result, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<std::string>> result(std::make_unique<std::string>("owned"));
  ASSERT_TRUE(result);
  EXPECT_EQ((*result)->size(), 5u);
  const std::unique_ptr<std::string> taken = std::move(*result);
  EXPECT_EQ(*taken, "owned");
}

TEST(Result, ReachesIntoItsValue) {
  const Result<std::string> result(std::string("text"));
  EXPECT_EQ(result->size(), 4u);
}

TEST(Result, OfNothingIsDoneOrAnError) {
  EXPECT_TRUE(check(true));
  EXPECT_TRUE(Status());
  ASSERT_FALSE(check(false));
  EXPECT_EQ(check(false).error().message, "not good");
}

TEST(Result, OfNothingWithAnEmptyErrorIsStillAnError) { EXPECT_FALSE(Status(Error{})); }

TEST(ResultDeathTest, AbortsWhenTheOtherOneIsAskedFor) {
  EXPECT_DEATH((void)half_of(7).value(), "broken invariant");
  EXPECT_DEATH((void)half_of(8).error(), "broken invariant");
  EXPECT_DEATH((void)check(true).error(), "broken invariant");
}

TEST(Result, OfTheSystemSaysWhatFailedAndWhy) {
  errno = ENOENT;
  EXPECT_EQ(system_error("cannot open x").message, "cannot open x: No such file or directory");
}

}  // namespace
}  // namespace gatehouse
