// Several pools of one route through a worker: shares over a real socket, and clients that stay where they
// are.
#include <gtest/gtest.h>

#include "l7/arms.h"
#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {
namespace {

constexpr int kRequests = 100'000;
constexpr std::size_t kClients = 1'000;

// Two pools of a server each, "v1" and "v2".
struct Canary : LoopbackWorker {
  Canary() {
    config.pools[0].name = "v1";
    config.pools.emplace_back().name = "v2";
    v1 = &add_server("v1", 0);
    v2 = &add_server("v2", 1);
    route().pool.clear();
    route().pools = {{"v1", 95}, {"v2", 5}};
    worker->set_cookie_keys({l7::derive_cookie_key(std::string(32, 's')), std::nullopt});
  }
  config::Route& route() { return config.routes[0]; }
  void be_sticky() { route().sticky = config::OwnCookie{"gh-canary"}; }
  l7::ArmCell& cell(const char* pool) { return *board->arm(l7::arm_key("all", pool)); }
  void set_weight(const char* pool, std::uint32_t weight, std::uint32_t base) {
    cell(pool).adjusted = l7::pack_adjusted(weight, base);
    board->bump_version();
  }
  // "v1" or "v2", over one connection.
  Reply ask_on(RawSocket& client, const std::string& cookie = {}) {
    return ask(client, get("/healthz", cookie.empty() ? "" : "Cookie: " + cookie + "\r\n"));
  }
  HttpServer* v1;
  HttpServer* v2;
};

// A browser that keeps its cookie.
struct Client {
  std::string cookie;
  std::string pool;

  // Whether the pool is another one than before.
  bool ask(Canary& site, RawSocket& connection) {
    const Reply reply = site.ask_on(connection, cookie);
    if (reply.has_field("Set-Cookie")) {
      const std::string text = reply.field("Set-Cookie");
      cookie = text.substr(0, text.find(';'));
    }
    return std::exchange(pool, reply.field("X-Backend")) != pool;
  }
};

TEST(Canary, ShareIsTrueOverARealSocket) {
  Canary site;
  site.apply();
  const auto client = site.connect();
  for (int done = 0; done < kRequests; done += 100) {
    std::string batch;
    for (int i = 0; i < 100; ++i) batch += get("/healthz");
    client->send(batch);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(site.next_reply(*client).status, 200);
  }
  EXPECT_EQ(site.v1->requests() + site.v2->requests(), static_cast<std::uint64_t>(kRequests));
  EXPECT_NEAR(static_cast<double>(site.v2->requests()), kRequests * 0.05, kRequests * 0.002);
  EXPECT_EQ(site.cell("v2").requests.load(), site.v2->requests());
  EXPECT_EQ(site.cell("v1").requests.load(), site.v1->requests());
}

class Sticky : public testing::Test {
 protected:
  Sticky() {
    site.be_sticky();
    site.apply();
    connection = site.connect();
    everybody_asks();
  }
  std::size_t everybody_asks() {
    std::size_t moved = 0;
    for (Client& client : clients) moved += client.ask(site, *connection);
    return moved;
  }
  std::size_t on(const char* pool) const {
    std::size_t count = 0;
    for (const Client& client : clients) count += client.pool == pool;
    return count;
  }

  Canary site;
  std::unique_ptr<RawSocket> connection;
  std::vector<Client> clients{kClients};
};

TEST_F(Sticky, ClientsNeverFlip) {
  EXPECT_NEAR(static_cast<double>(on("v2")), kClients * 0.05, 4);
  for (int round = 0; round < 3; ++round) EXPECT_EQ(everybody_asks(), 0u);
}

TEST_F(Sticky, FromFiveToTenPercentMovesWhoMustMoveAndNobodyElse) {
  const std::vector<Client> before = clients;
  for (const bool is_reload : {true, false}) {
    clients = before;
    site.route().pools[1].weight = is_reload ? 10 : 5;
    site.route().pools[0].weight = is_reload ? 90 : 95;
    site.apply();
    if (!is_reload) {
      site.set_weight("v1", 90, 95);
      site.set_weight("v2", 10, 5);
    }
    EXPECT_NEAR(static_cast<double>(everybody_asks()), kClients * 0.05, 4);
    EXPECT_NEAR(static_cast<double>(on("v2")), kClients * 0.10, 4);
    for (std::size_t i = 0; i < kClients; ++i) {
      EXPECT_TRUE(before[i].pool == clients[i].pool || before[i].pool == "v1");
      EXPECT_EQ(before[i].cookie, clients[i].cookie) << "its place is the same";
    }
    EXPECT_EQ(everybody_asks(), 0u);
  }
}

TEST_F(Sticky, WeightZeroIsAnInstantRollbackAndComesBackAsItWas) {
  std::vector<Client> before = clients;
  site.set_weight("v2", 0, 5);
  everybody_asks();
  EXPECT_EQ(on("v2"), 0u);
  site.set_weight("v2", 5, 5);
  everybody_asks();
  for (std::size_t i = 0; i < kClients; ++i) EXPECT_EQ(before[i].pool, clients[i].pool);
}

TEST_F(Sticky, WhatClientsMakeUpIsIgnoredReplacedAndCounted) {
  const std::string good = clients[0].cookie;
  for (const std::string& cookie :
       {std::string("gh-canary=x"), good.substr(0, good.size() - 1), "gh-canary=" + good}) {
    const std::uint64_t before = site.board->worker(0).forged_cookies;
    const Reply reply = site.ask_on(*connection, cookie);
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.field("Set-Cookie").starts_with("gh-canary=")) << cookie;
    EXPECT_EQ(site.board->worker(0).forged_cookies.load(), before + 1);
  }
  EXPECT_FALSE(site.ask_on(*connection, good).has_field("Set-Cookie"));
}

TEST_F(Sticky, TheCookieOfAnotherSecretIsBelievedAsLongAsThatIsTheEarlierOne) {
  site.worker->set_cookie_keys(
      {l7::derive_cookie_key(std::string(32, 't')), l7::derive_cookie_key(std::string(32, 's'))});
  EXPECT_EQ(everybody_asks(), 0u);
  site.worker->set_cookie_keys({l7::derive_cookie_key(std::string(32, 't')), std::nullopt});
  EXPECT_EQ(everybody_asks(), 0u) << "all of them have got new ones";
}

TEST(StickyCookie, ComesBesideTheCookiesOfTheBackendAndTheFieldsOfTheRoute) {
  Canary site;
  site.be_sticky();
  site.route().response_headers = {{{"X-Set", "{route}"}}, {}, {"Set-Cookie"}};
  site.apply();
  const Reply reply = site.ask(get("/healthz"));
  EXPECT_EQ(reply.field("X-Set"), "all");
  const std::string cookie = reply.field("Set-Cookie");
  EXPECT_TRUE(cookie.starts_with("gh-canary="));
  EXPECT_TRUE(cookie.ends_with("; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax")) << cookie;
}

TEST(StickyCookie, IsNotSetWithoutASecret) {
  Canary site;
  site.worker = nullptr;
  site.worker = std::make_unique<l7::Worker>(site.loop, *site.board, l7::WorkerIdentity{0, "n1"});
  site.be_sticky();
  site.apply();
  EXPECT_FALSE(site.ask(get("/healthz")).has_field("Set-Cookie"));
}

TEST(Pools, WithoutAnyWeightAreAnswered503) {
  Canary site;
  site.route().pools = {{"v1", 0}, {"v2", 0}};
  site.apply();
  EXPECT_EQ(site.ask(get("/healthz")).status, 503);
}

TEST(Pools, OneWithoutHealthyBackendsKeepsItsShare) {
  Canary site;
  site.route().pools = {{"v1", 1}, {"v2", 1}};
  site.apply();
  site.board->backend(l7::backend_key("v2", site.config.pools[1].backends[0].address))->is_healthy = 0;
  site.board->bump_version();
  int failed = 0;
  for (int i = 0; i < 20; ++i) failed += site.ask(get("/healthz")).status == 503;
  EXPECT_NEAR(failed, 10, 2);  // places are spread evenly from a random one on
}

}  // namespace
}  // namespace gatehouse::test
