// How much of a pool's requests stays in the zone of its node.
#include <gtest/gtest.h>

#include "l7/backend/connection.h"
#include "l7/backend/hash_policy.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/runtime.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

class Zones : public testing::Test {
 protected:
  static Endpoint address(std::size_t i) {
    return {*IpAddress::parse("127.0.0.1"), static_cast<std::uint16_t>(i + 1)};
  }
  // A letter each: the zone of a backend; upper case: it is a backup.
  void make(const std::string& zones, std::string_view own = "a") {
    config.name = "main";
    config.backends.clear();
    for (const char zone : zones) {
      const bool is_backup = std::isupper(static_cast<unsigned char>(zone));
      config.backends.push_back({address(config.backends.size()), 1, is_backup,
                                 std::string(1, static_cast<char>(std::tolower(zone)))});
    }
    pool = std::make_unique<Pool>(config, context.backends, 0, TlsClientContext{}, own);
  }
  BackendCell& cell(std::size_t i) { return *board->backend(backend_key("main", address(i))); }
  void set_down(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) cell(i).is_healthy = 0;
    board->bump_version();
  }
  std::vector<int> count(int of, const Wish& wish = {}) {
    std::vector<int> counts(config.backends.size());
    for (int i = 0; i < of; ++i) ++counts[pool->choose(wish)->address().port - 1u];
    return counts;
  }
  double near_share(int of = 10'000) {
    const std::vector<int> counts = count(of);
    int near = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) near += config.backends[i].zone == "a" ? counts[i] : 0;
    return static_cast<double>(near) / of;
  }

  EventLoop loop;
  std::unique_ptr<Board> board = Board::anonymous();
  WorkerContext context{loop, *board, 0, "n1"};
  config::Pool config;
  std::unique_ptr<Pool> pool;
};

TEST_F(Zones, TheOwnOneGetsEverythingWhileEnoughOfItIsWell) {
  make("aaaaaaaaaabbbbbbbbbb");
  EXPECT_EQ(near_share(), 1);
  set_down(0, 2);  // 80 % of it by 1.4 is more than the whole
  EXPECT_EQ(near_share(), 1);
  EXPECT_EQ(board->worker(0).zone_crossings, 0u);
  set_down(0, 5);
  EXPECT_NEAR(near_share(), 0.7, 0.001) << "50 % by 1.4";
  EXPECT_EQ(board->worker(0).zone_crossings, 3'000u);
  set_down(0, 9);
  EXPECT_NEAR(near_share(), 0.14, 0.001);
  set_down(0, 10);
  EXPECT_EQ(near_share(), 0);
}

TEST_F(Zones, WhatAllTogetherCannotDoTheyShare) {
  make("aaaaaaaaaabbbbbbbbbb");
  set_down(0, 8);    // 0.28
  set_down(10, 19);  // 0.14
  EXPECT_NEAR(near_share(), 2.0 / 3, 0.001);
}

TEST_F(Zones, WithinAZoneThePolicyChooses) {
  make("aabb");
  EXPECT_EQ(count(100), (std::vector<int>{50, 50, 0, 0}));
  set_down(0, 1);
  EXPECT_EQ(count(100), (std::vector<int>{0, 70, 15, 15}));
}

TEST_F(Zones, DoNotMatterToANodeOutsideOfAllOfThemOrWhenTurnedOff) {
  make("aabb", "");
  EXPECT_EQ(near_share(), 0.5);
  make("aabb", "c");
  EXPECT_EQ(near_share(), 0.5);
  config.overprovision = 0;
  make("aabb", "a");
  EXPECT_EQ(near_share(), 0.5);
}

TEST_F(Zones, WhatTheOwnOneHasNoRoomForGoesFar) {
  config.limits.max_backend_requests = 1;
  make("ab");
  cell(0).in_flight[4] = 1;
  EXPECT_EQ(count(10), (std::vector<int>{0, 10}));
}

TEST_F(Zones, BackupsHaveZonesOfTheirOwn) {
  make("abAB");
  set_down(0, 2);
  EXPECT_EQ(count(10), (std::vector<int>{0, 0, 10, 0}));
}

// Else five healthy ones of a far zone would hide that the whole is in need, or a dead near zone would refuse
// everything.
TEST_F(Zones, PanicIsOfTheWholePool) {
  config.panic_below = 50;
  make("aabbbb");
  set_down(0, 2);
  EXPECT_EQ(near_share(100), 0) << "four of six are well";
  set_down(2, 4);
  EXPECT_EQ(pool->choose(Wish{}), nullptr);
}

TEST_F(Zones, KeysStayWhereTheyAreAndOnlyTheShareThatMustGoFarDoes) {
  config.policy = "maglev";
  config.hash.emplace().path = true;
  make("aaaabbbb");
  const auto owners = [this] {
    std::vector<std::uint16_t> found;
    for (int key = 0; key < 4'000; ++key)
      found.push_back(pool->choose({{}, nullptr, hash_of(std::to_string(key))})->address().port);
    return found;
  };
  const auto before = owners();
  EXPECT_EQ(owners(), before);
  set_down(0, 2);
  const auto after = owners();
  EXPECT_EQ(owners(), after);
  int far = 0;
  for (const auto port : before) EXPECT_LE(port, 4);
  for (const auto port : after) far += port > 4;
  EXPECT_NEAR(far, 4'000 * 0.3, 120);
}

}  // namespace
}  // namespace gatehouse::l7
