// Connections that no request waits for: made ahead of requests (min_idle), or left behind by one that went
// to another backend (connect_attempt_delay).
#include <gtest/gtest.h>

#include "tests/l7/support/resilience_site.h"
#include "tests/l7/support/tcp_site.h"

namespace gatehouse::test {
namespace {

std::size_t open_at(const Hostile& backend) {
  std::size_t count = 0;
  for (const auto& connection : backend.server->connections) count += !connection->is_ended();
  return count;
}

// Openings are dropped by its kernel until open_up().
class FullBackend {
 public:
  explicit FullBackend(EventLoop& loop) : listening_(listen_on_loopback(address_, 0)) {
    for (int i = 0; i < 4; ++i) fillers_.push_back(std::make_unique<RawSocket>(loop, address_));
  }
  const Endpoint& address() const { return address_; }
  // Takes those that wait; the sockets that are returned hold them open.
  std::vector<Fd> open_up() {
    std::vector<Fd> taken;
    for (;;) {
      Fd next(accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!next.is_open()) return taken;
      taken.push_back(std::move(next));
    }
  }

 private:
  Endpoint address_;
  Fd listening_;
  std::vector<std::unique_ptr<RawSocket>> fillers_;
};

TEST(WarmConnections, AreThereBeforeTheFirstRequest) {
  ResilienceSite site;
  Hostile& one = site.add(Manner::kAnswers);
  Hostile& other = site.add(Manner::kAnswers);
  site.config.pools[0].min_idle = 6;
  site.apply();
  ASSERT_TRUE(site.until([&] { return open_at(one) == 6 && open_at(other) == 6; }));
  EXPECT_EQ(one.requests.size() + other.requests.size(), 0u);
  const auto client = site.connect();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(site.ask(*client, get("/")).status, 200);
  EXPECT_EQ(site.counts().backend_connections.load(), 12u) << "they were there, and are ready again";
}

TEST(WarmConnections, ReplaceWhatIsInUseOrHasEnded) {
  ResilienceSite site;
  Hostile& backend = site.add(Manner::kHangs);
  site.config.pools[0].min_idle = 2;
  site.config.pools[0].idle_timeout = Duration(300);
  site.apply();
  ASSERT_TRUE(site.until([&] { return open_at(backend) == 2; }));
  const auto client = site.connect();
  client->send(get("/"));
  ASSERT_TRUE(site.until([&] { return open_at(backend) == 3; })) << "one in use, two ready";
  const std::size_t before = backend.server->connections.size();
  ASSERT_TRUE(site.until([&] { return backend.server->connections.size() >= before + 2; }))
      << "idle_timeout holds for them";
}

TEST(WarmConnections, AreNotMadeToBackendsThatAreDownOrDrained) {
  ResilienceSite site;
  Hostile& down = site.add(Manner::kAnswers);
  Hostile& drained = site.add(Manner::kAnswers);
  Hostile& fine = site.add(Manner::kAnswers);
  site.config.pools[0].min_idle = 2;
  site.cell(0).is_healthy.store(0);
  site.cell(1).state.store(l7::BackendState::kDraining);
  site.apply();
  ASSERT_TRUE(site.until([&] { return open_at(fine) == 2; }));
  site.turns_while_waiting();
  EXPECT_EQ(down.server->connections.size() + drained.server->connections.size(), 0u);
  site.cell(0).is_healthy.store(1);
  site.board->bump_version();
  EXPECT_TRUE(site.until([&] { return open_at(down) == 2; }));
}

// One that refuses, one that closes what was made for it: they are asked again after a second, and then after
// two. Those that were begun together are one failure.
TEST(WarmConnections, AreTriedLessAndLessOftenWhereTheyFail) {
  ResilienceSite site;
  const RefusingAddress refusing;
  RawServer& closing = site.add_raw_server(ignore);
  site.config.pools[0].backends.push_back({refusing.address()});
  site.config.pools[0].min_idle = 3;
  const auto begun = EventLoop::Clock::now();
  site.apply();
  const auto failed_so_often = [&](std::uint64_t times) {
    return site.until([&] {
      for (const auto& connection : closing.connections) {
        if (!connection->is_ended()) connection->close();
      }
      return site.counts().failed_warm_connections.load() >= times;
    });
  };
  ASSERT_TRUE(failed_so_often(12));
  EXPECT_GE(EventLoop::Clock::now() - begun, Duration(1'000));
  EXPECT_LE(site.counts().backend_connections.load(), 18u);
  ASSERT_TRUE(failed_so_often(18));
  EXPECT_GE(EventLoop::Clock::now() - begun, Duration(3'000));
}

TEST(WarmConnections, EndWithTheOption) {
  ResilienceSite site;
  Hostile& backend = site.add(Manner::kAnswers);
  site.config.pools[0].min_idle = 3;
  site.config.pools[0].idle_timeout = Duration(200);
  site.apply();
  ASSERT_TRUE(site.until([&] { return open_at(backend) == 3; }));
  site.config.pools[0].min_idle = 0;
  site.apply();
  EXPECT_TRUE(site.until([&] { return open_at(backend) == 0; }));
  const std::size_t made = backend.server->connections.size();
  site.turns_while_waiting();
  EXPECT_EQ(backend.server->connections.size(), made);
}

TEST(WarmConnections, OfHttp2HaveRoomForStreams) {
  ResilienceSite site;
  H2Server server(site.loop, [](H2Peer& peer, std::int32_t id) {
    if (peer.message(id).is_ended && !peer.message(id).is_closed)
      peer.respond(id, {{":status", "200"}}, "ok");
  });
  site.config.pools[0].protocol = "h2";
  site.config.pools[0].min_idle = 1;
  site.config.pools[0].backends.push_back({server.address()});
  site.apply();
  ASSERT_TRUE(site.until([&] { return server.connections.size() == 1; }));
  for (int i = 0; i < 5; ++i) ASSERT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(server.connections.size(), 1u);
}

TEST(SlowConnect, DoesNotKeepARequestFromAnotherBackend) {
  for (const bool is_h2 : {false, true}) {
    ResilienceSite site;
    FullBackend full(site.loop);
    site.config.pools[0].backends.push_back({full.address()});
    std::unique_ptr<H2Server> h2;
    if (is_h2) {
      h2 = std::make_unique<H2Server>(site.loop, [](H2Peer& peer, std::int32_t id) {
        if (peer.message(id).is_ended && !peer.message(id).is_closed)
          peer.respond(id, {{":status", "200"}}, "ok");
      });
      site.config.pools[0].protocol = "h2";
      site.config.pools[0].backends.push_back({h2->address()});
    } else {
      site.add(Manner::kAnswers);
    }
    site.config.pools[0].connect_timeout = Duration(60'000);
    site.config.pools[0].connect_attempt_delay = Duration(50);
    site.apply();
    for (int i = 0; i < 4; ++i) ASSERT_EQ(site.ask(post("/", "once")).status, 200) << "nothing had been sent";
    EXPECT_EQ(site.counts().slow_connects.load(), 1u) << "the others keep away from it for a while";
    EXPECT_EQ(site.cell(0).failures.load(), 0u);
    const auto end = EventLoop::Clock::now() + Duration(1'100);
    ASSERT_TRUE(site.until([&] { return EventLoop::Clock::now() > end; }));
    for (int i = 0; i < 2; ++i) ASSERT_EQ(site.ask(get("/")).status, 200);
    EXPECT_EQ(site.counts().slow_connects.load(), 2u);
  }
}

// Its kernel sends the SYN again after a second.
TEST(SlowConnect, IsKeptWhenItComesAfterAll) {
  ResilienceSite site;
  FullBackend full(site.loop);
  site.config.pools[0].backends.push_back({full.address()});
  site.add(Manner::kAnswers);
  site.config.pools[0].connect_timeout = Duration(60'000);
  site.config.pools[0].connect_attempt_delay = Duration(50);
  site.apply();
  for (int i = 0; i < 2; ++i) ASSERT_EQ(site.ask(get("/")).status, 200);
  const std::vector<Fd> before = full.open_up();
  std::vector<Fd> after;
  ASSERT_TRUE(site.until([&] {
    for (Fd& each : full.open_up()) after.push_back(std::move(each));
    return l7::sum_of(site.cell(0).connections) == 1 && !after.empty();
  }));
  EXPECT_EQ(site.counts().backend_connections.load(), 2u);
}

TEST(SlowConnect, WaitsWhenThereIsNobodyElse) {
  ResilienceSite site;
  FullBackend full(site.loop);
  site.config.pools[0].backends.push_back({full.address()});
  site.config.pools[0].connect_timeout = Duration(150);
  site.config.pools[0].connect_attempt_delay = Duration(50);
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 504);
  EXPECT_EQ(site.counts().slow_connects.load(), 0u);
  EXPECT_EQ(site.cell(0).failures.load(), 1u);
  EXPECT_TRUE(site.until([&] { return l7::sum_of(site.cell(0).connections) == 0; }));
}

TEST(SlowConnect, DoesNotKeepARelayFromAnotherBackend) {
  TcpSite site;
  FullBackend full(site.loop);
  site.config.pools[0].backends.push_back({full.address()});
  site.add_raw_server(echo);
  site.config.pools[0].connect_timeout = Duration(60'000);
  site.config.pools[0].connect_attempt_delay = Duration(50);
  site.apply();
  const auto one = site.connect(), other = site.connect();
  for (RawSocket* client : {one.get(), other.get()}) {
    client->send("hello");
    ASSERT_TRUE(site.has_come(*client, "hello"));
  }
  EXPECT_EQ(site.counters().slow_connects.load(), 1u);
}

}  // namespace
}  // namespace gatehouse::test
