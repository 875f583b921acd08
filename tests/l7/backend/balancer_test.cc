// Who answers next: shares, their interleaving, and who is left out.
#include "l7/backend/balancer.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

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
  // Member i is 127.0.0.1 with port i + 1.
  std::vector<Member> members(const std::vector<std::uint32_t>& weights) {
    std::vector<Member> made;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      made.push_back({BackendPin(context.backends.find_or_add("main", address(i))), weights[i]});
      made.back().is_candidate = true;
    }
    return made;
  }
  static Endpoint address(std::size_t i) {
    return {*IpAddress::parse("127.0.0.1"), static_cast<std::uint16_t>(i + 1)};
  }
  static std::size_t place(const std::vector<Member>& members, const Member* member) {
    return static_cast<std::size_t>(member - members.data());
  }

  EventLoop loop;
  std::unique_ptr<Board> board = Board::anonymous();
  WorkerContext context{loop, *board, 0, "n1"};
};

TEST_F(Balancer, OverAPeriodEveryoneGetsExactlyItsShare) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint32_t> weights(1 + random() % 6);
    std::uint32_t total = 0;
    for (std::uint32_t& weight : weights) total += weight = 1 + random() % 20;
    std::vector<Member> all = members(weights);
    for (int period = 0; period < 3; ++period) {
      std::vector<std::uint32_t> counts(weights.size());
      for (std::uint32_t i = 0; i < total; ++i) ++counts[place(all, choose_round_robin(all))];
      ASSERT_EQ(counts, weights);
    }
  }
}

TEST_F(Balancer, TheHeavyOneIsSpreadOut) {
  std::vector<Member> all = members({5, 1, 1});
  std::string order;
  for (int i = 0; i < 14; ++i) order += static_cast<char>('a' + place(all, choose_round_robin(all)));
  EXPECT_EQ(order, "aabacaaaabacaa");
}

TEST_F(Balancer, ThoseThatAreNoCandidatesAreSkippedAndTheOthersShare) {
  std::vector<Member> all = members({3, 2, 1});
  all[0].is_candidate = false;
  std::vector<int> counts(3);
  for (int i = 0; i < 300; ++i) ++counts[place(all, choose_round_robin(all))];
  EXPECT_EQ(counts, (std::vector<int>{0, 200, 100}));
  for (Member& member : all) member.is_candidate = false;
  EXPECT_EQ(choose_round_robin(all), nullptr);
  EXPECT_EQ(choose_round_robin({}), nullptr);
}

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
  board->backend(backend_key("main", address(0)))->is_healthy = 0;
  EXPECT_EQ(choose(3), "ccc");
  board->backend(backend_key("main", address(2)))->is_healthy = 0;
  EXPECT_EQ(choose(1), "-");
  board->backend(backend_key("main", address(0)))->is_healthy = 1;
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
