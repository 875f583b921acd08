// When a backend is out, for how long, and how it comes back; and who stands out of a pool.
#include "l7/backend/ejection.h"

#include <gtest/gtest.h>

#include <thread>

#include "l7/backend/connection.h"
#include "l7/backend/outliers.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/runtime.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

using Clock = EventLoop::Clock;
constexpr Clock::time_point kStart{std::chrono::hours(1)};
constexpr Duration kTrial(5'000);

struct EjectionOfOne : testing::Test {
  EjectionOfOne() {
    ejection.failures = 3;
    ejection.time = Duration(1'000);
    ejection.max_time = Duration(3'000);
  }
  std::optional<Duration> put_out() { return eject(cell, ejection, EjectionReason::kSuccessRate, now); }

  BackendCell cell{};
  config::Ejection ejection;
  Clock::time_point now = kStart;
};

TEST_F(EjectionOfOne, NeedsFailuresInARow) {
  EXPECT_FALSE(count_failure_in_a_row(cell, ejection));
  count_success(cell);
  EXPECT_FALSE(count_failure_in_a_row(cell, ejection));
  EXPECT_FALSE(count_failure_in_a_row(cell, ejection));
  EXPECT_TRUE(count_failure_in_a_row(cell, ejection));
  ejection.failures = 0;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(count_failure_in_a_row(cell, ejection)) << "never";
}

TEST_F(EjectionOfOne, GrowsWithEachThatFollowsAFailedTrial) {
  for (const int seconds : {1, 2, 3, 3}) {
    ASSERT_EQ(put_out(), Duration(1'000 * seconds));
    EXPECT_FALSE(put_out()) << "once";
    now += Duration(1'000 * seconds - 1);
    EXPECT_FALSE(begin_trial(cell, now, kTrial)) << "not before its time";
    now += Duration(1);
    EXPECT_TRUE(is_ejected(cell)) << "still";
    EXPECT_TRUE(begin_trial(cell, now, kTrial));
    EXPECT_FALSE(begin_trial(cell, now, kTrial)) << "one request";
  }
  EXPECT_TRUE(readmit_by_trial(cell));
  EXPECT_FALSE(is_ejected(cell));
  now += Duration(10'000);
  EXPECT_EQ(put_out(), Duration(1'000)) << "after a long good time it begins anew";
  EXPECT_EQ(cell.ejections[static_cast<std::size_t>(EjectionReason::kSuccessRate)], 5u);
  EXPECT_EQ(ejections_of(cell), 5u);
}

TEST_F(EjectionOfOne, ATrialWithoutAnOutcomeIsFollowedByAnother) {
  put_out();
  now += Duration(1'000);
  ASSERT_TRUE(begin_trial(cell, now, kTrial));
  EXPECT_FALSE(begin_trial(cell, now + kTrial - Duration(1), kTrial));
  EXPECT_TRUE(begin_trial(cell, now + kTrial, kTrial));
}

TEST_F(EjectionOfOne, ACheckBringsItBackWhenItsTimeIsOver) {
  put_out();
  EXPECT_FALSE(readmit_by_check(cell, now + Duration(999)));
  EXPECT_TRUE(is_ejected(cell));
  EXPECT_TRUE(readmit_by_check(cell, now + Duration(1'000)));
  EXPECT_FALSE(readmit_by_check(cell, now + Duration(1'000)));
  EXPECT_FALSE(is_ejected(cell));
  EXPECT_TRUE(count_failure_in_a_row(cell, ejection)) << "one more is enough";
}

TEST_F(EjectionOfOne, OfManyWorkersOneEjectsAndOneTries) {
  for (int round = 0; round < 200; ++round) {
    BackendCell shared{};
    const auto count_of_two = [](const auto& act) {
      std::atomic<int> count = 0;
      const auto work = [&] { count += act() ? 1 : 0; };
      std::thread other(work);
      work();
      other.join();
      return count.load();
    };
    EXPECT_EQ(
        count_of_two([&] { return eject(shared, ejection, EjectionReason::kFailures, now).has_value(); }), 1);
    EXPECT_EQ(count_of_two([&] { return begin_trial(shared, now + Duration(1'000), kTrial); }), 1);
    EXPECT_EQ(
        count_of_two([&] { return eject(shared, ejection, EjectionReason::kFailures, now).has_value(); }), 1)
        << "the trial failed";
  }
}

struct OutlierRow {
  const char* name;
  std::vector<Window> windows;
  std::vector<std::size_t> expected;
};

TEST(Outliers, AreHeldAgainstTheOthers) {
  const auto rate = [](int percent, std::uint64_t answers = 100) {
    return Window{answers, answers * static_cast<std::uint64_t>(100 - percent) / 100, 0, 0};
  };
  const auto wait = [](double ms, std::uint64_t timed = 100) {
    return Window{timed, 0, timed, ms * 1e3 * static_cast<double>(timed)};
  };
  const OutlierRow rows[] = {
      {"half of one of four", {rate(100), rate(50), rate(100), rate(100)}, {1}},
      {"half of one of three", {rate(99), rate(98), rate(50)}, {2}},
      {"a little", {rate(100), rate(90), rate(100), rate(100)}, {}},
      {"more than a little", {rate(100), rate(84), rate(100), rate(100)}, {1}},
      {"all alike", {rate(30), rate(35), rate(32), rate(28)}, {}},
      {"one hides another",
       {rate(70), rate(100), rate(99), rate(100), rate(98), rate(100), rate(60), rate(100), rate(99),
        rate(100)},
       {6}},
      {"the worst first", {wait(10), wait(500), wait(10), wait(900), wait(11)}, {3, 1}},
      {"too few requests", {rate(100), rate(0, 49), rate(100), rate(100)}, {}},
      {"too few backends", {rate(100), rate(0)}, {}},
      {"slow", {wait(10), wait(12), wait(400), wait(9)}, {2}},
      {"slow, but not for people", {wait(1), wait(1), wait(90), wait(1)}, {}},
      {"not that slow", {wait(100), wait(120), wait(290), wait(90)}, {}},
      {"too few timed", {wait(10), wait(12), wait(400, 49), wait(9)}, {}},
  };
  config::Ejection ejection;
  ejection.latency_factor = 3;
  for (const OutlierRow& row : rows) {
    std::vector<std::size_t> found;
    for (const Outlier& outlier : find_outliers(row.windows, ejection)) found.push_back(outlier.index);
    EXPECT_EQ(found, row.expected) << row.name;
  }
  config::Ejection off;
  off.deviations = 0;
  EXPECT_TRUE(find_outliers(rows[0].windows, off).empty());
  EXPECT_TRUE(find_outliers(rows[8].windows, off).empty());
}

TEST(Outliers, SayWhatTheyWere) {
  config::Ejection ejection;
  ejection.latency_factor = 3;
  const Window good{100, 0, 100, 1e6}, bad{200, 100, 100, 4e7};
  const std::vector<Outlier> found = find_outliers(std::vector<Window>{good, good, bad}, ejection);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].text, "its 100 requests waited 400.0 ms on average, the pool's median is 10.0 ms");
  EXPECT_EQ(found[1].text, "50.0 % of its 200 requests succeeded, of the others' 100.0 %");
}

}  // namespace
}  // namespace gatehouse::l7
