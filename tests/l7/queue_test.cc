// Requests that wait in front of a pool whose backends are full.
#include <gtest/gtest.h>

#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

// One backend with one place, which a first request holds until release().
class Queue : public testing::Test {
 protected:
  void SetUp() override {
    config::Pool& pool = site.config.pools[0];
    pool.limits.max_backend_requests = 1;
    pool.queue.limit = 10;
    pool.queue.timeout = Duration(60'000);
    for (const char* name : {"critical", "sheddable"}) {
      config::Route& route = site.config.routes.emplace_back();
      route.name = route.priority_class = name;
      route.path_prefix = "/" + route.name;
      route.pool = "main";
    }
  }
  void hold_the_place() {
    site.apply();
    holder = site.connect();
    holder->send(get("/held"));
    ++asked;
    ASSERT_TRUE(site.until([this] { return backend.requests.size() == 1; }));
  }
  // The held request is answered, and all others at once from now on.
  void release() {
    backend.manner = Manner::kAnswers;
    backend.server->connections.back()->send(kFine);
    EXPECT_EQ(site.next_reply(*holder).status, 200);
  }
  RawSocket& wait(const std::string& path) {
    clients.push_back(site.connect());
    clients.back()->send(get(path));
    const std::uint64_t expected = ++asked;
    EXPECT_TRUE(site.until([&] { return site.counts().requests == expected; }));
    return *clients.back();
  }
  std::vector<std::string> paths_seen() const {
    std::vector<std::string> paths;
    for (const std::string& request : backend.requests)
      paths.push_back(request.substr(4, request.find(' ', 4) - 4));
    return paths;
  }
  std::uint64_t queued() { return l7::sum_of(cell().queued); }
  l7::PoolCell& cell() { return *site.board->pool(l7::pool_key("main")); }

  LogPipe log;  // outlives the worker, which writes to the end
  ResilienceSite site;
  Hostile& backend = site.add(Manner::kHangs);
  std::unique_ptr<RawSocket> holder;
  std::vector<std::unique_ptr<RawSocket>> clients;
  std::uint64_t asked = 0;
};

TEST_F(Queue, IsServedInOrderAsSoonAsAPlaceIsFree) {
  hold_the_place();
  for (const char* path : {"/1", "/2", "/3"}) wait(path);
  EXPECT_EQ(queued(), 3u);
  EXPECT_EQ(backend.requests.size(), 1u);
  release();
  for (const auto& client : clients) EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_EQ(paths_seen(), (std::vector<std::string>{"/held", "/1", "/2", "/3"}));
  EXPECT_EQ(queued(), 0u);
  EXPECT_EQ(site.counts().queued_requests, 3u);
  EXPECT_EQ(site.counts().requests_over_limit, 0u);
}

TEST_F(Queue, LetsDearerClassesGoFirst) {
  hold_the_place();
  for (const char* path : {"/sheddable", "/1", "/critical", "/2"}) wait(path);
  release();
  for (const auto& client : clients) EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_EQ(paths_seen(), (std::vector<std::string>{"/held", "/critical", "/1", "/2", "/sheddable"}));
}

TEST_F(Queue, WorksForEveryLimit) {
  for (const int kind : {0, 1, 2}) {
    ResilienceSite site;
    Hostile& backend = site.add(Manner::kHangs);
    config::Pool& pool = site.config.pools[0];
    pool.queue.limit = 1;
    (kind == 0   ? pool.limits.max_requests
     : kind == 1 ? pool.limits.max_backend_requests
                 : pool.limits.max_backend_connections) = 1;
    site.apply();
    const auto holder = site.connect(), waiting = site.connect();
    holder->send(get("/"));
    ASSERT_TRUE(site.until([&] { return backend.requests.size() == 1; }));
    waiting->send(get("/"));
    ASSERT_TRUE(site.until([&] { return site.counts().queued_requests == 1; })) << kind;
    backend.manner = Manner::kAnswers;
    backend.server->connections.back()->send(kFine);
    EXPECT_EQ(site.next_reply(*waiting).status, 200) << kind;
    EXPECT_EQ(l7::sum_of(site.board->pool(l7::pool_key("main"))->requests), 0u);
  }
}

TEST_F(Queue, ThatIsFullIsAnswered503AtOnce) {
  site.config.pools[0].queue.limit = 2;
  hold_the_place();
  wait("/1");
  wait("/2");
  const Reply refused = site.next_reply(wait("/3"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("X-Gatehouse-Reason"), "queue-full");
  EXPECT_EQ(site.counts().queue_overflows, 1u);
  release();
  EXPECT_EQ(site.next_reply(*clients[0]).status, 200);
  EXPECT_EQ(site.next_reply(*clients[1]).status, 200);
}

TEST_F(Queue, ThatIsFullTurnsOutACheaperOneForADearerOne) {
  site.config.pools[0].queue.limit = 3;
  hold_the_place();
  for (const char* path : {"/sheddable/1", "/sheddable/2", "/1", "/2"}) wait(path);
  EXPECT_EQ(site.next_reply(*clients[1]).field("X-Gatehouse-Reason"), "queue-full")
      << "who came last of the cheapest";
  wait("/critical");
  EXPECT_EQ(site.next_reply(*clients[0]).status, 503);
  EXPECT_EQ(site.next_reply(wait("/sheddable/3")).status, 503) << "there is none cheaper";
  EXPECT_EQ(queued(), 3u);
  release();
  for (const std::size_t i : {2, 3, 4}) EXPECT_EQ(site.next_reply(*clients[i]).status, 200);
  EXPECT_EQ(paths_seen(), (std::vector<std::string>{"/held", "/critical", "/1", "/2"}));
}

TEST_F(Queue, IsLeftWhenTheTimeIsOver) {
  site.worker->set_access_log(std::move(log.writing));
  site.config.pools[0].queue.timeout = Duration(50);
  hold_the_place();
  const Reply late = site.next_reply(wait("/1"));
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.field("X-Gatehouse-Reason"), "queue-timeout");
  EXPECT_EQ(site.counts().queue_timeouts, 1u);
  EXPECT_EQ(queued(), 0u);
  EXPECT_EQ(backend.requests.size(), 1u);
  std::vector<nlohmann::json> lines;
  ASSERT_TRUE(site.until([&] { return !(lines = log.lines()).empty(); }));
  EXPECT_EQ(lines[0]["reason"], "queue-timeout");
  EXPECT_GE(lines[0].value("queued_ms", 0), 40);
  EXPECT_EQ(lines[0]["attempts"], 0);
}

TEST_F(Queue, IsLeftByClientsThatGo) {
  hold_the_place();
  wait("/1").reset();
  wait("/2");
  EXPECT_TRUE(site.until([this] { return queued() == 1; }));
  const auto h2 = site.connect_h2();
  const std::int32_t stream = h2->get("/3");
  ASSERT_TRUE(site.until([this] { return queued() == 2; }));
  h2->reset(stream, NGHTTP2_CANCEL);
  EXPECT_TRUE(site.until([this] { return queued() == 1; }));
  release();
  EXPECT_EQ(site.next_reply(*clients[1]).status, 200);
  EXPECT_EQ(paths_seen(), (std::vector<std::string>{"/held", "/2"}));
}

TEST_F(Queue, AnswersGrpcInItsOwnTerms) {
  site.config.pools[0].queue.timeout = Duration(50);
  hold_the_place();
  const auto client = site.connect_h2();
  const H2Message& late =
      site.ended(*client, client->post("/a.B/C", "x", {{"content-type", "application/grpc"}}));
  EXPECT_EQ(late.field("grpc-status"), "14");
  const H2Message& expired = site.ended(
      *client, client->post("/a.B/C", "x", {{"content-type", "application/grpc"}, {"grpc-timeout", "20m"}}));
  EXPECT_EQ(expired.field("grpc-status"), "4") << "its own time was over first";
}

TEST_F(Queue, StaysOverAReload) {
  hold_the_place();
  wait("/1");
  site.config.pools[0].connect_timeout = Duration(1'234);
  site.apply();
  wait("/2");
  EXPECT_EQ(queued(), 2u);
  release();
  for (const auto& client : clients) EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_EQ(paths_seen(), (std::vector<std::string>{"/held", "/1", "/2"}));
}

TEST_F(Queue, FindsPlacesThatOtherWorkersFreed) {
  site.cell(0).in_flight[7] = 1;
  site.apply();
  wait("/0");
  ASSERT_TRUE(site.until([this] { return queued() == 1; }));
  backend.manner = Manner::kAnswers;
  site.cell(0).in_flight[7] = 0;
  EXPECT_EQ(site.next_reply(*clients[0]).status, 200);
}

TEST_F(Queue, CountsThoseWhoWaitAtOtherWorkers) {
  hold_the_place();
  cell().queued[7] = 10;
  EXPECT_EQ(site.next_reply(wait("/1")).field("X-Gatehouse-Reason"), "queue-full");
}

// The other worker never moves: places are left to it one at a time, and not for ever.
TEST_F(Queue, LeavesAPlaceToAnotherWorkersOlderTicketNowAndThen) {
  hold_the_place();
  site.board->take_place(7);
  const auto old = static_cast<std::uint32_t>(l7::board_time(site.loop.now()) - 60'000) & ((1u << 30) - 1);
  cell().foremost[7] = 2u << 30 | old;
  for (const char* path : {"/1", "/2", "/3"}) wait(path);
  const auto freed = site.loop.now();
  backend.manner = Manner::kAnswers;
  backend.server->connections.back()->send(kFine);
  ASSERT_TRUE(site.until([this] { return backend.requests.size() > 1; }));
  EXPECT_GE(site.loop.now() - freed, 2 * EventLoop::kTick) << "so long it was left to the other";
  for (const auto& client : clients) EXPECT_EQ(site.next_reply(*client).status, 200);
}

}  // namespace
}  // namespace gatehouse::test
