// Credit for retries and counts with a limit, as the workers of a node share them.
#include "l7/backend/retry_budget.h"

#include <gtest/gtest.h>

#include <thread>

#include "l7/worker_places.h"

namespace gatehouse::l7 {
namespace {

using Clock = EventLoop::Clock;
constexpr Clock::time_point kStart{std::chrono::hours(1)};

config::Retry of(std::uint32_t budget, std::uint32_t floor) {
  config::Retry retry;
  retry.budget = budget;
  retry.budget_floor = floor;
  return retry;
}

int take_all(PoolCell& cell, const config::Retry& retry, Clock::time_point now) {
  int taken = 0;
  while (take_retry(cell, retry, now)) ++taken;
  return taken;
}

TEST(RetryBudget, IsAShareOfTheRequests) {
  PoolCell cell{};
  const config::Retry retry = of(10, 0);
  int taken = 0;
  for (int i = 1; i <= 1'000; ++i) {
    add_request(cell, retry);
    taken += take_all(cell, retry, kStart);
    ASSERT_LE(taken * 10, i);
  }
  EXPECT_EQ(taken, 100);
}

TEST(RetryBudget, TheFloorComesEverySecondAndIsNotSavedUp) {
  PoolCell cell{};
  const config::Retry retry = of(0, 10);
  EXPECT_EQ(take_all(cell, retry, kStart), 10);
  EXPECT_EQ(take_all(cell, retry, kStart), 0);
  EXPECT_EQ(take_all(cell, retry, kStart + std::chrono::milliseconds(100)), 1);
  EXPECT_EQ(take_all(cell, retry, kStart + std::chrono::hours(1)), 10);
}

TEST(RetryBudget, NoMoreThanTheMostIsSavedUp) {
  PoolCell cell{};
  const config::Retry retry = of(10, 0);
  for (int i = 0; i < 100'000; ++i) add_request(cell, retry);
  EXPECT_EQ(take_all(cell, retry, kStart), 100);
}

TEST(RetryBudget, WorkersThatTakeAtOnceDoNotTakeMore) {
  for (int round = 0; round < 20; ++round) {
    PoolCell cell{};
    const config::Retry retry = of(10, 0);
    std::atomic<int> taken = 0;
    const auto work = [&] {
      for (int i = 0; i < 5'000; ++i) {
        add_request(cell, retry);
        if (take_retry(cell, retry, kStart)) ++taken;
      }
    };
    std::thread other(work);
    work();
    other.join();
    EXPECT_LE(taken.load(), 1'000);
    EXPECT_GE(taken.load(), 998) << "all but a started one for each";
  }
}

TEST(Backoff, IsAnywhereUpToALimitThatDoubles) {
  config::Retry retry;
  retry.backoff = Duration(25);
  retry.max_backoff = Duration(80);
  const std::int64_t limits[] = {25, 50, 80, 80};
  for (std::uint32_t nth = 1; nth <= 4; ++nth) {
    std::int64_t longest = 0, shortest = 1'000;
    for (std::uint64_t random = 0; random < 1'000; ++random) {
      longest = std::max<std::int64_t>(longest, backoff(retry, nth, random).count());
      shortest = std::min<std::int64_t>(shortest, backoff(retry, nth, random).count());
    }
    EXPECT_EQ(longest, limits[nth - 1]);
    EXPECT_EQ(shortest, 0);
  }
}

TEST(WorkerPlaces, ManyWorkersNeverExceedTheLimitAndReachIt) {
  constexpr std::uint32_t kLimit = 3;
  WorkerPlaces places{};
  std::atomic<std::uint32_t> inside = 0, most = 0, admitted = 0;
  const auto work = [&](std::uint32_t worker) {
    for (int i = 0; i < 20'000; ++i) {
      if (!add_within(places, worker, kLimit)) continue;
      const std::uint32_t now = ++inside;
      for (std::uint32_t known = most; known < now && !most.compare_exchange_weak(known, now);) {
      }
      ++admitted;
      std::this_thread::yield();
      --inside;
      places[worker].fetch_sub(1);
    }
  };
  std::vector<std::thread> workers;
  for (std::uint32_t worker = 0; worker < 6; ++worker) workers.emplace_back(work, worker);
  for (std::thread& worker : workers) worker.join();
  EXPECT_LE(most.load(), kLimit);
  EXPECT_GT(admitted.load(), 0u);
  EXPECT_EQ(sum_of(places), 0u);
  for (std::uint32_t worker = 0; worker < kLimit; ++worker) EXPECT_TRUE(add_within(places, worker, kLimit));
  EXPECT_FALSE(add_within(places, 9, kLimit));
  places[1] = 0;  // as the supervisor does for a dead worker
  EXPECT_TRUE(add_within(places, 9, kLimit));
}

}  // namespace
}  // namespace gatehouse::l7
