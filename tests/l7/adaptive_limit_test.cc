// The adaptive limit of a pool as requests meet it.
#include <gtest/gtest.h>

#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

// A backend that hangs behind a limit of 8.
class Adaptive : public testing::Test {
 protected:
  void SetUp() override {
    config::AdaptiveLimit& limit = site.config.pools[0].adaptive_limit;
    limit.enabled = true;
    limit.initial_requests = 8;
    for (const char* name : {"critical", "sheddable"}) {
      config::Route& route = site.config.routes.emplace_back();
      route.name = route.priority_class = name;
      route.path_prefix = "/" + route.name;
      route.pool = "main";
    }
  }
  // Sends so many requests that hang, and returns how many got to the backend.
  std::size_t let_in_of(std::size_t count, const std::string& path) {
    const std::size_t before = backend.requests.size();
    std::vector<std::unique_ptr<RawSocket>> sent;
    for (std::size_t i = 0; i < count; ++i) {
      sent.push_back(site.connect());
      sent.back()->send(get(path));
    }
    const auto refused = [&sent] {
      return static_cast<std::size_t>(std::count_if(sent.begin(), sent.end(), [](const auto& each) {
        return each->received().starts_with("HTTP/1.1 503");
      }));
    };
    EXPECT_TRUE(site.until([&] { return backend.requests.size() - before + refused() == count; }));
    for (auto& each : sent) clients.push_back(std::move(each));
    return backend.requests.size() - before;
  }
  l7::AdaptiveCell& cell() { return site.board->pool(l7::pool_key("main"))->adaptive; }

  ResilienceSite site;
  Hostile& backend = site.add(Manner::kHangs);
  std::vector<std::unique_ptr<RawSocket>> clients;
};

TEST_F(Adaptive, LimitsRequestsByClass) {
  site.apply();
  EXPECT_EQ(let_in_of(10, "/sheddable"), 6u) << "three quarters";
  EXPECT_EQ(let_in_of(10, "/"), 2u) << "all of it";
  EXPECT_EQ(let_in_of(10, "/critical"), 2u) << "an eighth, and one, beyond it";
  const Reply refused = site.ask(get("/"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("X-Gatehouse-Reason"), "adaptive-limit");
  EXPECT_EQ(site.counts().requests_over_adaptive_limit, 4u + 8u + 8u + 1u);
  for (const auto& client : clients) client->reset();
  EXPECT_TRUE(site.until([this] { return l7::sum_of(cell().asking) == 0; })) << "all places are free again";
}

TEST_F(Adaptive, CountsAllWorkersOfTheNode) {
  site.apply();
  cell().asking[7] = 7;
  EXPECT_EQ(let_in_of(5, "/"), 1u);
}

TEST_F(Adaptive, SendsRequestsToTheQueueWhereThereIsOne) {
  site.config.pools[0].queue.limit = 3;
  site.config.pools[0].queue.timeout = Duration(60'000);
  site.apply();
  EXPECT_EQ(let_in_of(8, "/"), 8u);
  const auto waiting = site.connect();
  waiting->send(get("/"));
  ASSERT_TRUE(site.until([this] { return site.counts().queued_requests == 1; }));
  EXPECT_LE(site.turns_while_waiting(), 60) << "it waits, and does not try all the time";
  backend.manner = Manner::kAnswers;
  backend.server->connections.front()->send(kFine);
  EXPECT_EQ(site.next_reply(*waiting).status, 200);
}

// A place is free as soon as the head of the answer is there: clients may read as slowly as they like.
TEST_F(Adaptive, CountsRequestsUntilTheHeadOfTheirAnswer) {
  site.apply();
  EXPECT_EQ(let_in_of(8, "/"), 8u);
  for (const auto& connection : backend.server->connections)
    connection->send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nha");
  EXPECT_TRUE(site.until([this] { return l7::sum_of(cell().asking) == 0; }));
  EXPECT_EQ(let_in_of(9, "/"), 8u);
}

TEST_F(Adaptive, LearnsFromAnswersWithWhateverWorkerSeesThem) {
  site.config.pools[0].adaptive_limit.interval = Duration(10);
  backend.manner = Manner::kAnswers;
  site.apply();
  ASSERT_TRUE(site.until([this] { return site.ask(get("/")).status == 200 && cell().limit != 0; }));
  EXPECT_GT(cell().shortest_us, 0u);
  EXPECT_EQ(cell().limit, 8u) << "one at a time: there is no need of more";
  cell().asking[7] = 5;
  EXPECT_TRUE(site.until([this] { return site.ask(get("/")).status == 200 && cell().limit > 8; }))
      << "of another worker";
}

}  // namespace
}  // namespace gatehouse::test
