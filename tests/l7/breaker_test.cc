// Ejection, limits and panic: who gets no requests, and which requests get nobody.
#include <gtest/gtest.h>

#include "l7/backend/ejection.h"
#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

TEST(Ejection, ABackendThatFailsInARowGetsNoRequestsForAWhile) {
  for (const Manner manner : {Manner::kBusy, Manner::kResets}) {
    ResilienceSite site;
    Hostile& bad = site.add(manner);
    Hostile& good = site.add(Manner::kAnswers);
    site.config.pools[0].retry.attempts = 1;
    site.config.pools[0].ejection.failures = 3;
    site.config.pools[0].ejection.time = Duration(200);
    site.apply();
    ASSERT_TRUE(site.until([&] { return site.ask(get("/")).status && l7::ejections_of(site.cell(0)) == 1; }));
    EXPECT_EQ(bad.requests.size(), 3u);
    bad.manner = Manner::kAnswers;
    EXPECT_TRUE(site.until([&] { return site.ask(get("/")).status == 200 && bad.requests.size() > 3; }))
        << "and comes back";
    EXPECT_EQ(site.cell(0).failures_in_a_row.load(), 0u);
    EXPECT_GT(good.requests.size(), 3u);
  }
}

// Two backends, of which the first is out.
struct EjectedSite : ResilienceSite {
  void put_out() {
    config.pools[0].retry.attempts = 1;
    config.pools[0].ejection.failures = 3;
    config.pools[0].ejection.time = Duration(50);
    apply();
    ASSERT_TRUE(until([&] { return ask(get("/")).status && l7::ejections_of(cell(0)) == 1; }));
    ASSERT_EQ(bad.requests.size(), 3u);
  }
  bool is_time_over() { return l7::board_time(loop.now()) >= cell(0).ejected_until_ms; }

  Hostile& bad = add(Manner::kBusy);
  Hostile& good = add(Manner::kAnswers);
};

TEST(Ejection, EndsWithOneRequestThatIsAnswered) {
  EjectedSite site;
  site.put_out();
  site.bad.manner = Manner::kHangs;
  ASSERT_TRUE(site.until([&] { return site.is_time_over(); }));
  site.cell(0).ejected_until_ms = l7::board_time(site.loop.now());
  site.config.pools[0].ejection.time = Duration(60'000);  // and so long is a trial waited for
  site.config.pools[0].ejection.max_time = Duration(60'000);
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  ASSERT_TRUE(site.until([&] { return site.bad.requests.size() == 4; }));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(site.bad.requests.size(), 4u) << "no other is risked";
  site.bad.manner = Manner::kAnswers;
  site.bad.server->connections.back()->send(kFine);
  EXPECT_EQ(site.next_reply(*client).status, 200);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(site.bad.requests.size(), 7u) << "it takes turns again";
}

TEST(Ejection, AFailedTrialIsTheNextEjection) {
  EjectedSite site;
  site.put_out();
  ASSERT_TRUE(site.until([&] { return site.ask(get("/")).status && l7::ejections_of(site.cell(0)) == 2; }));
  EXPECT_EQ(site.bad.requests.size(), 4u);
}

TEST(Ejection, WhereBackendsAreCheckedNoRequestIsRisked) {
  EjectedSite site;
  site.config.pools[0].health.path = "/healthz";
  site.config.pools[0].health.interval = Duration(60'000);
  site.put_out();
  ASSERT_TRUE(site.until([&] { return site.is_time_over(); }));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(site.bad.requests.size(), 3u);
  site.bad.manner = Manner::kAnswers;
  ASSERT_TRUE(l7::readmit_by_check(site.cell(0), site.loop.now()));  // as the supervisor does
  site.board->bump_version();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(site.bad.requests.size(), 6u);
}

// What other workers saw counts too: it is in the same cells, and so much that what this one sees does not matter.
TEST(Ejection, ComparesWhatAllWorkersSaw) {
  ResilienceSite site;
  for (int i = 0; i < 3; ++i) site.add(Manner::kAnswers);
  site.config.pools[0].ejection.interval = Duration(100);
  site.apply();
  l7::PoolCell& pool = *site.board->pool(l7::pool_key("main"));
  ASSERT_TRUE(site.until([&] { return site.ask(get("/")).status == 200 && pool.judged_ms != 0; }));
  for (std::size_t i = 0; i < 3; ++i) {
    for (int n = 0; n < 100'000; ++n) site.cell(i).window.add(i == 1 && n % 2 == 0);
  }
  EXPECT_TRUE(site.until([&] { return site.ask(get("/")).status == 200 && l7::is_ejected(site.cell(1)); }));
  EXPECT_EQ(site.cell(1).ejected_for.load(), l7::EjectionReason::kSuccessRate);
  EXPECT_EQ(l7::ejections_of(site.cell(0)) + l7::ejections_of(site.cell(2)), 0u);
}

TEST(Ejection, MayLeaveAnswersOfTheServerAlone) {
  ResilienceSite site;
  site.add(Manner::kBusy);
  site.add(Manner::kAnswers);
  site.config.pools[0].ejection.failures = 2;
  site.config.pools[0].ejection.counts_5xx = false;
  site.apply();
  for (int i = 0; i < 10; ++i) site.ask(get("/"));
  EXPECT_EQ(l7::ejections_of(site.cell(0)), 0u);
  EXPECT_EQ(site.cell(0).failures.load(), 5u);
}

TEST(Ejection, NeverTakesMoreThanItsShareOfThePool) {
  ResilienceSite site;
  for (int i = 0; i < 5; ++i) site.add(Manner::kBusy);
  site.config.pools[0].ejection.failures = 1;
  site.config.pools[0].ejection.max_share = 40;
  site.apply();
  for (int i = 0; i < 30; ++i) EXPECT_EQ(site.ask(get("/")).status, 503);
  std::uint64_t ejected = 0;
  for (std::size_t i = 0; i < 5; ++i) ejected += l7::ejections_of(site.cell(i));
  EXPECT_EQ(ejected, 2u);
}

class Limit : public testing::Test {
 protected:
  // Sends `count` requests that hang, one after the other, and returns how many have been answered 503.
  std::size_t refused_of(std::size_t count) {
    site.apply();
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(site.connect());
      clients.back()->send(get("/"));
    }
    site.until([&] { return seen() + refused() == count; });
    return refused();
  }
  std::size_t seen() const {
    std::size_t sum = 0;
    for (const Hostile* each : backends) sum += each->requests.size();
    return sum;
  }
  std::size_t refused() const {
    std::size_t sum = 0;
    for (const auto& client : clients) sum += client->received().starts_with("HTTP/1.1 503");
    return sum;
  }

  ResilienceSite site;
  std::vector<Hostile*> backends{&site.add(Manner::kHangs), &site.add(Manner::kHangs)};
  config::Limits& limits = site.config.pools[0].limits;
  std::vector<std::unique_ptr<RawSocket>> clients;
};

TEST_F(Limit, OfRequestsInThePoolHolds) {
  limits.max_requests = 5;
  EXPECT_EQ(refused_of(9), 4u);
  EXPECT_EQ(site.counts().requests_over_limit.load(), 4u);
  for (const auto& client : clients) {
    if (client->received().empty()) continue;
    EXPECT_EQ(site.next_reply(*client).field("X-Gatehouse-Reason"), "over-limit");
  }
  for (const auto& client : clients) client->reset();
  EXPECT_TRUE(site.until([&] { return site.counts().connections == 0; }));
  EXPECT_EQ(l7::sum_of(site.board->pool(l7::pool_key("main"))->requests), 0u) << "all places are free again";
}

TEST_F(Limit, OfRequestsOnABackendSendsThemToOthersFirst) {
  limits.max_backend_requests = 3;
  EXPECT_EQ(refused_of(9), 3u);
  for (const Hostile* each : backends) EXPECT_EQ(each->requests.size(), 3u);
}

TEST_F(Limit, OfConnectionsToABackendHolds) {
  limits.max_backend_connections = 2;
  EXPECT_EQ(refused_of(9), 5u);
  for (const Hostile* each : backends) EXPECT_EQ(each->server->connections.size(), 2u);
  for (const auto& client : clients) client->reset();
  EXPECT_TRUE(site.until(
      [&] { return l7::sum_of(site.cell(0).connections) + l7::sum_of(site.cell(1).connections) == 0; }));
}

// What other workers have counts as well: theirs are other places of the same cells.
TEST_F(Limit, CountsAllWorkersOfTheNode) {
  limits.max_backend_requests = 3;
  site.cell(0).in_flight[7] = 2;
  site.cell(1).in_flight[9] = 3;
  EXPECT_EQ(refused_of(4), 3u);
  EXPECT_EQ(backends[0]->requests.size(), 1u);
  EXPECT_EQ(backends[1]->requests.size(), 0u);
}

TEST_F(Limit, AnswersGrpcInItsOwnTerms) {
  limits.max_requests = 1;
  site.apply();
  const auto waiting = site.connect();
  waiting->send(get("/"));
  ASSERT_TRUE(site.until([&] { return seen() == 1; }));
  const auto client = site.connect_h2();
  const H2Message& answer =
      site.ended(*client, client->post("/a.B/C", "x", {{"content-type", "application/grpc"}}));
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.field("grpc-status"), "14");
}

TEST(LimitOfPending, CountsRequestsWithoutAConnection) {
  ResilienceSite site;
  Endpoint address;
  const Fd full = listen_on_loopback(address, 0);
  std::vector<std::unique_ptr<RawSocket>> waiting;  // what the queue takes; the kernel drops further openings
  for (int i = 0; i < 4; ++i) waiting.push_back(std::make_unique<RawSocket>(site.loop, address));
  site.config.pools[0].backends.push_back({address});
  site.config.pools[0].connect_timeout = Duration(60'000);
  site.config.pools[0].limits.max_pending = 1;
  site.apply();
  const auto first = site.connect();
  first->send(get("/"));
  l7::PoolCell* cell = site.board->pool(l7::pool_key("main"));
  ASSERT_TRUE(site.until([&] { return l7::sum_of(cell->pending) == 1; }));
  EXPECT_EQ(site.ask(get("/")).field("X-Gatehouse-Reason"), "over-limit");
  first->reset();
  EXPECT_TRUE(site.until([&] { return l7::sum_of(cell->pending) == 0; }));
}

struct PanicRow {
  const char* choice;
  std::uint32_t below;
  int healthy;  // of 4; a fifth is drained
  int answered;
};

TEST(Panic, IsTheChoiceOfThePool) {
  const PanicRow rows[] = {{"refuse", 0, 1, 1},  {"refuse", 0, 0, 0},  {"refuse", 50, 1, 0},
                           {"refuse", 50, 2, 2}, {"use-all", 0, 0, 4}, {"use-all", 50, 1, 4},
                           {"use-all", 50, 2, 2}};
  for (const PanicRow& row : rows) {
    ResilienceSite site;
    std::vector<Hostile*> backends;
    for (int i = 0; i < 5; ++i) backends.push_back(&site.add(Manner::kAnswers));
    site.config.pools[0].backends[4].weight = 0;
    site.config.pools[0].panic = row.choice;
    site.config.pools[0].panic_below = row.below;
    site.apply();
    for (int i = row.healthy; i < 4; ++i) site.cell(static_cast<std::size_t>(i)).is_healthy = 0;
    site.board->bump_version();
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(site.ask(get("/")).status, row.answered ? 200 : 503) << row.choice << row.healthy;
    int used = 0;
    for (const Hostile* each : backends) used += !each->requests.empty();
    EXPECT_EQ(used, row.answered) << row.choice << " " << row.below << " " << row.healthy;
    EXPECT_TRUE(backends[4]->requests.empty()) << "one that is drained stays so";
  }
}

TEST(Panic, MayHaveAnAnswerOfThePools) {
  H2Site site;
  auto& pool = site.config.pools[0];
  pool.backends = {{*Endpoint::parse("127.0.0.1:9")}};
  pool.panic = "answer";
  pool.panic_answer = config::PanicAnswer{.status = 200, .content_type = "text/html", .body = "<p>" + std::string(200'000, 'x')};
  site.apply();
  site.board->backend(l7::backend_key("main", pool.backends[0].address))->is_healthy = 0;
  site.board->bump_version();
  const Reply reply = site.ask(get("/"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.field("Content-Type"), "text/html");
  EXPECT_EQ(reply.body, pool.panic_answer->body);
  EXPECT_EQ(site.ask(get("/")).body.size(), pool.panic_answer->body.size());
}

}  // namespace
}  // namespace gatehouse::test
