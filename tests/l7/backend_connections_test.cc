// How long connections to backends live, and how status counts their ends.
#include <gtest/gtest.h>

#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

using l7::ConnectionEnd;

class BackendConnections : public testing::Test {
 protected:
  std::uint64_t ended(ConnectionEnd end) {
    return site.counts().connection_ends[static_cast<std::size_t>(end)].load();
  }
  std::uint64_t begun() { return site.counts().backend_connections.load(); }
  std::size_t open(const Hostile& backend) {
    std::size_t count = 0;
    for (const auto& connection : backend.server->connections) count += !connection->is_ended();
    return count;
  }
  // A backend of HTTP/2 that answers when the test says so.
  H2Server& add_h2() {
    site.config.pools[0].protocol = "h2";
    servers.push_back(std::make_unique<H2Server>(site.loop, [this](H2Peer& peer, std::int32_t id) {
      if (peer.message(id).is_ended && !peer.message(id).is_closed) waiting.insert({&peer, id});
    }));
    site.config.pools[0].backends.push_back({servers.back()->address()});
    return *servers.back();
  }
  void answer_all() {
    for (const auto& [peer, id] : std::exchange(waiting, {})) peer->respond(id, {{":status", "200"}}, "ok");
  }

  std::vector<std::unique_ptr<H2Server>> servers;
  ResilienceSite site;
  std::set<std::pair<H2Peer*, std::int32_t>> waiting;
};

TEST_F(BackendConnections, EndAfterSoManyRequests) {
  Hostile& backend = site.add(Manner::kAnswers);
  site.config.pools[0].max_requests = 3;
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 8; ++i) ASSERT_EQ(site.ask(*client, get("/")).status, 200);
  EXPECT_EQ(backend.server->connections.size(), 3u);
  EXPECT_TRUE(site.until([&] { return open(backend) == 1; })) << "the last one has one left";
  EXPECT_EQ(ended(ConnectionEnd::kRequests), 2u);
  EXPECT_EQ(begun(), 3u);
}

// Of requests that come just as the backend closes none can be told from those that it has seen.
TEST_F(BackendConnections, EndBeforeABackendClosesThoseThatAreIdle) {
  constexpr Duration kPatience(200);
  Hostile& backend = site.add(Manner::kAnswers);
  site.apply();
  int closes = 0;
  const auto is_closed_by_us = [&] {
    EXPECT_EQ(site.ask(get("/")).status, 200);
    const auto since = EventLoop::Clock::now();
    RawSocket& connection = *backend.server->connections.back();
    EXPECT_TRUE(
        site.until([&] { return connection.is_ended() || EventLoop::Clock::now() - since >= kPatience; }));
    if (connection.is_ended()) return true;
    connection.close();
    ++closes;
    const std::uint64_t by_backend = ended(ConnectionEnd::kBackend);
    EXPECT_TRUE(site.until([&] { return ended(ConnectionEnd::kBackend) > by_backend; }));
    return false;
  };
  // On a slow machine some are closed later than others.
  while (closes < 100 && !is_closed_by_us()) continue;
  EXPECT_GE(closes, 3);
  EXPECT_LT(closes, 100);
  EXPECT_EQ(ended(ConnectionEnd::kIdle), 1u);
}

TEST_F(BackendConnections, EndByThemselvesWhenTheyAreIdleAndOld) {
  Hostile& backend = site.add(Manner::kAnswers);
  site.config.pools[0].max_age = Duration(50);
  site.apply();
  ASSERT_EQ(site.ask(get("/")).status, 200);
  EXPECT_TRUE(site.until([&] { return open(backend) == 0; })) << "long before idle_timeout";
  EXPECT_EQ(ended(ConnectionEnd::kAge), 1u);
}

TEST_F(BackendConnections, OldOnesFinishTheirExchange) {
  Hostile& backend = site.add(Manner::kHangs);
  site.config.pools[0].max_age = Duration(50);
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  ASSERT_TRUE(site.until([&] { return backend.requests.size() == 1; }));
  const auto began = EventLoop::Clock::now();
  ASSERT_TRUE(site.until([&] { return EventLoop::Clock::now() - began > Duration(60); }));
  EXPECT_EQ(open(backend), 1u);
  backend.server->connections[0]->send(kFine);
  EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_TRUE(site.until([&] { return open(backend) == 0; }));
  EXPECT_EQ(ended(ConnectionEnd::kAge), 1u);
}

// A reload that wants it shorter holds for those that are there.
TEST_F(BackendConnections, AreMeasuredByTheConfigInUse) {
  Hostile& backend = site.add(Manner::kAnswers);
  site.apply();
  ASSERT_EQ(site.ask(get("/")).status, 200);
  ASSERT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(begun(), 1u);
  site.config.pools[0].max_requests = 2;
  site.apply();
  ASSERT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(begun(), 2u);
  EXPECT_TRUE(site.until([&] { return open(backend) == 1; }));
}

TEST_F(BackendConnections, OfHttp2DrainWhenTheyHadTheirRequests) {
  H2Server& server = add_h2();
  site.config.pools[0].max_requests = 2;
  site.apply();
  const auto client = site.connect_h2();
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(client->get("/"));
  ASSERT_TRUE(site.until([&] { return waiting.size() == 4; }));
  EXPECT_EQ(server.connections.size(), 2u);
  answer_all();
  for (const std::int32_t id : ids) EXPECT_EQ(site.ended(*client, id).status(), 200);
  EXPECT_TRUE(site.until([&] { return ended(ConnectionEnd::kRequests) == 2; }));
}

TEST_F(BackendConnections, OfHttp2TakeNothingWhenTheyAreOld) {
  H2Server& server = add_h2();
  site.config.pools[0].max_age = Duration(50);
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t first = client->get("/");
  ASSERT_TRUE(site.until([&] { return waiting.size() == 1; }));
  const auto began = EventLoop::Clock::now();
  ASSERT_TRUE(site.until([&] { return EventLoop::Clock::now() - began > Duration(60); }));
  const std::int32_t second = client->get("/");
  ASSERT_TRUE(site.until([&] { return waiting.size() == 2; }));
  EXPECT_EQ(server.connections.size(), 2u);
  answer_all();
  EXPECT_EQ(site.ended(*client, first).status(), 200);
  EXPECT_EQ(site.ended(*client, second).status(), 200);
  EXPECT_TRUE(site.until([&] { return ended(ConnectionEnd::kAge) == 2; })) << "the other one when it is idle";
}

TEST_F(BackendConnections, SayWhyTheyEnded) {
  Hostile& backend = site.add(Manner::kAnswers);
  site.config.pools[0].idle_timeout = Duration(100);
  site.config.pools[0].max_idle = 1;
  site.apply();
  ASSERT_EQ(site.ask(get("/")).status, 200);
  ASSERT_TRUE(site.until([&] { return ended(ConnectionEnd::kIdle) == 1; }));
  ASSERT_EQ(site.ask(get("/")).status, 200);
  backend.server->connections.back()->close();
  ASSERT_TRUE(site.until([&] { return ended(ConnectionEnd::kBackend) == 1; }));
  backend.manner = Manner::kHangs;
  const auto one = site.connect(), other = site.connect(), third = site.connect();
  for (RawSocket* client : {one.get(), other.get(), third.get()}) client->send(get("/"));
  ASSERT_TRUE(site.until([&] { return backend.requests.size() == 5; }));
  third->reset();
  ASSERT_TRUE(site.until([&] { return ended(ConnectionEnd::kUnfinished) == 1; }));
  for (const auto& connection : backend.server->connections) {
    if (!connection->is_ended()) connection->send(kFine);
  }
  EXPECT_EQ(site.next_reply(*one).status, 200);
  EXPECT_EQ(site.next_reply(*other).status, 200);
  EXPECT_TRUE(site.until([&] { return ended(ConnectionEnd::kSurplus) == 1; }));
}

}  // namespace
}  // namespace gatehouse::test
