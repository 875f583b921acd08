// Errors before and after a change: what counts, what is too few to count, and what survives a restart.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/common/versions/version_site.h"

namespace gatehouse::versions {
namespace {

const VersionId kVersion = make_version(7, "text").id;

class ErrorWatchTest : public testing::Test {
 protected:
  void SetUp() override { rate_.hear("n1/0", 10, {}); }
  // A second in which a worker answers so much more.
  void second(std::uint64_t all, std::uint64_t errors) {
    counted_ = {counted_.all + all, counted_.errors + errors};
    rate_.hear("n1/0", 10, counted_);
    rate_.on_second();
    ++now_;
  }
  void begin(const WatchBounds& bounds = {60, 0.01, 100}) { watch_.begin(kVersion, bounds, rate_, now_); }
  std::string file() const { return folder_.path() + "/watch"; }

  test::TemporaryFolder folder_;
  ErrorRate rate_;
  ErrorWatch watch_{file()};
  Answers counted_;
  std::int64_t now_ = 1'000;
};

TEST_F(ErrorWatchTest, AsManyErrorsAsBeforeAreNoTrouble) {
  for (int i = 0; i < 60; ++i) second(1'000, 50);
  begin();
  for (int i = 0; i < 60; ++i) {
    second(1'000, 50);
    EXPECT_EQ(watch_.look(rate_, now_), std::nullopt);
  }
  EXPECT_FALSE(watch_.is_on());
}

TEST_F(ErrorWatchTest, MoreErrorsThanBeforeAre) {
  for (int i = 0; i < 60; ++i) second(1'000, 0);
  begin();
  second(1'000, 30);
  EXPECT_EQ(watch_.look(rate_, now_), "errors rose from 0.00 % to 3.00 % of answers (30 of 1000)");
}

TEST_F(ErrorWatchTest, AFewAnswersSayNothing) {
  begin();
  second(99, 99);
  EXPECT_EQ(watch_.look(rate_, now_), std::nullopt);
  second(1, 0);
  EXPECT_NE(watch_.look(rate_, now_), std::nullopt);
}

TEST_F(ErrorWatchTest, ALateRiseDoesNotHideBehindAGoodBeginning) {
  begin({600, 0.01, 100});
  for (int i = 0; i < 300; ++i) second(10'000, 0);
  EXPECT_EQ(watch_.look(rate_, now_), std::nullopt);
  second(10'000, 2'000);
  EXPECT_NE(watch_.look(rate_, now_), std::nullopt);
}

TEST_F(ErrorWatchTest, AWorkerThatBeginsAnewIsNotCountedBackwards) {
  second(500, 10);
  rate_.hear("n1/0", 11, {3, 1});
  EXPECT_EQ(rate_.total().all, 503u);
  EXPECT_EQ(rate_.total().errors, 11u);
}

TEST_F(ErrorWatchTest, WhatAWorkerHadCountedBeforeWeHeardOfItIsNotOurs) {
  rate_.hear("n2/0", 20, {1'000'000, 1'000'000});
  EXPECT_EQ(rate_.total().all, 0u);
}

TEST_F(ErrorWatchTest, GoesOnAfterARestartUntilItsTime) {
  begin();
  ErrorRate rate;
  rate.hear("n1/0", 10, {0, 0});
  ErrorWatch watch(file());
  watch.resume(kVersion, rate, now_ + 30);
  ASSERT_TRUE(watch.is_on());
  rate.hear("n1/0", 10, {100, 50});
  EXPECT_NE(watch.look(rate, now_ + 31), std::nullopt);
}

TEST_F(ErrorWatchTest, IsOverAfterARestartThatTookTooLongOrWithAnotherVersion) {
  begin();
  ErrorWatch late(file());
  late.resume(kVersion, rate_, now_ + 60);
  EXPECT_FALSE(late.is_on());
  begin();
  ErrorWatch other(file());
  other.resume(make_version(8, "other").id, rate_, now_ + 1);
  EXPECT_FALSE(other.is_on());
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(ErrorWatchTest, AFileThatIsNotOneIsRefused) {
  for (const char* text : {"", "{", "1", "{\"id\": 1}", "{\"until\": 2000, \"least\": -1}"}) {
    std::ofstream(file()) << text;
    ErrorWatch watch(file());
    watch.resume(kVersion, rate_, now_);
    EXPECT_FALSE(watch.is_on()) << text;
  }
}

}  // namespace
}  // namespace gatehouse::versions
