// Clients that stay with a backend: by a cookie of ours, or by the hash of something that they send.
#include <gtest/gtest.h>

#include "l7/cookie_seal.h"
#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

// Four servers "a" to "d", each with its name in X-Backend.
struct AffinitySite : H2Site {
  AffinitySite() {
    for (const char* name : {"a", "b", "c", "d"}) add_server(name);
    config.pools[0].ejection.failures = 0;
    worker->set_cookie_keys({l7::derive_cookie_key(std::string(32, 's')), std::nullopt});
  }
  void have_affinity() {
    config.pools[0].affinity = config::OwnCookie{"gh-backend", Duration(60'000)};
    apply();
  }
  l7::BackendCell& cell(const std::string& name) {
    const auto& backend = config.pools[0].backends[static_cast<std::size_t>(name[0] - 'a')];
    return *board->backend(l7::backend_key("main", backend.address));
  }
  void set(const std::string& name, l7::BackendState state) {
    cell(name).state = state;
    board->bump_version();
  }
  std::uint64_t moves() { return board->worker(0).affinity_moves; }
};

struct Visitor {
  std::string cookie;
  int cookies = 0;

  std::string visit(AffinitySite& site, const std::string& path = "/healthz") {
    const Reply reply = site.ask(get(path, cookie.empty() ? "" : "Cookie: x=y; " + cookie + "\r\n"));
    if (reply.has_field("Set-Cookie")) {
      ++cookies;
      cookie = reply.field("Set-Cookie").substr(0, reply.field("Set-Cookie").find(';'));
    }
    return reply.field("X-Backend");
  }
};

TEST(Affinity, AClientStaysWithTheBackendThatItGot) {
  AffinitySite site;
  site.have_affinity();
  Visitor visitors[5];
  for (Visitor& visitor : visitors) {
    const std::string home = visitor.visit(site);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(visitor.visit(site), home);
    EXPECT_EQ(visitor.cookies, 1);
  }
  EXPECT_EQ(site.moves(), 0u);
}

TEST(Affinity, OnADownOrDrainingBackendItMovesOnceAndStaysThere) {
  AffinitySite site;
  site.have_affinity();
  Visitor visitor;
  const std::string first = visitor.visit(site);
  site.cell(first).is_healthy = 0;
  site.board->bump_version();
  const std::string second = visitor.visit(site);
  EXPECT_NE(second, first);
  EXPECT_EQ(visitor.cookies, 2);
  site.cell(first).is_healthy = 1;
  site.board->bump_version();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(visitor.visit(site), second);
  site.set(second, l7::BackendState::kDraining);
  const std::string third = visitor.visit(site);
  EXPECT_NE(third, second);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(visitor.visit(site), third);
  EXPECT_EQ(visitor.cookies, 3);
  EXPECT_EQ(site.moves(), 2u);
}

TEST(Affinity, OneThatLeftTheConfigIsReplaced) {
  AffinitySite site;
  site.have_affinity();
  Visitor visitor;
  const std::string first = visitor.visit(site);
  auto& backends = site.config.pools[0].backends;
  backends.erase(backends.begin() + (first[0] - 'a'));
  site.apply();
  const std::string second = visitor.visit(site);
  EXPECT_NE(second, first);
  EXPECT_EQ(visitor.visit(site), second);
  EXPECT_EQ(site.board->worker(0).forged_cookies.load(), 0u);
}

TEST(Affinity, AFullBackendSendsARequestElsewhereAndKeepsItsClient) {
  AffinitySite site;
  site.config.pools[0].limits.max_backend_requests = 1;
  site.have_affinity();
  Visitor visitor;
  const std::string home = visitor.visit(site);
  site.cell(home).in_flight[9] = 1;
  EXPECT_NE(visitor.visit(site), home);
  EXPECT_EQ(visitor.cookies, 1);
  site.cell(home).in_flight[9] = 0;
  EXPECT_EQ(visitor.visit(site), home);
  EXPECT_EQ(site.moves(), 0u);
}

TEST(Affinity, AClientCannotChooseABackend) {
  AffinitySite site;
  site.have_affinity();
  Visitor visitor;
  visitor.visit(site);
  visitor.cookie = "gh-backend=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  visitor.visit(site);
  EXPECT_EQ(visitor.cookies, 2);
  EXPECT_EQ(site.board->worker(0).forged_cookies.load(), 1u);
}

TEST(Affinity, WhatWeAnswerOurselvesBindsNobody) {
  AffinitySite site;
  site.have_affinity();
  for (const char* name : {"a", "b", "c", "d"}) site.cell(name).is_healthy = 0;
  site.board->bump_version();
  const Reply reply = site.ask(get("/healthz"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_FALSE(reply.has_field("Set-Cookie"));
}

TEST(Affinity, ComesWithTheBackendThatAnsweredAfterRetriesAndOverHttp2) {
  AffinitySite site;
  site.config.pools[0].retry.status = {503};
  site.config.pools[0].backends.resize(2);
  site.have_affinity();
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->get("/healthz"));
  EXPECT_EQ(answer.status(), 200);
  const std::string cookie = std::string(answer.field("set-cookie"));
  Visitor visitor{cookie.substr(0, cookie.find(';'))};
  EXPECT_EQ(visitor.visit(site), answer.field("x-backend"));
  EXPECT_EQ(visitor.cookies, 0);
}

struct HashRow {
  const char* name;
  config::Hash hash;
  std::string field, other;  // that tell clients apart; %: the client's number
};

TEST(HashedRequests, FollowWhatThePoolLooksAt) {
  const HashRow rows[] = {{"header", {.header = "X-User"}, "X-User: %\r\n", "X-Other: %\r\n"},
                          {"cookie", {.cookie = "sid"}, "Cookie: a=b; sid=%\r\n", "Cookie: a=%\r\n"}};
  for (const HashRow& row : rows) {
    AffinitySite site;
    site.config.pools[0].policy = "maglev";
    site.config.pools[0].hash = row.hash;
    site.apply();
    const auto ask = [&](std::string field, int number) {
      field.replace(field.find('%'), 1, std::to_string(number));
      return site.ask(get("/healthz", field)).field("X-Backend");
    };
    std::set<std::string> used;
    for (int number = 0; number < 20; ++number) {
      const std::string home = ask(row.field, number);
      used.insert(home);
      EXPECT_EQ(ask(row.field, number), home) << row.name;
    }
    EXPECT_GE(used.size(), 3u) << row.name;
    EXPECT_NE(ask(row.other, 1), ask(row.other, 1)) << "without it they take turns";
  }
}

TEST(HashedRequests, FollowPathQueryAndClient) {
  for (const char* kind : {"path", "query", "client"}) {
    AffinitySite site;
    site.config.pools[0].policy = "ring-hash";
    config::Hash& hash = site.config.pools[0].hash.emplace();
    hash.path = kind == std::string("path");
    hash.client = kind == std::string("client");
    if (kind == std::string("query")) hash.query = "user";
    site.config.listeners[0].trusted_proxies = {*IpPrefix::parse("127.0.0.0/8")};
    site.apply();
    std::set<std::string> used;
    for (int number = 0; number < 20; ++number) {
      const std::string text = std::to_string(number);
      const std::string target = kind == std::string("path")    ? "/bytes/" + text
                                 : kind == std::string("query") ? "/healthz?x=1&user=" + text + "&y=%"
                                                                : "/healthz";
      const std::string fields =
          "X-Forwarded-For: 192.0.2." + (kind == std::string("client") ? text : "1") + "\r\n";
      const std::string home = site.ask(get(target, fields)).field("X-Backend");
      used.insert(home);
      EXPECT_EQ(site.ask(get(target, fields)).field("X-Backend"), home) << kind;
    }
    EXPECT_GE(used.size(), 3u) << kind;
  }
}

}  // namespace
}  // namespace gatehouse::test
