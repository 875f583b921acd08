// Whom a pool chooses beside turns: by affinity and hash, backups, what was set at run time, slow start.
#include <gtest/gtest.h>

#include <map>

#include "l7/adjusted_weight.h"
#include "l7/backend/connection.h"
#include "l7/backend/hash_policy.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/runtime.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

class Choice : public testing::Test {
 protected:
  // Backend i is 127.0.0.1 with port i + 1, and called 'a' + i.
  static Endpoint address(std::size_t i) {
    return {*IpAddress::parse("127.0.0.1"), static_cast<std::uint16_t>(i + 1)};
  }
  void add(std::uint32_t weight = 1, bool is_backup = false) {
    config.backends.push_back({address(config.backends.size()), weight, is_backup});
  }
  void make() {
    config.name = "main";
    pool = std::make_unique<Pool>(config, context.backends, 0);
  }
  std::string choose(int times, const Wish& wish = {}) {
    std::string order;
    for (int i = 0; i < times; ++i) {
      const Backend* chosen = pool->choose(wish);
      order += chosen ? static_cast<char>('a' + chosen->address().port - 1) : '-';
    }
    return order;
  }
  std::size_t count(char name, int of) {
    const std::string order = choose(of);
    return static_cast<std::size_t>(std::count(order.begin(), order.end(), name));
  }
  Backend& backend(std::size_t i) { return context.backends.find_or_add("main", address(i)); }
  BackendCell& cell(std::size_t i) { return *board->backend(backend_key("main", address(i))); }
  void set_healthy(std::size_t i, std::uint32_t is_healthy) {
    cell(i).is_healthy = is_healthy;
    board->bump_version();
  }
  void set(std::size_t i, BackendState state) {
    cell(i).state = state;
    board->bump_version();
  }

  EventLoop loop;
  std::unique_ptr<Board> board = Board::anonymous();
  WorkerContext context{loop, *board, 0, "n1"};
  config::Pool config;
  std::unique_ptr<Pool> pool;
};

TEST_F(Choice, WhatIsDrainedOrDisabledGetsNothingFromTheNextRequestOn) {
  for (int i = 0; i < 3; ++i) add();
  make();
  for (const BackendState state : {BackendState::kDraining, BackendState::kDisabled}) {
    set(1, state);
    EXPECT_EQ(choose(6).find('b'), std::string::npos);
    make();
    EXPECT_EQ(choose(6).find('b'), std::string::npos) << "nor after a reload";
    set(1, BackendState::kEnabled);
    EXPECT_EQ(count('b', 6), 2u);
  }
}

TEST_F(Choice, WhatIsDrainedStaysSoInPanic) {
  add();
  add();
  config.panic = "use-all";
  make();
  set(0, BackendState::kDraining);
  set_healthy(1, 0);
  EXPECT_EQ(choose(2), "bb");
  set(1, BackendState::kDraining);
  EXPECT_EQ(choose(1), "-");
}

TEST_F(Choice, AWeightSetAtRunTimeHoldsBesideTheConfigsThatItWasSetOver) {
  add(1);
  add(1);
  make();
  cell(1).adjusted = pack_adjusted(3, 1);
  board->bump_version();
  EXPECT_EQ(count('b', 40), 30u);
  config.backends[1].weight = 4;
  make();
  EXPECT_EQ(count('b', 50), 40u);
}

TEST_F(Choice, BackupsGetRequestsOnlyWhileNobodyElseIsThere) {
  add();
  add();
  add(1, true);
  make();
  EXPECT_EQ(count('c', 10), 0u);
  set_healthy(0, 0);
  EXPECT_EQ(choose(3), "bbb");
  set_healthy(1, 0);
  EXPECT_EQ(choose(2), "cc") << "that is no panic";
  set_healthy(1, 1);
  backend(1).avoid();
  EXPECT_EQ(choose(2), "cc") << "one that refuses connections is not there either";
  set_healthy(2, 0);
  EXPECT_EQ(choose(2), "bb");
  set_healthy(1, 0);
  EXPECT_EQ(choose(1), "-");
}

TEST_F(Choice, BackupsDoNotTakeWhatOthersHaveNoRoomFor) {
  add();
  add(1, true);
  config.limits.max_backend_requests = 1;
  make();
  cell(0).in_flight[5] = 1;
  EXPECT_EQ(choose(1), "-");
  EXPECT_TRUE(pool->was_full());
}

TEST_F(Choice, AFailedTryGoesToABackupWhenNobodyElseIsLeft) {
  add();
  add(1, true);
  make();
  Backend* const tried[] = {&backend(0)};
  EXPECT_EQ(choose(1, {tried, nullptr, std::nullopt}), "b");
}

TEST_F(Choice, OneThatHasRecoveredGrowsToItsWholeWeight) {
  add();
  add();
  config.slow_start = Duration(100'000);
  make();
  const auto share_after = [this](std::int64_t age) {
    cell(1).recovered_ms = board_time(loop.now()) - age;
    board->bump_version();
    return static_cast<double>(count('b', 10'000)) / 10'000;
  };
  EXPECT_LT(share_after(0), 0.02);
  EXPECT_NEAR(share_after(50'000), 1.0 / 3, 0.02);
  EXPECT_NEAR(share_after(100'000), 0.5, 0.001);
  cell(1).recovered_ms = 0;
  board->bump_version();
  EXPECT_NEAR(static_cast<double>(count('b', 10'000)), 5'000, 10) << "it has always been there";
}

TEST_F(Choice, TheBoundOneAnswersUntilItMayNot) {
  for (int i = 0; i < 3; ++i) add();
  make();
  const Wish wish{{}, &backend(1), std::nullopt};
  EXPECT_EQ(choose(5, wish), "bbbbb");
  set(1, BackendState::kDraining);
  EXPECT_EQ(choose(5, wish).find('b'), std::string::npos);
  EXPECT_FALSE(pool->was_bound_full());
  set(1, BackendState::kEnabled);
  set_healthy(1, 0);
  EXPECT_EQ(choose(5, wish).find('b'), std::string::npos);
  set_healthy(1, 1);
  Backend* const tried[] = {&backend(1)};
  EXPECT_EQ(choose(5, {tried, &backend(1), std::nullopt}).find('b'), std::string::npos);
  EXPECT_EQ(choose(2, wish), "bb");
}

TEST_F(Choice, TheBoundOneWithoutRoomIsStillTheClients) {
  add();
  add();
  config.limits.max_backend_requests = 1;
  make();
  cell(1).in_flight[7] = 1;
  EXPECT_EQ(choose(1, {{}, &backend(1), std::nullopt}), "a");
  EXPECT_TRUE(pool->was_bound_full());
}

TEST_F(Choice, AMemberIsFoundByItsKey) {
  add();
  add();
  make();
  EXPECT_EQ(pool->find(pool->key_of(backend(1))), &backend(1));
  EXPECT_EQ(pool->find(backend_key("other", address(1))), nullptr);
}

struct HashedChoice : Choice, testing::WithParamInterface<const char*> {
  HashedChoice() {
    for (int i = 0; i < 10; ++i) add();
    config.policy = GetParam();
    config.hash.emplace().path = true;
  }
  std::string all() {
    std::string order;
    for (int key = 0; key < 200; ++key) order += choose(1, {{}, nullptr, hash_of(std::to_string(key))});
    return order;
  }
  static void expect_only_from(char name, const std::string& before, const std::string& after) {
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_TRUE(before[i] == after[i] || before[i] == name) << i;
    EXPECT_EQ(after.find(name), std::string::npos);
  }
};

TEST_P(HashedChoice, AKeyKeepsItsBackendAndThoseOfADownOneComeBack) {
  make();
  const std::string before = all();
  EXPECT_EQ(all(), before);
  set_healthy(3, 0);
  expect_only_from('d', before, all());
  set_healthy(3, 1);
  EXPECT_EQ(all(), before);
  set(3, BackendState::kDraining);
  expect_only_from('d', before, all());
  make();
  expect_only_from('d', before, all());
  set(3, BackendState::kEnabled);
  EXPECT_EQ(all(), before);
}

TEST_P(HashedChoice, WithoutAKeyTheyTakeTurns) {
  make();
  EXPECT_EQ(choose(10), "abcdefghij");
}

TEST_P(HashedChoice, NobodyGetsMoreThanItsBoundOfWhatIsInFlight) {
  config.hash->max_load = 125;
  make();
  std::map<char, std::uint32_t> held;
  for (int i = 0; i < 400; ++i) {
    ASSERT_EQ(pool->enter(PriorityClass::kDefault), nullptr);
    Backend* chosen = pool->choose(Wish{{}, nullptr, hash_of("the same for all")});
    ASSERT_NE(chosen, nullptr);
    chosen->count_lease(1);
    ++held[static_cast<char>('a' + chosen->address().port - 1)];
  }
  for (const auto& [name, count] : held) EXPECT_LE(count, 50u) << name;
  EXPECT_GE(held.size(), 8u);
  for (std::size_t i = 0; i < 10; ++i) {
    const int count = static_cast<int>(held[static_cast<char>('a' + i)]);
    backend(i).count_lease(-count);
  }
  for (int i = 0; i < 400; ++i) pool->leave();
}

INSTANTIATE_TEST_SUITE_P(Policies, HashedChoice, testing::Values("maglev", "ring-hash"),
                         [](const auto& info) {
                           return std::string(info.param) == "maglev" ? "Maglev" : "Ring";
                         });

}  // namespace
}  // namespace gatehouse::l7
