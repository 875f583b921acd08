// A second copy of a request whose answer is late: when it is made, which one wins, and what the other one
// costs.
#include <gtest/gtest.h>

#include "tests/l7/support/log_pipe.h"
#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

class Hedging : public testing::Test {
 protected:
  Hedging() {
    config::Pool& pool = site.config.pools[0];
    pool.response_timeout = Duration(60'000);
    pool.health.path.clear();
    site.config.routes[0].hedge_after = Duration(50);
  }
  // Turns until so much time is over.
  void wait(int milliseconds) {
    const auto end = EventLoop::Clock::now() + Duration(milliseconds);
    site.until([&] { return EventLoop::Clock::now() > end; });
  }
  std::uint64_t hedges() { return site.counts().hedges.load(); }
  std::uint64_t won() { return site.counts().won_hedges.load(); }
  static bool is_ended(const Hostile& backend) { return backend.server->connections.back()->is_ended(); }

  // The first backend hangs, and the request is with both of two.
  bool is_hedged(Manner of_second = Manner::kHangs) {
    first = &site.add(Manner::kHangs);
    second = &site.add(of_second);
    site.apply();
    client = site.connect();
    client->send(get("/"));
    return site.until([&] { return second->requests.size() == 1; });
  }

  ResilienceSite site;
  Hostile* first = nullptr;
  Hostile* second = nullptr;
  std::unique_ptr<RawSocket> client;
};

TEST_F(Hedging, TheFirstAnswerWinsAndTheOtherCopyIsCancelled) {
  Hostile& slow = site.add(Manner::kHangs);
  Hostile& quick = site.add(Manner::kAnswers);
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(hedges(), 1u);
  EXPECT_EQ(won(), 1u);
  EXPECT_TRUE(site.until([&] { return is_ended(slow); }));
  ASSERT_EQ(quick.requests.size(), 1u);
  EXPECT_NE(slow.requests[0].find("X-Attempt-Count: 1\r\n"), std::string::npos);
  EXPECT_NE(quick.requests[0].find("X-Attempt-Count: 2\r\n"), std::string::npos);
  EXPECT_EQ(site.cell(0).failures.load(), 0u) << "late is not failed";
  EXPECT_EQ(l7::sum_of(site.cell(0).in_flight) + l7::sum_of(site.cell(1).in_flight), 0u);
}

TEST_F(Hedging, TheFirstBackendMayStillWin) {
  ASSERT_TRUE(is_hedged());
  first->server->connections[0]->send(kFine);
  EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_TRUE(site.until([&] { return is_ended(*second); }));
  EXPECT_FALSE(is_ended(*first));
  EXPECT_EQ(hedges(), 1u);
  EXPECT_EQ(won(), 0u);
}

TEST_F(Hedging, AnAnswerInTimeIsNotHedged) {
  site.add(Manner::kAnswers);
  Hostile& other = site.add(Manner::kAnswers);
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(site.ask(*client, get("/")).status, 200);
  wait(100);
  EXPECT_EQ(hedges(), 0u);
  EXPECT_EQ(other.requests.size(), 5u);
}

struct RepeatRow {
  const char* request;
  bool is_hedged;
};

TEST_F(Hedging, IsForRequestsThatMayBeRepeated) {
  const RepeatRow rows[] = {
      {"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", true},
      {"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody", true},
      {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody", false},
      {"POST / HTTP/1.1\r\nHost: a.example\r\nIdempotency-Key: k\r\nContent-Length: 4\r\n\r\nbody", true},
  };
  for (const RepeatRow& row : rows) {
    ResilienceSite each;
    each.config.routes[0].hedge_after = Duration(50);
    Hostile& first = each.add(Manner::kHangs);
    Hostile& second = each.add(Manner::kHangs);
    each.apply();
    const auto client = each.connect();
    client->send(row.request);
    ASSERT_TRUE(each.until([&] { return first.requests.size() == 1; }));
    const auto end = EventLoop::Clock::now() + Duration(150);
    each.until([&] { return EventLoop::Clock::now() > end; });
    ASSERT_EQ(second.requests.size(), row.is_hedged ? 1u : 0u) << row.request;
    const std::string_view body =
        std::string_view(row.request).substr(std::string_view(row.request).find("\r\n\r\n"));
    EXPECT_TRUE(!row.is_hedged || second.requests[0].ends_with(body)) << second.requests[0];
    (row.is_hedged ? second : first).server->connections[0]->send(kFine);
    EXPECT_EQ(each.next_reply(*client).status, 200) << row.request;
  }
}

TEST_F(Hedging, AnErrorThatComesFastIsNoAnswer) {
  ASSERT_TRUE(is_hedged(Manner::kBusy));
  wait(30);
  first->server->connections[0]->send(kFine);
  EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_EQ(won(), 0u);
}

TEST_F(Hedging, TheSecondCopyTakesThePlaceOfOneThatFails) {
  ASSERT_TRUE(is_hedged());
  first->server->connections[0]->reset();
  wait(30);
  second->server->connections[0]->send(kFine);
  EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_EQ(site.cell(0).failures.load(), 1u);
  EXPECT_EQ(first->requests.size() + second->requests.size(), 2u);
}

TEST_F(Hedging, WaitsAsBeforeWhenThereIsNobodyElse) {
  Hostile& only = site.add(Manner::kHangs);
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  ASSERT_TRUE(site.until([&] { return only.requests.size() == 1; }));
  wait(100);
  only.server->connections[0]->send(kFine);
  EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_EQ(hedges(), 0u);
}

TEST_F(Hedging, AClientThatLeavesCancelsBoth) {
  ASSERT_TRUE(is_hedged());
  client->reset();
  EXPECT_TRUE(site.until([&] { return is_ended(*first) && is_ended(*second); }));
  EXPECT_EQ(l7::sum_of(site.cell(0).in_flight) + l7::sum_of(site.cell(1).in_flight), 0u);
}

TEST_F(Hedging, TheBudgetBoundsTheLoadOnBackends) {
  Hostile& first = site.add(Manner::kHangs);
  Hostile& second = site.add(Manner::kHangs);
  config::Retry& retry = site.config.pools[0].retry;
  retry.budget = 10;
  retry.budget_floor = 0;
  retry.budget_most = 1;
  site.apply();
  std::vector<std::unique_ptr<RawSocket>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(site.connect());
    clients.back()->send(get("/"));
  }
  ASSERT_TRUE(site.until([&] { return site.counts().retries_over_budget.load() + hedges() == 40; }));
  EXPECT_GE(hedges(), 1u);
  EXPECT_LE(first.requests.size() + second.requests.size(), 40u + 1 + 4);
}

TEST_F(Hedging, BreakersBoundItToo) {
  site.add(Manner::kHangs);
  Hostile& second = site.add(Manner::kHangs);
  site.config.pools[0].limits.max_requests = 1;
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  wait(150);
  EXPECT_EQ(second.requests.size(), 0u) << "two copies were two requests in the pool";
  EXPECT_EQ(hedges(), 0u);
}

TEST_F(Hedging, CancelsAStreamOfHttp2) {
  std::vector<std::unique_ptr<H2Server>> servers;
  std::map<H2Peer*, std::int32_t> asked;
  site.config.pools[0].protocol = "h2";
  for (int i = 0; i < 2; ++i) {
    servers.push_back(std::make_unique<H2Server>(site.loop, [&](H2Peer& peer, std::int32_t id) {
      if (peer.message(id).is_ended && !peer.message(id).is_closed) asked[&peer] = id;
    }));
    site.config.pools[0].backends.push_back({servers[static_cast<std::size_t>(i)]->address()});
  }
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t id = client->post("/", "body", {{"idempotency-key", "k"}});
  ASSERT_TRUE(site.until([&] { return asked.size() == 2; }));
  H2Peer& first = *servers[0]->connections[0];
  H2Peer& second = *servers[1]->connections[0];
  EXPECT_EQ(second.message(asked[&second]).body, "body");
  EXPECT_EQ(second.message(asked[&second]).field("x-attempt-count"), "2");
  second.respond(asked[&second], {{":status", "200"}}, "fine");
  EXPECT_EQ(site.ended(*client, id).body, "fine");
  EXPECT_TRUE(site.until([&] { return first.message(asked[&first]).is_closed; }));
  EXPECT_EQ(first.message(asked[&first]).error, static_cast<std::uint32_t>(NGHTTP2_CANCEL));
  EXPECT_FALSE(first.is_ended());
}

TEST_F(Hedging, IsInTheAccessLog) {
  LogPipe log;
  site.worker->set_access_log(std::move(log.writing));
  site.add(Manner::kHangs);
  site.add(Manner::kAnswers);
  site.apply();
  ASSERT_EQ(site.ask(get("/")).status, 200);
  std::vector<nlohmann::json> lines;
  ASSERT_TRUE(site.until([&] {
    for (auto& line : log.lines()) lines.push_back(std::move(line));
    return !lines.empty();
  }));
  EXPECT_EQ(lines[0]["attempts"], 2);
  EXPECT_EQ(lines[0]["hedged"], true);
  EXPECT_EQ(lines[0]["backend"], to_string(site.config.pools[0].backends[1].address));
}

// What it is for: one of three backends takes requests and never answers.
TEST_F(Hedging, OneOfThreeThatHangsCostsAboutTheDelay) {
  site.add(Manner::kHangs);
  site.add(Manner::kAnswers);
  site.add(Manner::kAnswers);
  site.config.pools[0].retry.budget = 50;
  site.config.pools[0].retry.budget_most = 100;
  site.apply();
  const auto client = site.connect();
  std::vector<EventLoop::Clock::duration> took;
  for (int i = 0; i < 60; ++i) {
    const auto began = EventLoop::Clock::now();
    ASSERT_EQ(site.ask(*client, get("/")).status, 200);
    took.push_back(EventLoop::Clock::now() - began);
  }
  std::sort(took.begin(), took.end());
  EXPECT_GE(took.back(), Duration(50));
  RecordProperty("p99_ms", static_cast<int>(std::chrono::ceil<Duration>(took[58]).count()));
  EXPECT_GE(hedges(), 15u);
  EXPECT_LE(hedges(), 30u);
  EXPECT_EQ(won(), hedges());
}

}  // namespace
}  // namespace gatehouse::test
