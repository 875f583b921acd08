// Copies of requests for another pool: what they say, and that nobody waits for what becomes of them.
#include "l7/mirror.h"

#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

struct Mirrored : ResilienceSite {
  Mirrored() {
    config.pools.emplace_back().name = "shadow";
    main = &add(Manner::kAnswers);
    shadow = &add(Manner::kAnswers);
    config.pools[1].backends = {config.pools[0].backends.back()};
    config.pools[0].backends.pop_back();
    config.routes[0].mirror = config::Mirror{"shadow"};
  }
  config::Mirror& options() { return *config.routes[0].mirror; }
  Hostile* main;
  Hostile* shadow;
};

// But for the number of the attempt, which a copy has none of.
std::string without_attempt(std::string request) {
  const std::string field = "X-Attempt-Count: 1\r\n";
  const std::size_t found = request.find(field);
  return found == std::string::npos ? request : request.erase(found, field.size());
}

TEST(Mirror, SaysWhatTheRequestSays) {
  Mirrored site;
  site.apply();
  const std::string chunked =
      "POST /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  const std::string empty =
      "POST /e HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (const std::string& request :
       {get("/a?b=c", "X-Y: z\r\n"), post("/p", "some body"), post("/0", ""), empty}) {
    const auto client = site.connect();
    EXPECT_EQ(site.ask(*client, request).status, 200);
    ASSERT_TRUE(site.until([&] { return site.shadow->requests.size() == site.main->requests.size(); }))
        << request;
    EXPECT_EQ(site.shadow->requests.back(), without_attempt(site.main->requests.back()));
  }
  // Chunks are the connection's: the body is the same.
  EXPECT_EQ(site.ask(*site.connect(), chunked).status, 200);
  ASSERT_TRUE(site.until([&] { return site.shadow->requests.size() == 5; }));
  EXPECT_NE(site.shadow->requests.back().find("\r\n5\r\nabcde\r\n0\r\n\r\n"), std::string::npos)
      << site.shadow->requests.back();
  ASSERT_TRUE(site.until([&] { return site.counts().mirrored.load() == 5; }));
  EXPECT_EQ(site.counts().failed_mirrors.load() + site.counts().dropped_mirrors.load(), 0u);
}

TEST(Mirror, ConnectionsAreUsedAgain) {
  Mirrored site;
  site.apply();
  const auto client = site.connect();
  for (std::uint64_t i = 1; i <= 20; ++i) {
    EXPECT_EQ(site.ask(*client, i % 2 == 0 ? get("/") : post("/", "body")).status, 200);
    ASSERT_TRUE(site.until([&] { return site.counts().mirrored.load() == i; }));
  }
  EXPECT_EQ(site.shadow->server->connections.size(), 1u);
}

TEST(Mirror, NobodyWaitsForOneThatHangs) {
  Mirrored site;
  site.shadow->manner = Manner::kHangs;
  site.config.pools[1].response_timeout = Duration(300);
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(site.ask(*client, post("/", "body")).status, 200);
  ASSERT_TRUE(site.until([&] { return site.counts().failed_mirrors.load() == 10; }));
  EXPECT_EQ(site.counts().mirrored.load(), 0u);
  EXPECT_EQ(site.shadow->requests.size(), 10u);
}

// Copies are what can be done without first.
TEST(Mirror, IsOfTheCheapestClassOfItsPool) {
  Mirrored site;
  site.shadow->manner = Manner::kHangs;
  site.config.pools[1].adaptive_limit.enabled = true;
  site.config.pools[1].adaptive_limit.initial_requests = 8;
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(site.ask(*client, get("/")).status, 200);
  ASSERT_TRUE(site.until([&] { return site.counts().failed_mirrors.load() == 4; }));
  EXPECT_EQ(site.shadow->requests.size(), 6u) << "three quarters of what the pool may have";
  l7::AdaptiveCell& cell = site.board->pool(l7::pool_key("shadow"))->adaptive;
  EXPECT_EQ(l7::sum_of(cell.asking), 6u);
  for (const auto& connection : site.shadow->server->connections) connection->send(kFine);
  EXPECT_TRUE(site.until([&] { return l7::sum_of(cell.asking) == 0; }));
}

TEST(Mirror, WhatGoesWrongThereIsCountedAndNothingElse) {
  for (const Manner manner : {Manner::kCloses, Manner::kResets}) {
    Mirrored site;
    site.shadow->manner = manner;
    site.apply();
    const auto client = site.connect();
    for (int i = 0; i < 5; ++i) EXPECT_EQ(site.ask(*client, get("/")).status, 200);
    ASSERT_TRUE(site.until([&] { return site.counts().failed_mirrors.load() == 5; }));
    EXPECT_EQ(site.counts().retries.load(), 0u);
  }
  Mirrored site;
  const RefusingAddress refusing;
  site.config.pools[1].backends[0].address = refusing.address();
  site.apply();
  EXPECT_EQ(site.ask(*site.connect(), get("/")).status, 200);
  ASSERT_TRUE(site.until([&] { return site.counts().failed_mirrors.load() == 1; }));
}

TEST(Mirror, ALongBodyHasNoCopy) {
  Mirrored site;
  site.options().max_body.bytes = 100;
  site.apply();
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, post("/", std::string(101, 'x'))).status, 200);
  EXPECT_EQ(site.counts().dropped_mirrors.load(), 1u);
  EXPECT_EQ(site.ask(*client, post("/", std::string(100, 'x'))).status, 200);
  ASSERT_TRUE(site.until([&] { return site.counts().mirrored.load() == 1; }));
  EXPECT_EQ(site.shadow->requests.size(), 1u);
}

TEST(Mirror, NoMoreThanAWorkersShareAreOnTheirWay) {
  Mirrored site;
  site.shadow->manner = Manner::kHangs;
  site.apply();
  const auto client = site.connect();
  const std::uint64_t more = 10;
  for (std::uint64_t i = 0; i < l7::Mirror::kMost + more; ++i)
    EXPECT_EQ(site.ask(*client, get("/")).status, 200);
  EXPECT_EQ(site.counts().dropped_mirrors.load(), more);
}

TEST(Mirror, APartOfTheRequestsMayBeDrawn) {
  constexpr int kRequests = 4'000;
  Mirrored site;
  site.options().percent = 25;
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < kRequests; ++i) ASSERT_EQ(site.ask(*client, get("/")).status, 200);
  ASSERT_TRUE(site.comes_to_rest([&] { return site.counts().mirrored.load(); }));
  const auto found = static_cast<double>(site.counts().mirrored.load());
  EXPECT_NEAR(found / kRequests, 0.25, 0.05) << "7 standard deviations";
}

TEST(Mirror, OneThatIsCutShortIsDropped) {
  Mirrored site;
  site.apply();
  const auto client = site.connect();
  client->send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100\r\n\r\nhalf of it");
  client->end_output();
  ASSERT_TRUE(site.until([&] { return site.counts().dropped_mirrors.load() == 1; }));
  EXPECT_TRUE(site.shadow->requests.empty());
}

TEST(Mirror, AWorkerMayEndBeforeTheyDo) {
  Mirrored site;
  site.shadow->manner = Manner::kHangs;
  site.apply();
  EXPECT_EQ(site.ask(*site.connect(), post("/", "body")).status, 200);
  ASSERT_TRUE(site.until([&] { return site.shadow->requests.size() == 1; }));
  site.worker.reset();
}

}  // namespace
}  // namespace gatehouse::test
