// The backends of a pool change while requests are under way: what stays is not touched, what left finishes.
#include <gtest/gtest.h>

#include "tests/l7/support/h2_site.h"

namespace gatehouse::test {
namespace {

using Backends = std::vector<config::Backend>;

// Servers "a", "b", "c"; the pool begins with all of them.
class Members : public testing::Test {
 protected:
  void begin() {
    for (const char* name : {"a", "b", "c"}) servers.push_back(&site.add_server(name));
    all = site.config.pools[0].backends;
    site.config.pools[0].ejection.failures = 0;
    site.worker->set_cookie_keys({l7::derive_cookie_key(std::string(32, 's')), std::nullopt});
    site.apply();
  }
  // Of the pool from now on, by their names.
  void set(const std::string& names) {
    Backends backends;
    for (const char name : names) backends.push_back(all[static_cast<std::size_t>(name - 'a')]);
    site.worker->set_backends("main", backends);
  }
  l7::BackendCell& cell(char name) {
    return *site.board->backend(l7::backend_key("main", all[static_cast<std::size_t>(name - 'a')].address));
  }
  std::string ask(RawSocket& client, int times) {
    std::string names;
    for (int i = 0; i < times; ++i) names += site.ask(client, get("/bytes/1")).field("X-Backend");
    std::sort(names.begin(), names.end());
    return names;
  }
  std::size_t connections(char name) { return servers[static_cast<std::size_t>(name - 'a')]->connections(); }

  H2Site site;
  Backends all;
  std::vector<HttpServer*> servers;
};

TEST_F(Members, TheNextRequestOfAConnectionKnowsThem) {
  begin();
  const auto client = site.connect();
  EXPECT_EQ(ask(*client, 6), "aabbcc");
  set("b");
  EXPECT_EQ(ask(*client, 3), "bbb");
  set("");
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).status, 503);
  set("ca");
  EXPECT_EQ(ask(*client, 4), "aacc");
}

TEST_F(Members, ThoseThatStayKeepConnectionsHealthAndCounts) {
  begin();
  const auto client = site.connect();
  EXPECT_EQ(ask(*client, 3), "abc");
  cell('b').is_healthy = 0;
  const std::uint64_t before = cell('a').requests;
  for (int i = 0; i < 20; ++i) {
    set(i % 2 ? "cab" : "ab");
    site.ask(*client, get("/bytes/1"));
  }
  set("ab");
  EXPECT_EQ(ask(*client, 2), "aa") << "b is still unhealthy";
  EXPECT_GE(cell('a').requests, before + 2);
  EXPECT_EQ(connections('a'), 1u);
  EXPECT_EQ(connections('b'), 1u) << "an idle connection to one that stays is kept";
}

TEST_F(Members, IdleConnectionsToThoseThatLeftEnd) {
  begin();
  EXPECT_EQ(ask(*site.connect(), 3), "abc");
  set("a");
  EXPECT_TRUE(site.until([&] { return connections('b') + connections('c') == 0; }));
  EXPECT_EQ(connections('a'), 1u);
  EXPECT_EQ(l7::sum_of(cell('b').connections), 0u);
}

TEST_F(Members, ARequestToOneThatLeavesIsFinishedAndThenItsConnectionEnds) {
  begin();
  set("a");
  const auto client = site.connect();
  client->send(get("/delay/50"));
  ASSERT_TRUE(site.until([&] { return servers[0]->requests() == 1; }));
  EXPECT_EQ(l7::sum_of(cell('a').in_flight), 1u);
  for (const char* names : {"b", "", "bc"}) set(names);
  EXPECT_EQ(l7::sum_of(cell('a').in_flight), 1u) << "it is counted until it is done";
  EXPECT_EQ(site.next_reply(*client).field("X-Backend"), "a");
  EXPECT_TRUE(site.until([&] { return connections('a') == 0; }));
  EXPECT_EQ(l7::sum_of(cell('a').in_flight), 0u);
  EXPECT_EQ(ask(*client, 2), "bc");
}

TEST_F(Members, AnUploadGoesOnToOneThatLeftThroughManyChanges) {
  begin();
  set("a");
  const auto client = site.connect();
  client->send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 50000\r\n\r\n");
  for (int i = 0; i < 50; ++i) {
    client->send(std::string(1'000, 'x'));
    site.loop.turn(Duration(1));
    set(i % 2 ? "b" : "c");
  }
  EXPECT_NE(site.next_reply(*client).body.find("\"length\":50000"), std::string::npos);
}

TEST_F(Members, ARetryGoesToOneThatCameMeanwhile) {
  RawServer& lost = site.add_raw_server([](RawSocket& connection) { connection.close(); });
  const Backends bad = site.config.pools[0].backends;
  site.config.pools[0].backends.clear();
  begin();
  site.config.pools[0].retry.backoff = site.config.pools[0].retry.max_backoff = Duration(50);
  site.apply();
  Backends mixed = bad;
  mixed.push_back(all[0]);
  site.worker->set_backends("main", mixed);
  const auto client = site.connect();
  for (int i = 0; i < 8; ++i) {
    const std::uint64_t before = site.board->worker(0).retries;
    client->send(get("/bytes/1"));
    site.until([&] { return site.board->worker(0).retries > before || !client->received().empty(); });
    // In its pause the backend that it was to go to leaves, as has the one that it was lost at.
    set("bc");
    set("c");
    EXPECT_EQ(site.next_reply(*client).status, 200);
    site.worker->set_backends("main", mixed);
  }
  EXPECT_GT(site.board->worker(0).retries, 0u);
  EXPECT_GT(lost.connections.size(), 0u);
}

TEST_F(Members, AClientWhoseBackendLeftMovesOnceAndStaysThere) {
  site.config.pools[0].affinity = config::OwnCookie{"gh-backend", Duration(60'000)};
  begin();
  const auto client = site.connect();
  const auto visit = [&](std::string& cookie) {
    const Reply reply =
        site.ask(*client, get("/bytes/1", cookie.empty() ? "" : "Cookie: " + cookie + "\r\n"));
    const std::string set_cookie = reply.field("Set-Cookie");
    if (!set_cookie.empty()) cookie = set_cookie.substr(0, set_cookie.find(';'));
    return reply.field("X-Backend");
  };
  std::string cookie;
  const std::string home = visit(cookie);
  EXPECT_EQ(visit(cookie), home);
  set(home == "a" ? "bc" : home == "b" ? "ac" : "ab");
  const std::string other = visit(cookie);
  EXPECT_NE(other, home);
  set("abc");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(visit(cookie), other);
}

TEST_F(Members, WeightsAndBackupsAreThoseOfTheNewSet) {
  begin();
  const auto client = site.connect();
  all[0].weight = 3;
  all[2].backup = true;
  set("abc");
  EXPECT_EQ(ask(*client, 8), "aaaaaabb");
  set("c");
  EXPECT_EQ(ask(*client, 2), "cc") << "a backup is used when there is nobody else";
}

TEST_F(Members, AKeyThatStaysWithItsBackendIsNotMovedByOthers) {
  site.config.pools[0].policy = "maglev";
  site.config.pools[0].hash = config::Hash{.path = true};
  begin();
  const auto client = site.connect();
  const auto ask_for = [&](int i) {
    return site.ask(*client, get("/bytes/" + std::to_string(i))).field("X-Backend");
  };
  std::vector<std::string> homes;
  for (int i = 0; i < 50; ++i) homes.push_back(ask_for(i));
  set("cb");
  int moved = 0;
  for (int i = 0; i < 50; ++i) {
    const std::string now = ask_for(i);
    if (homes[static_cast<std::size_t>(i)] != "a") moved += now != homes[static_cast<std::size_t>(i)];
    EXPECT_NE(now, "a");
  }
  EXPECT_LE(moved, 5);
  set("abc");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(ask_for(i), homes[static_cast<std::size_t>(i)]);
}

TEST_F(Members, StreamsOfAnHttp2BackendThatLeavesAreFinishedAndItsConnectionEnds) {
  H2Peer* asked = nullptr;
  std::int32_t stream = 0;
  H2Server leaving(site.loop, [&](H2Peer& peer, std::int32_t id) {
    asked = &peer;
    stream = id;
  });
  site.config.pools[0].protocol = "h2";
  site.config.pools[0].backends = {{leaving.address()}};
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  ASSERT_TRUE(site.until([&] { return stream != 0; }));
  site.worker->set_backends("main", {});
  site.loop.turn(Duration(1));
  asked->respond(stream, {{":status", "200"}}, "late");
  EXPECT_EQ(site.next_reply(*client).body, "late");
  EXPECT_TRUE(site.until([&] {
    return std::all_of(leaving.connections.begin(), leaving.connections.end(),
                       [](const auto& each) { return each->is_ended(); });
  }));
  EXPECT_EQ(site.ask(*client, get("/")).status, 503);
}

TEST_F(Members, AConnectionThatIsPassedThroughGoesOn) {
  RawServer& echo = site.add_raw_server([](RawSocket& connection) {
    connection.send(connection.received());
    connection.received().clear();
  });
  site.config.listeners[0].mode = "tcp";
  site.config.listeners[0].pool = "main";
  site.config.routes.clear();
  site.apply();
  const auto client = site.connect();
  const auto says = [&](const std::string& text) {
    client->send(text);
    return site.until([&] { return client->received() == text; }) && (client->received().clear(), true);
  };
  EXPECT_TRUE(says("one"));
  site.worker->set_backends("main", {});
  EXPECT_TRUE(says("two"));
  EXPECT_EQ(echo.connections.size(), 1u);
  const auto late = site.connect();
  EXPECT_TRUE(site.until([&] { return late->is_ended(); }));
}

TEST_F(Members, OfAPoolThatTheConfigDoesNotHaveNothingComes) {
  begin();
  site.worker->set_backends("other", all);
  EXPECT_EQ(ask(*site.connect(), 3), "abc");
}

}  // namespace
}  // namespace gatehouse::test
