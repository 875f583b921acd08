// How a client's connection goes on between exchanges: persistence, pipelining, HTTP/1.0, HEAD, its end.
#include <gtest/gtest.h>

#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {
namespace {

TEST(Connection, ServesManyRequestsOneAfterTheOther) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 20; ++i) {
    const Reply reply = site.ask(*client, get("/bytes/" + std::to_string(i * 997)));
    ASSERT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body.size(), static_cast<std::size_t>(i) * 997);
    EXPECT_FALSE(reply.has_field("Connection"));
  }
  EXPECT_FALSE(client->is_ended());
  EXPECT_EQ(backend.requests(), 20u);
  EXPECT_EQ(site.board->worker(0).accepted.load(), 1u);
}

TEST(Connection, AnswersPipelinedRequestsInTheirOrder) {
  LoopbackWorker site;
  site.add_server();
  site.apply();
  const auto client = site.connect();
  std::string requests = get("/delay/30");
  for (int i = 1; i <= 50; ++i) requests += i % 5 == 0 ? get("/nowhere") : get("/bytes/" + std::to_string(i));
  requests += post("/", "the last one has a body");
  client->send(requests);
  EXPECT_EQ(site.next_reply(*client).body, "ok\n");
  for (int i = 1; i <= 50; ++i) {
    const Reply reply = site.next_reply(*client);
    EXPECT_EQ(reply.status, i % 5 == 0 ? 404 : 200) << i;
    EXPECT_TRUE(i % 5 == 0 || reply.body.size() == static_cast<std::size_t>(i)) << i;
  }
  EXPECT_NE(site.next_reply(*client).body.find("\"length\":23"), std::string::npos);
}

TEST(Connection, AnAnswerDoesNotWaitForTheNextExchange) {
  LoopbackWorker site;
  site.add_server();
  site.config.routes[0].path_prefix = "/api";
  site.apply();
  const auto client = site.connect();
  client->send(get("/other") + get("/api/delay/60000"));
  ASSERT_TRUE(site.until([&] { return !client->received().empty(); }, Duration(2'000)));
  EXPECT_EQ(site.next_reply(*client).status, 404);
  client->reset();
  EXPECT_TRUE(site.until([&] { return site.board->worker(0).connections.load() == 0; }));
}

TEST(Connection, ARequestMayComeInAnyPieces) {
  LoopbackWorker site;
  site.add_server();
  site.apply();
  const auto client = site.connect();
  const std::string requests = "\r\n" + get("/bytes/3") + post("/", "body") + get("/bytes/5");
  for (const char c : requests) {
    client->send({&c, 1});
    site.loop.turn(Duration(1));
  }
  EXPECT_EQ(site.next_reply(*client).body.size(), 3u);
  EXPECT_NE(site.next_reply(*client).body.find("\"length\":4"), std::string::npos);
  EXPECT_EQ(site.next_reply(*client).body.size(), 5u);
}

// More answers of our own than any buffer holds, asked for by a client that reads none of them at first.
TEST(Connection, PipeliningNeverOverrunsTheOutput) {
  LoopbackWorker site;
  site.add_server();
  site.config.routes[0].hosts = {"served.example"};
  site.apply();
  const auto client = site.connect(4096);
  client->set_reading(false);
  constexpr int kRequests = 20'000;
  for (int i = 0; i < kRequests; ++i) client->send(get("/"));
  site.until([&] { return site.board->worker(0).requests.load() >= 2'000; }, Duration(1'000));
  client->set_reading(true);
  ASSERT_EQ(site.next_reply(*client).status, 404);
  const std::size_t size = site.ask(get("/")).head.size() + site.ask(get("/")).body.size();
  ASSERT_TRUE(site.until([&] { return client->received().size() >= (kRequests - 1) * size; }));
  EXPECT_EQ(client->received().size(), (kRequests - 1) * size) << "all are of one size";
  EXPECT_TRUE(client->received().ends_with(site.ask(get("/")).body));
  EXPECT_FALSE(client->is_ended());
}

TEST(Connection, HeadHasTheFieldsAndNoBody) {
  LoopbackWorker site;
  site.add_server();
  site.apply();
  const auto client = site.connect();
  const Reply sized = site.ask(*client, "HEAD /bytes/1234 HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_EQ(sized.status, 200);
  EXPECT_EQ(sized.field("Content-Length"), "1234");
  const Reply chunked = site.ask(*client, "HEAD /chunked/1234 HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_EQ(chunked.status, 200);
  EXPECT_EQ(site.ask(*client, get("/bytes/7")).body.size(), 7u) << "the connection is in step";
  EXPECT_EQ(site.ask(*client, "HEAD /nowhere HTTP/1.1\r\nHost: a.example\r\n\r\n").status, 404);
  EXPECT_EQ(site.ask(*client, get("/bytes/8")).body.size(), 8u);
}

TEST(Connection, StatusesWithoutBodyLeaveItInStep) {
  LoopbackWorker site;
  site.add_server();
  site.apply();
  const auto client = site.connect();
  for (const int status : {204, 304, 200, 500, 304, 204}) {
    EXPECT_EQ(site.ask(*client, get("/status/" + std::to_string(status))).status, status);
  }
}

TEST(Connection, ClosesAfterTheAnswerWhenTheClientSaysSo) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.apply();
  const auto client = site.connect();
  client->send(get("/bytes/100000", "Connection: close\r\n") + get("/bytes/1"));
  const Reply reply = site.next_reply(*client);
  EXPECT_EQ(reply.body.size(), 100'000u);
  EXPECT_EQ(reply.field("Connection"), "close");
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_EQ(client->received(), "") << "what comes after a close is not served";
  EXPECT_EQ(backend.requests(), 1u);
}

TEST(Connection, AClientThatEndedItsSideStillGetsItsAnswers) {
  LoopbackWorker site;
  site.add_server();
  site.apply();
  const auto client = site.connect();
  client->send(get("/delay/30") + get("/bytes/500000"));
  client->end_output();
  EXPECT_EQ(site.next_reply(*client).body, "ok\n");
  EXPECT_EQ(site.next_reply(*client).body.size(), 500'000u);
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_FALSE(client->is_reset());
}

struct OldClient {
  const char* fields;
  const char* path;
  bool is_kept;
};

TEST(Connection, Http10IsKeptOnlyWhenAskedAndPossible) {
  const OldClient cases[] = {{"", "/bytes/5000", false},
                             {"Connection: keep-alive\r\n", "/bytes/5000", true},
                             {"Connection: Keep-Alive\r\n", "/nowhere", true},
                             {"Connection: keep-alive\r\n", "/chunked/5000", false}};
  LoopbackWorker site;
  site.add_server();
  site.apply();
  for (const OldClient& row : cases) {
    const auto client = site.connect();
    const std::string request =
        std::string("GET ") + row.path + " HTTP/1.0\r\nHost: a.example\r\n" + row.fields + "\r\n";
    const Reply reply = site.ask(*client, request);
    EXPECT_EQ(reply.field("Connection"), row.is_kept ? "keep-alive" : "close") << request;
    EXPECT_FALSE(reply.has_field("Transfer-Encoding")) << "HTTP/1.0 knows no chunks: " << request;
    EXPECT_TRUE(reply.status == 404 || reply.body.size() == 5'000u) << request;
    if (row.is_kept) {
      EXPECT_EQ(site.ask(*client, request).status, reply.status) << request;
    } else {
      EXPECT_TRUE(site.until([&] { return client->is_ended(); })) << request;
    }
  }
}

TEST(Connection, Http10NeedsNoHost) {
  LoopbackWorker site;
  site.add_server();
  site.apply();
  EXPECT_EQ(site.ask("GET /bytes/5 HTTP/1.0\r\n\r\n").body.size(), 5u);
}

TEST(Connection, AnIdleOneIsClosedAfterItsTime) {
  LoopbackWorker site;
  site.add_server();
  site.config.listeners[0].idle_timeout = Duration(60);
  site.apply();
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).status, 200);
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_FALSE(client->is_reset());
  EXPECT_EQ(client->received(), "") << "an idle client asked nothing and is told nothing";
}

TEST(Connection, OneThatNeverSaysAnythingIsClosedAfterTheTimeOfAHeader) {
  LoopbackWorker site;
  site.config.listeners[0].header_timeout = Duration(60);
  site.add_server();
  site.apply();
  const auto client = site.connect();
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_EQ(client->received(), "");
  EXPECT_EQ(site.board->worker(0).connections.load(), 0u);
}

TEST(Connection, AClientThatLeavesEndsItsExchange) {
  LoopbackWorker site;
  RawServer& backend = site.add_raw_server([](RawSocket&) {});
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  ASSERT_TRUE(site.until(
      [&] { return !backend.connections.empty() && !backend.connections[0]->received().empty(); }));
  client->reset();
  EXPECT_TRUE(site.until([&] { return backend.connections[0]->is_ended(); }))
      << "nobody waits for that answer";
  EXPECT_EQ(site.board->worker(0).connections.load(), 0u);
}

}  // namespace
}  // namespace gatehouse::test
