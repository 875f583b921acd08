// What each policy promises: shares by weight, whom it prefers, and that all of them leave out whom they
// must.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "l7/adjusted_weight.h"
#include "l7/backend/connection.h"
#include "l7/backend/peak_ewma.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/runtime.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

class PolicyTest : public testing::Test {
 protected:
  void make(const char* policy, const std::vector<std::uint32_t>& weights) {
    config.name = "main";
    config.policy = policy;
    if (std::string_view(policy) == "maglev" || std::string_view(policy) == "ring-hash")
      config.hash.emplace().path = true;
    config.backends.clear();
    for (std::size_t i = 0; i < weights.size(); ++i) config.backends.push_back({address(i), weights[i]});
    pool = std::make_unique<Pool>(config, context.backends, 0);
    board->take_place(9);
  }
  static Endpoint address(std::size_t i) {
    return {*IpAddress::parse("127.0.0.1"), static_cast<std::uint16_t>(i + 1)};
  }
  BackendCell& cell(std::size_t i) { return *board->backend(backend_key("main", address(i))); }
  Backend& backend(std::size_t i) { return context.backends.find_or_add("main", address(i)); }
  std::size_t choose(const Wish& wish = {}) {
    const Backend* chosen = pool->choose(wish);
    return chosen ? chosen->address().port - 1u : kNobody;
  }
  std::vector<double> shares(int of, const Wish& wish = {}) {
    std::vector<double> found(config.backends.size());
    for (int i = 0; i < of; ++i) found[choose(wish)] += 1.0 / of;
    return found;
  }

  EventLoop loop;
  std::unique_ptr<Board> board = Board::anonymous();
  WorkerContext context{loop, *board, 0, "n1"};
  config::Pool config;
  std::unique_ptr<Pool> pool;
};

struct EveryPolicy : PolicyTest, testing::WithParamInterface<const char*> {};

TEST_P(EveryPolicy, HonoursWeightsWhileNothingIsInFlight) {
  make(GetParam(), {1, 2, 5, 0});
  const std::vector<double> found = shares(40'000);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(found[i], config.backends[i].weight / 8.0, 0.02) << i;
}

TEST_P(EveryPolicy, HonoursWeightsThatWereSetAtRunTime) {
  make(GetParam(), {1, 1});
  cell(1).adjusted = pack_adjusted(3, 1);
  board->bump_version();
  EXPECT_NEAR(shares(20'000)[1], 0.75, 0.02);
}

TEST_P(EveryPolicy, LetsWhoHasRecoveredGrow) {
  config.slow_start = Duration(100'000);
  make(GetParam(), {1, 1});
  cell(1).recovered_ms = board_time(loop.now()) - 50'000;
  board->bump_version();
  EXPECT_NEAR(shares(20'000)[1], 1.0 / 3, 0.02);
}

TEST_P(EveryPolicy, LeavesOutWhoMayNotBeChosen) {
  config.limits.max_backend_requests = 3;
  make(GetParam(), {1, 1, 1, 1, 1, 1});
  cell(0).is_healthy = 0;
  cell(1).state = BackendState::kDraining;
  cell(2).in_flight[7] = 3;
  board->bump_version();
  backend(3).avoid();
  Backend* const tried[] = {&backend(4)};
  for (int i = 0; i < 500; ++i) ASSERT_EQ(choose({tried, nullptr, std::nullopt}), 5u);
  Backend* const most[] = {&backend(4), &backend(5)};
  EXPECT_EQ(choose({most, nullptr, std::nullopt}), 3u) << "the last resort";
  Backend* const all[] = {&backend(3), &backend(4), &backend(5)};
  EXPECT_EQ(choose({all, nullptr, std::nullopt}), kNobody);
  EXPECT_TRUE(pool->was_full());
}

TEST_P(EveryPolicy, FindsTheOnlyOneWithRoom) {
  config.limits.max_backend_requests = 1;
  make(GetParam(), std::vector<std::uint32_t>(100, 1));
  for (std::size_t i = 0; i < 100; ++i) cell(i).in_flight[5] = i != 61;
  for (int i = 0; i < 100; ++i) ASSERT_EQ(choose(), 61u);
}

TEST_P(EveryPolicy, IsKnownToTheConfigToo) { EXPECT_TRUE(has_policy(GetParam())); }

std::vector<const char*> policy_names() {
  std::vector<const char*> names;
  for (const config::Policy& policy : config::kPolicies) names.push_back(policy.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Policies, EveryPolicy, testing::ValuesIn(policy_names()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST_F(PolicyTest, LeastRequestIsTheMinimumOverAllWorkersExactly) {
  make("least-request", std::vector<std::uint32_t>(10, 1));
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    std::uint64_t least = ~0ull;
    for (std::size_t i = 0; i < 10; ++i) {
      for (const std::size_t worker : {0u, 4u, 9u}) cell(i).in_flight[worker] = random() % 4;
      least = std::min(least, sum_of(cell(i).in_flight));
    }
    ASSERT_EQ(sum_of(cell(choose()).in_flight), least);
  }
}

TEST_F(PolicyTest, LeastRequestLetsEqualOnesTakeTurns) {
  make("least-request", {1, 1, 1, 1});
  cell(2).in_flight[3] = 1;
  std::map<std::size_t, int> counts;
  for (int i = 0; i < 300; ++i) ++counts[choose()];
  EXPECT_EQ(counts, (std::map<std::size_t, int>{{0, 100}, {1, 100}, {3, 100}}));
}

// A closed loop: as many requests as there are clients, the oldest one ends when another begins.
TEST_F(PolicyTest, LeastRequestKeepsWhatIsInFlightByWeight) {
  for (const int clients : {1, 4, 80}) {
    make("least-request", {6, 1, 1});
    std::vector<std::size_t> running;
    std::vector<int> counts(3);
    for (int i = 0; i < 8'000; ++i) {
      if (static_cast<int>(running.size()) == clients) {
        cell(running.front()).in_flight[0] -= 1;
        running.erase(running.begin());
      }
      running.push_back(choose());
      cell(running.back()).in_flight[0] += 1;
      ++counts[running.back()];
    }
    EXPECT_NEAR(counts[0], 6'000, 600) << clients;
    for (const std::size_t each : running) cell(each).in_flight[0] -= 1;
  }
}

TEST_F(PolicyTest, OfTwoTheOneWithLessInFlightIsChosen) {
  make("two-choices", {1, 1, 1, 1});
  cell(1).in_flight[8] = 5;
  EXPECT_NEAR(shares(10'000)[1], 0, 0.001) << "it loses to everyone";
  cell(0).in_flight[1] = cell(2).in_flight[2] = 5;
  EXPECT_NEAR(shares(10'000)[3], 0.5, 0.02) << "whenever it is one of the two";
}

TEST_F(PolicyTest, PeakEwmaPrefersWhoAnswersSoonAndHasLittleToDo) {
  make("peak-ewma", {1, 1});
  const std::int64_t now = board_time(loop.now());
  cell(0).peak_ewma = pack_ewma(1'000, now);
  cell(1).peak_ewma = pack_ewma(20'000, now);
  EXPECT_NEAR(shares(1'000)[0], 1, 0.001);
  cell(0).in_flight[6] = 30;
  EXPECT_NEAR(shares(1'000)[1], 1, 0.001);
  cell(1).peak_ewma = pack_ewma(20'000, now - 60'000);
  cell(0).in_flight[6] = 1;
  EXPECT_NEAR(shares(1'000)[1], 1, 0.001) << "what was long ago counts little";
}

TEST_F(PolicyTest, PeakEwmaGivesOneThatItDoesNotKnowOneRequest) {
  make("peak-ewma", {1, 1});
  cell(0).peak_ewma = pack_ewma(300'000, board_time(loop.now()));
  EXPECT_EQ(choose(), 1u);
  cell(1).in_flight[2] = 1;
  EXPECT_EQ(choose(), 0u);
}

TEST(PeakEwmaSample, RisesAtOnceAndFallsSlowly) {
  std::atomic<std::uint64_t> ewma = 0;
  add_sample(ewma, 1'000, 5'000);
  EXPECT_EQ(ewma_us(ewma), 1'000);
  add_sample(ewma, 50'000, 5'010);
  EXPECT_EQ(ewma_us(ewma), 50'000);
  add_sample(ewma, 1'000, 5'020);
  EXPECT_GT(ewma_us(ewma), 49'000);
  add_sample(ewma, 1'000, 15'020);
  EXPECT_NEAR(ewma_us(ewma), 1'000 + 49'000 * std::exp(-1), 500);
  add_sample(ewma, 1'000, 115'020);
  EXPECT_NEAR(ewma_us(ewma), 1'000, 5);
}

TEST(PeakEwmaSample, OutlivesTheWrapOfItsClock) {
  const std::int64_t wrap = std::int64_t{1} << 32;
  EXPECT_NEAR(ewma_decay(pack_ewma(1'000, wrap - 5'000), wrap + 5'000), std::exp(-1), 1e-9);
}

}  // namespace
}  // namespace gatehouse::l7
