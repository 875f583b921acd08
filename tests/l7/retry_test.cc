// Retries: what is tried again, where, how often, and what never is.
#include <gtest/gtest.h>

#include "l7/backend/peak_ewma.h"
#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

std::string with(std::string_view method, std::string_view fields, std::string_view body = "") {
  return std::string(method) + " / HTTP/1.1\r\nHost: a.example\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
std::string attempt_of(const std::string& request) {
  HttpHead head;
  return head.parse(request) == HeadState::kDone ? std::string(head.field("x-attempt-count")) : "";
}

struct Row {
  Manner manner;
  std::string request;
  int status;
  bool is_tried_again;
};

TEST(Retry, OnlyWhatMayBeRepeatedGoesToAnotherBackend) {
  const std::string key = "Idempotency-Key: 7\r\n", body(50'000, 'x');
  const Row rows[] = {
      {Manner::kResets, get("/"), 200, true},
      {Manner::kCloses, get("/"), 200, true},
      {Manner::kBusy, get("/"), 200, true},
      {Manner::kHangs, get("/"), 200, true},
      {Manner::kResets, with("PUT", "", body), 200, true},
      {Manner::kHangs, with("DELETE", ""), 200, true},
      {Manner::kResets, with("POST", key, body), 200, true},
      {Manner::kBusy, with("PATCH", key, "body"), 200, true},
      {Manner::kResets, with("POST", "", "body"), 502, false},
      {Manner::kCloses, with("POST", ""), 502, false},
      {Manner::kBusy, with("POST", "", "body"), 503, false},
      {Manner::kHangs, with("PATCH", "", "body"), 504, false},
      {Manner::kResets, with("PUT", "", std::string(70'000, 'x')), 502, false},
  };
  for (const Row& row : rows) {
    ResilienceSite site;
    Hostile& bad = site.add(row.manner);
    Hostile& good = site.add(Manner::kAnswers);
    config::Retry& retry = site.config.pools[0].retry;
    retry.status = {503};
    if (row.manner == Manner::kHangs) retry.try_timeout = Duration(50);
    site.apply();
    const Reply reply = site.ask(row.request);
    const std::string name =
        row.request.substr(0, 60) + " manner " + std::to_string(static_cast<int>(row.manner));
    EXPECT_EQ(reply.status, row.status) << name;
    ASSERT_EQ(bad.requests.size(), 1u) << name;
    ASSERT_EQ(good.requests.size(), row.is_tried_again ? 1u : 0u) << name;
    EXPECT_EQ(site.counts().retries.load(), row.is_tried_again ? 1u : 0u);
    EXPECT_EQ(attempt_of(bad.requests[0]), "1");
    if (!row.is_tried_again) continue;
    EXPECT_EQ(attempt_of(good.requests[0]), "2");
    const auto body_of = [](const std::string& text) { return text.substr(text.find("\r\n\r\n")); };
    EXPECT_EQ(body_of(good.requests[0]), body_of(bad.requests[0])) << name;
  }
}

TEST(Retry, EachTryIsOnAnotherBackendUntilTheAttemptsAreUsedUp) {
  ResilienceSite site;
  std::vector<Hostile*> all;
  for (int i = 0; i < 5; ++i) all.push_back(&site.add(Manner::kCloses));
  site.config.pools[0].retry.attempts = 4;
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 502);
  std::string attempts;
  for (const Hostile* each : all) attempts += each->requests.empty() ? "-" : attempt_of(each->requests[0]);
  EXPECT_EQ(attempts, "1234-");
}

TEST(Retry, AnAnswerIsPassedOnWhenNobodyElseIsLeft) {
  ResilienceSite site;
  site.add(Manner::kBusy);
  site.add(Manner::kBusy);
  site.config.pools[0].retry.status = {503};
  site.apply();
  const Reply reply = site.ask(get("/"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "busy") << "the backend's own";
}

TEST(Retry, NeverExceedsTheBudgetWhenEverythingFails) {
  for (const Manner manner : {Manner::kResets, Manner::kBusy}) {
    ResilienceSite site;
    Hostile& first = site.add(manner);
    Hostile& second = site.add(manner);
    config::Retry& retry = site.config.pools[0].retry;
    retry.status = {503};
    retry.budget_floor = 0;
    site.apply();
    constexpr std::size_t kRequests = 200;
    for (std::size_t i = 0; i < kRequests; ++i) EXPECT_GE(site.ask(get("/")).status, 502);
    EXPECT_EQ(first.requests.size() + second.requests.size(), kRequests + kRequests / 10);
    EXPECT_EQ(site.counts().retries.load(), kRequests / 10);
    EXPECT_EQ(site.counts().retries_over_budget.load(), kRequests - kRequests / 10);
  }
}

TEST(Retry, TheCountOfATrustedProxyIsRespected) {
  for (const bool is_trusted : {true, false}) {
    ResilienceSite site;
    Hostile& bad = site.add(Manner::kCloses);
    Hostile& good = site.add(Manner::kAnswers);
    if (is_trusted) site.config.listeners[0].trusted_proxies = {*IpPrefix::parse("127.0.0.1")};
    site.apply();
    EXPECT_EQ(site.ask(get("/", "X-Attempt-Count: 3\r\n")).status, is_trusted ? 502 : 200);
    EXPECT_EQ(attempt_of(bad.requests.at(0)), is_trusted ? "3" : "1");
    EXPECT_EQ(good.requests.size(), is_trusted ? 0u : 1u) << "one tier retries";
  }
}

TEST(Retry, OneAttemptIsOneAttempt) {
  ResilienceSite site;
  const RefusingAddress refusing;
  site.config.pools[0].backends.push_back({refusing.address()});
  site.add(Manner::kAnswers);
  site.config.pools[0].retry.attempts = 1;
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 502);
}

TEST(Retry, ABodyInPiecesIsSentAgainWhole) {
  ResilienceSite site;
  Hostile& bad = site.add(Manner::kCloses);
  Hostile& good = site.add(Manner::kAnswers);
  site.apply();
  const auto client = site.connect();
  client->send("PUT / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  ASSERT_TRUE(site.until([&] {
    return !bad.server->connections.empty() &&
           bad.server->connections[0]->received().find("abc") != std::string::npos;
  }));
  bad.server->connections[0]->reset();  // within the request
  ASSERT_TRUE(site.until([&] {
    return !good.server->connections.empty() &&
           good.server->connections[0]->received().find("abc") != std::string::npos;
  }));
  client->send("3\r\ndef\r\n0\r\n\r\n");
  EXPECT_EQ(site.next_reply(*client).status, 200);
  ASSERT_EQ(good.requests.size(), 1u);
  EXPECT_TRUE(good.requests[0].ends_with("3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")) << good.requests[0];
}

TEST(Waits, ForHeadsOfAnswersAreKnownOfEachBackend) {
  ResilienceSite site;
  Hostile& slow = site.add(Manner::kHangs);
  site.add(Manner::kAnswers);
  site.config.pools[0].policy = "peak-ewma";
  site.config.pools[0].retry.try_timeout = Duration(50);
  site.apply();
  EXPECT_TRUE(site.until([&] { return site.ask(get("/")).status == 200 && !slow.requests.empty(); }));
  EXPECT_GE(l7::ewma_us(site.cell(0).peak_ewma), 49'000) << "what it did not answer";
  EXPECT_GT(l7::ewma_us(site.cell(1).peak_ewma), 0);
  const std::size_t known = slow.requests.size();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(slow.requests.size(), known) << "the other answers sooner";
}

TEST(Retry, AKeptConnectionThatIsClosedUnderARequestIsNoFailure) {
  ResilienceSite site;
  Hostile& only = site.add(Manner::kAnswers);
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 5; ++i) {
    only.manner = Manner::kAnswers;
    ASSERT_EQ(site.ask(*client, get("/")).status, 200);
    // Only the kept connection is lost: the next one finds a backend in good order.
    only.server->connections.back()->set_on_bytes([&only](RawSocket& connection) {
      only.requests.push_back(connection.received());
      connection.close();
    });
    EXPECT_EQ(site.ask(*client, i % 2 ? get("/") : with("PUT", "", "body")).status, 200) << i;
  }
  EXPECT_EQ(site.cell(0).failures.load(), 0u);
}

TEST(Retry, ClientsOfHttp2AreServedAlike) {
  ResilienceSite site;
  Hostile& bad = site.add(Manner::kResets);
  Hostile& good = site.add(Manner::kAnswers);
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t id = client->request(
      {{":method", "PUT"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}}, "body");
  EXPECT_EQ(site.ended(*client, id).status(), 200);
  EXPECT_EQ(bad.requests.size(), 1u);
  ASSERT_EQ(good.requests.size(), 1u);
  EXPECT_NE(good.requests[0].find("body"), std::string::npos);
}

// A stream that was refused has not been looked at: whatever its method, it goes elsewhere with its body.
TEST(Retry, ARefusedStreamOfAnyMethodGoesToAnotherBackendWithItsBody) {
  ResilienceSite site;
  site.config.pools[0].protocol = "h2";
  std::vector<H2Message> answered;
  int refused = 0;
  H2Server refuses(site.loop,
                   [&](H2Peer& peer, std::int32_t id) {
                     if (!peer.message(id).is_ended || peer.message(id).is_closed) return;
                     ++refused;
                     peer.reset(id, NGHTTP2_REFUSED_STREAM);
                   },
                   {});
  H2Server answers(site.loop,
                   [&](H2Peer& peer, std::int32_t id) {
                     if (!peer.message(id).is_ended || peer.message(id).is_closed) return;
                     answered.push_back(peer.message(id));
                     peer.respond(id, {{":status", "200"}}, "ok");
                   },
                   {});
  for (const H2Server* server : {&refuses, &answers})
    site.config.pools[0].backends.push_back({server->address()});
  site.apply();
  EXPECT_EQ(site.ask(post("/", "body")).status, 200);
  EXPECT_EQ(refused, 1);
  ASSERT_EQ(answered.size(), 1u);
  EXPECT_EQ(answered[0].body, "body");
  EXPECT_EQ(answered[0].field("x-attempt-count"), "2");
}

TEST(Retry, TheLogSaysHowManyAttemptsThereWere) {
  ResilienceSite site;
  site.add(Manner::kCloses);
  site.add(Manner::kAnswers);
  LogPipe pipe;
  site.worker->set_access_log(std::move(pipe.writing));
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 200);
  std::vector<nlohmann::json> lines;
  site.until([&] { return !(lines = pipe.lines()).empty(); });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["attempts"], 2);
  EXPECT_EQ(lines[0]["status"], 200);
}

TEST(Retry, AClientThatLeavesWhileItWaitsEndsIt) {
  ResilienceSite site;
  Hostile& bad = site.add(Manner::kCloses);
  Hostile& good = site.add(Manner::kAnswers);
  site.config.pools[0].retry.backoff = site.config.pools[0].retry.max_backoff = Duration(60'000);
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  ASSERT_TRUE(site.until([&] { return site.counts().retries == 1; }));
  client->reset();
  EXPECT_TRUE(site.until([&] { return site.counts().connections == 0; }));
  EXPECT_EQ(bad.requests.size(), 1u);
  EXPECT_EQ(good.requests.size(), 0u);
}

}  // namespace
}  // namespace gatehouse::test
