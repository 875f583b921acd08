// Who answers next: shares, their interleaving, and who is left out.
#include "l7/backend/balancer.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "l7/adjusted_weight.h"
#include "l7/backend/connection.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/runtime.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

class Balancer : public testing::Test {
 protected:
  static Endpoint address(std::size_t i) {
    return {*IpAddress::parse("127.0.0.1"), static_cast<std::uint16_t>(i + 1)};
  }

  EventLoop loop;
  std::unique_ptr<Board> board = Board::anonymous();
  WorkerContext context{loop, *board, 0, "n1"};
};

class PoolChoice : public Balancer {
 protected:
  void make(const std::vector<std::uint32_t>& weights, std::uint32_t worker = 0) {
    config.name = "main";
    config.backends.clear();
    for (std::size_t i = 0; i < weights.size(); ++i) config.backends.push_back({address(i), weights[i]});
    pool = std::make_unique<Pool>(config, context.backends, worker);
  }
  std::string choose(int times, std::span<Backend* const> tried = {}) {
    std::string order;
    for (int i = 0; i < times; ++i) {
      const Backend* chosen = pool->choose(tried);
      order += chosen ? static_cast<char>('a' + chosen->address().port - 1) : '-';
    }
    return order;
  }
  void set_healthy(std::size_t i, std::uint32_t is_healthy) {
    board->backend(backend_key("main", address(i)))->is_healthy = is_healthy;
    board->bump_version();
  }
  Backend& backend(std::size_t i) { return context.backends.find_or_add("main", address(i)); }

  config::Pool config;
  std::unique_ptr<Pool> pool;
};

TEST_F(PoolChoice, WeightsAreExactWhereverAWorkerBegins) {
  std::mt19937 random(5);
  for (int round = 0; round < 100; ++round) {
    std::vector<std::uint32_t> weights(1 + random() % 5);
    int total = 0;
    for (std::uint32_t& weight : weights) total += static_cast<int>(weight = 1 + random() % 9);
    make(weights, random() % 64);
    std::map<char, std::uint32_t> counts;
    for (const char chosen : choose(total)) ++counts[chosen];
    for (std::size_t i = 0; i < weights.size(); ++i)
      EXPECT_EQ(counts[static_cast<char>('a' + i)], weights[i]);
  }
}

TEST_F(PoolChoice, OverAnyPeriodEveryoneGetsExactlyItsShare) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint32_t> weights(1 + random() % 6);
    int total = 0;
    for (std::uint32_t& weight : weights) total += static_cast<int>(weight = 1 + random() % 20);
    make(weights, random() % 64);
    for (int period = 0; period < 3; ++period) {
      std::vector<std::uint32_t> counts(weights.size());
      for (const char chosen : choose(total)) ++counts[static_cast<std::size_t>(chosen - 'a')];
      ASSERT_EQ(counts, weights);
    }
  }
}

TEST_F(PoolChoice, TheHeavyOneIsSpreadOut) {
  make({5, 1, 1});
  EXPECT_EQ(choose(14), "aaabcaaaaabcaa");
  make({2, 1, 1});
  EXPECT_EQ(choose(8), "abcaabca");
}

// Else every change of health anywhere would begin the turns anew, with the same ones first.
TEST_F(PoolChoice, TurnsOutliveChangesOfOthers) {
  make({50, 1});
  std::string order;
  for (int i = 0; i < 510; ++i) {
    board->backend(backend_key("main", address(0)))->adjusted = i % 2 ? 0 : pack_adjusted(49, 50);
    board->bump_version();
    order += choose(1);
  }
  EXPECT_NEAR(static_cast<double>(std::count(order.begin(), order.end(), 'b')), 10, 1);
}

TEST_F(PoolChoice, OneWithoutRoomLosesItsTurnAndTheOthersShare) {
  config.limits.max_backend_requests = 1;
  make({3, 2, 1});
  BackendCell& full = *board->backend(backend_key("main", address(0)));
  full.in_flight[3] = 1;
  const std::string order = choose(300);
  EXPECT_EQ(std::count(order.begin(), order.end(), 'b'), 200);
  EXPECT_EQ(std::count(order.begin(), order.end(), 'c'), 100);
  full.in_flight[3] = 0;
  const std::string after = choose(6);
  EXPECT_LE(std::count(after.begin(), after.end(), 'a'), 4) << "nothing is made good at once";
}

TEST_F(PoolChoice, WorkersBeginAtDifferentMembers) {
  std::string first;
  for (std::uint32_t worker = 0; worker < 3; ++worker) {
    make({1, 1, 1}, worker);
    first += choose(1);
  }
  EXPECT_EQ(first, "abc");
}

TEST_F(PoolChoice, UnhealthyAndWeightlessOnesAreNotChosen) {
  make({1, 0, 1});
  EXPECT_EQ(choose(4).find('b'), std::string::npos);
  set_healthy(0, 0);
  EXPECT_EQ(choose(3), "ccc");
  set_healthy(2, 0);
  EXPECT_EQ(choose(1), "-");
  set_healthy(0, 1);
  EXPECT_EQ(choose(2), "aa");
}

TEST_F(PoolChoice, OneThatRefusedLatelyIsTheLastResort) {
  make({1, 1, 1});
  backend(1).avoid();
  EXPECT_EQ(choose(6).find('b'), std::string::npos);
  Backend* const tried[] = {&backend(0), &backend(2)};
  EXPECT_EQ(choose(2, tried), "bb");
  Backend* const all[] = {&backend(0), &backend(1), &backend(2)};
  EXPECT_EQ(choose(1, all), "-");
}

TEST_F(PoolChoice, AFullBoardLeavesBackendsUsable) {
  for (std::uint64_t key = 1; board->backend(key); ++key) {
  }
  make({1, 1});
  EXPECT_EQ(choose(4), "abab");
}

}  // namespace
}  // namespace gatehouse::l7
