// What a route says in place of its pool and its listener: times, bodies, tries.
#include <gtest/gtest.h>

#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

std::string post(std::size_t size) {
  return "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
         std::string(size, 'x');
}

struct Site : ResilienceSite {
  config::Route& route() { return config.routes[0]; }
};

TEST(RouteTerms, AnAnswerThatDoesNotBeginInTimeIsNotWaitedFor) {
  Site site;
  site.add(Manner::kHangs);
  site.route().response_timeout = Duration(30);
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 504);
  EXPECT_EQ(site.counts().request_timeouts.load(), 0u);
}

TEST(RouteTerms, TheTimeOfAPoolHoldsWhereTheRouteHasNone) {
  Site site;
  site.add(Manner::kHangs);
  site.config.pools[0].response_timeout = Duration(30);
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 504);
}

// Every try has begun in time; all of them together have not.
TEST(RouteTerms, ARequestHasItsTimeWithAllItsTries) {
  for (const bool is_of_route : {true, false}) {
    Site site;
    site.add(Manner::kHangs);
    site.add(Manner::kHangs);
    site.config.pools[0].retry.try_timeout = Duration(60);
    (is_of_route ? site.route().request_timeout : site.config.listeners[0].request_timeout) = Duration(90);
    site.apply();
    const auto begun = EventLoop::Clock::now();
    EXPECT_EQ(site.ask(get("/")).status, 504);
    EXPECT_GE(EventLoop::Clock::now() - begun, Duration(90));
    EXPECT_EQ(site.counts().request_timeouts.load(), 1u);
  }
}

TEST(RouteTerms, AnAnswerThatGoesOnBeyondTheTimeBreaksOff) {
  Site site;
  site.add_raw_server(
      [](RawSocket& backend) { backend.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun"); });
  site.route().request_timeout = Duration(50);
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_TRUE(client->received().ends_with("begun"));
  EXPECT_EQ(site.counts().request_timeouts.load(), 1u);
}

TEST(RouteTerms, ABodyMayBeLongerOrMustBeShorterThanTheListenerSays) {
  Site site;
  Hostile& backend = site.add(Manner::kAnswers);
  site.config.listeners[0].max_body.bytes = 100;
  site.route().max_body.bytes = 1'000;
  site.apply();
  EXPECT_EQ(site.ask(post(1'000)).status, 200);
  EXPECT_EQ(site.ask(post(1'001)).status, 413);
  site.route().max_body.bytes = 10;
  site.apply();
  EXPECT_EQ(site.ask(post(11)).status, 413);
  const std::string chunked =
      "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n";
  EXPECT_EQ(site.ask(chunked).status, 413);
  EXPECT_EQ(site.ask(post(10)).status, 200);
  EXPECT_EQ(backend.requests.size(), 2u);
}

TEST(RouteTerms, ItsTriesAreInPlaceOfThePools) {
  for (const std::uint32_t attempts : {1u, 2u}) {
    Site site;
    Hostile& busy = site.add(Manner::kBusy);
    Hostile& good = site.add(Manner::kAnswers);
    site.config.pools[0].retry.attempts = 3 - attempts;
    site.config.pools[0].retry.status = {503};
    config::RouteRetry& retry = site.route().retry.emplace();
    retry.attempts = attempts;
    retry.status = {503};
    site.apply();
    EXPECT_EQ(site.ask(get("/")).status, attempts == 1 ? 503 : 200);
    EXPECT_EQ(busy.requests.size(), 1u);
    EXPECT_EQ(good.requests.size(), attempts - 1);
  }
}

TEST(RouteTerms, ItsTryTimeEndsATry) {
  Site site;
  site.add(Manner::kHangs);
  site.add(Manner::kAnswers);
  config::RouteRetry& retry = site.route().retry.emplace();
  retry.try_timeout = Duration(30);
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 200);
}

}  // namespace
}  // namespace gatehouse::test
