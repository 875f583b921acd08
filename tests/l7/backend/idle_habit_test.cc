// How long a backend keeps idle connections, as far as its closes tell.
#include "l7/backend/idle_habit.h"

#include <gtest/gtest.h>

namespace gatehouse::l7 {
namespace {

struct Backend {
  bool closes_after(int rested_ms, int later_ms = 1'000) {
    now += Duration(later_ms);
    return habit.note_close(Duration(rested_ms), now);
  }
  Duration bound(int limit_ms = 50'000) const { return habit.bound(Duration(limit_ms), now); }

  IdleHabit habit;
  IdleHabit::Time now = IdleHabit::Time() + std::chrono::hours(1);
};

TEST(IdleHabit, IsKnownByTheThirdCloseAfterTheSameTime) {
  Backend backend;
  EXPECT_EQ(backend.bound(), Duration(50'000));
  EXPECT_FALSE(backend.closes_after(5'000));
  EXPECT_FALSE(backend.closes_after(5'200));
  EXPECT_EQ(backend.bound(), Duration(50'000));
  EXPECT_TRUE(backend.closes_after(5'004));
  EXPECT_EQ(backend.bound(), Duration(4'375)) << "seven eighths of the shortest";
  EXPECT_EQ(backend.bound(1'000), Duration(1'000)) << "never longer than the config says";
}

TEST(IdleHabit, ClosesAfterOtherTimesAreNone) {
  Backend backend;
  for (const int rested : {5'000, 900, 5'000, 30'000, 5'000, 100}) EXPECT_FALSE(backend.closes_after(rested));
  EXPECT_EQ(backend.bound(), Duration(50'000));
}

TEST(IdleHabit, ARestartThatClosesAllAtOnceIsNone) {
  Backend backend;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(backend.closes_after(3'000, i == 0 ? 1'000 : 1));
  EXPECT_EQ(backend.bound(), Duration(50'000));
}

TEST(IdleHabit, IsForgottenAndMayBeAnotherOne) {
  Backend backend;
  for (int i = 0; i < 3; ++i) backend.closes_after(1'000);
  EXPECT_EQ(backend.bound(), Duration(875));
  backend.now += IdleHabit::kBelieved;
  EXPECT_EQ(backend.bound(), Duration(50'000));
  for (int i = 0; i < 3; ++i) backend.closes_after(8'000);
  EXPECT_EQ(backend.bound(), Duration(7'000));
}

}  // namespace
}  // namespace gatehouse::l7
