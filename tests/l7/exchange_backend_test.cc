// What an exchange makes of its backends: choice, retry, replay, reuse, and the answers when they fail.
#include <gtest/gtest.h>

#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {
namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// A RawServer's behaviour by connection: the n-th one (from 0) and how often it has sent bytes.
template <typename Behaviour>
RawSocket::OnBytes per_connection(Behaviour behaviour) {
  return
      [behaviour, seen = std::make_shared<std::vector<std::pair<RawSocket*, int>>>()](RawSocket& connection) {
        std::size_t place = 0;
        while (place < seen->size() && (*seen)[place].first != &connection) ++place;
        if (place == seen->size()) seen->push_back({&connection, 0});
        behaviour(connection, place, (*seen)[place].second++);
      };
}

std::uint64_t failures_of(LoopbackWorker& site, std::size_t backend = 0) {
  return site.board->backend(l7::backend_key("main", site.config.pools[0].backends[backend].address))
      ->failures.load();
}

void set_healthy(LoopbackWorker& site, std::size_t backend, bool is_healthy) {
  site.board->backend(l7::backend_key("main", site.config.pools[0].backends[backend].address))->is_healthy =
      is_healthy;
  site.board->bump_version();
}

TEST(BackendChoice, WithoutAHealthyBackendTheAnswerIs503) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.apply();
  set_healthy(site, 0, false);
  const auto client = site.connect();
  const Reply reply = site.ask(*client, get("/bytes/1"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body.find("main"), std::string::npos)
      << "the site's names are not the client's: " << reply.body;
  EXPECT_EQ(backend.requests(), 0u);
  set_healthy(site, 0, true);
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).status, 200) << "on the same connection";
}

TEST(BackendChoice, UnhealthyOnesAndThoseOfNoWeightGetNothing) {
  LoopbackWorker site;
  HttpServer& first = site.add_server("b1");
  HttpServer& second = site.add_server("b2");
  HttpServer& third = site.add_server("b3");
  site.config.pools[0].backends[2].weight = 0;
  site.apply();
  set_healthy(site, 0, false);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(site.ask(get("/bytes/1")).field("X-Backend"), "b2");
  EXPECT_EQ(first.requests() + third.requests(), 0u);
  EXPECT_EQ(second.requests(), 10u);
}

struct BadAnswer {
  const char* name;
  std::string bytes;
  bool is_reset = false;
};

TEST(BackendFailure, WhatIsNoAnswerIs502) {
  const BadAnswer cases[] = {
      {"closes without a word", ""},
      {"resets", "", true},
      {"closes within the head", "HTTP/1.1 200 OK\r\nContent-Le"},
      {"resets within the head", "HTTP/1.1 200 OK\r\nContent-Le", true},
      {"speaks another protocol", "220 mail.example ESMTP\r\n\r\n"},
      {"no status", "HTTP/1.1 OK\r\n\r\n"},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"},
      {"length and chunked",
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx"},
      {"switches protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"},
      {"too large a head", "HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'x') + "\r\n\r\n"},
      {"an endless head", "HTTP/1.1 200 OK\r\nA: " + std::string(300'000, 'x')},
  };
  for (const BadAnswer& row : cases) {
    LoopbackWorker site;
    site.add_raw_server([&row](RawSocket& backend) {
      backend.send(row.bytes);
      row.is_reset ? backend.reset() : backend.end_output();
    });
    site.apply();
    const auto client = site.connect();
    const Reply reply = site.ask(*client, get("/"));
    EXPECT_EQ(reply.status, 502) << row.name;
    EXPECT_FALSE(reply.has_field("Connection")) << row.name << ": the client has done nothing wrong";
    EXPECT_EQ(site.ask(*client, get("/")).status, 502) << row.name;
    EXPECT_EQ(failures_of(site), 2u) << row.name;
    EXPECT_EQ(site.board->worker(0).responses_5xx.load(), 2u) << row.name;
  }
}

TEST(BackendFailure, AnAnswerThatDoesNotComeIs504) {
  LoopbackWorker site;
  site.add_server();
  site.config.pools[0].response_timeout = Duration(80);
  site.apply();
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/delay/60000")).status, 504);
  EXPECT_EQ(failures_of(site), 1u);
  EXPECT_EQ(site.ask(*client, get("/bytes/3")).body.size(), 3u);
}

TEST(BackendFailure, AConnectionThatIsNotMadeInTimeIs504) {
  LoopbackWorker site;
  Endpoint address;
  const Fd full = listen_on_loopback(address, 0);
  std::vector<std::unique_ptr<RawSocket>> waiting;  // what the queue takes; the kernel drops further openings
  for (int i = 0; i < 4; ++i) waiting.push_back(std::make_unique<RawSocket>(site.loop, address));
  site.config.pools[0].backends.push_back({address});
  site.config.pools[0].connect_timeout = Duration(80);
  site.apply();
  const Reply reply = site.ask(get("/"));
  EXPECT_EQ(reply.status, 504) << reply.body;
  site.add_server("b2");
  site.apply();
  EXPECT_EQ(site.ask(post("/", "body")).field("X-Backend"), "b2")
      << "another one is tried: nothing had been sent";
}

TEST(BackendFailure, ABodyThatStopsComingBreaksTheConnection) {
  LoopbackWorker site;
  site.add_raw_server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all");
  site.config.pools[0].response_timeout = Duration(80);
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_TRUE(client->is_reset());
}

TEST(BackendRetry, ARefusedConnectionIsTriedOnAnotherBackend) {
  LoopbackWorker site;
  const RefusingAddress refusing;
  site.config.pools[0].backends.push_back({refusing.address()});
  HttpServer& backend = site.add_server("b2");
  site.apply();
  for (int i = 0; i < 6; ++i) {
    const Reply reply = site.ask(post("/", std::string(100'000, 'x')));
    EXPECT_EQ(reply.field("X-Backend"), "b2") << i;
    EXPECT_NE(reply.body.find("\"length\":100000"), std::string::npos);
  }
  EXPECT_EQ(backend.requests(), 6u);
  EXPECT_EQ(failures_of(site, 0), 1u) << "one refusal is lesson enough for a while";
}

TEST(BackendRetry, WhenAllRefuseTheAnswerIs502) {
  LoopbackWorker site;
  std::vector<std::unique_ptr<RefusingAddress>> refusing;
  for (int i = 0; i < 5; ++i) {
    refusing.push_back(std::make_unique<RefusingAddress>());
    site.config.pools[0].backends.push_back({refusing.back()->address()});
  }
  site.apply();
  const Reply reply = site.ask(get("/"));
  EXPECT_EQ(reply.status, 502);
  EXPECT_EQ(reply.body.find("127.0.0.1"), std::string::npos) << "addresses are for the log: " << reply.body;
}

struct Replay {
  std::string request;
  int status;
};

// The backend closes a connection just when its second request arrives.
TEST(BackendReplay, OnlyWhatMayBeRepeatedIsSentAgain) {
  const Replay cases[] = {{get("/"), 200},
                          {"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n", 200},
                          {"DELETE / HTTP/1.1\r\nHost: a.example\r\n\r\n", 200},
                          {"HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n", 200},
                          {"POST / HTTP/1.1\r\nHost: a.example\r\n\r\n", 502},
                          {"PATCH / HTTP/1.1\r\nHost: a.example\r\n\r\n", 502},
                          {post("/", "body"), 502},
                          {"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody", 200},
                          {"POST / HTTP/1.1\r\nHost: a.example\r\nIdempotency-Key: k\r\nContent-Length: 4\r\n\r\nbody", 200},
                          {"POST / HTTP/1.1\r\nHost: a.example\r\nIdempotency-Key:\r\nContent-Length: 4\r\n\r\nbody", 502}};
  for (const Replay& row : cases) {
    LoopbackWorker site;
    RawServer& backend =
        site.add_raw_server(per_connection([](RawSocket& connection, std::size_t, int request) {
          const bool is_head = connection.received().starts_with("HEAD");
          connection.received().clear();
          if (request > 0) return connection.close();
          connection.send(is_head ? kOk.substr(0, kOk.size() - 2) : kOk);
        }));
    site.apply();
    const auto client = site.connect();
    ASSERT_EQ(site.ask(*client, get("/")).status, 200);
    EXPECT_EQ(site.ask(*client, row.request).status, row.status) << row.request;
    EXPECT_EQ(backend.connections.size(), row.status == 200 ? 2u : 1u) << row.request;
  }
}

TEST(BackendReplay, AnEmptyChunkedBodyEndsAgain) {
  LoopbackWorker site;
  RawServer& backend =
      site.add_raw_server(per_connection([](RawSocket& connection, std::size_t place, int request) {
        if (place == 0 && request > 0) return connection.close();
        if (connection.received().ends_with(place == 0 ? "\r\n\r\n" : "\r\n\r\n0\r\n\r\n"))
          connection.send(kOk);
      }));
  site.apply();
  const auto client = site.connect();
  ASSERT_EQ(site.ask(*client, get("/")).status, 200);
  client->send("PUT / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  ASSERT_TRUE(site.until([&] { return !client->received().empty(); }, Duration(2'000)));
  EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_EQ(backend.connections.size(), 2u);
}

TEST(BackendReplay, NothingIsRepeatedOnceTheAnswerHasBegun) {
  LoopbackWorker site;
  RawServer& backend =
      site.add_raw_server(per_connection([](RawSocket& connection, std::size_t, int request) {
        connection.send(request == 0 ? kOk : "HTTP/1.1 2");
        if (request > 0) connection.end_output();
      }));
  site.apply();
  const auto client = site.connect();
  ASSERT_EQ(site.ask(*client, get("/")).status, 200);
  EXPECT_EQ(site.ask(*client, get("/")).status, 502);
  EXPECT_EQ(backend.connections.size(), 1u);
}

TEST(BackendReplay, AFreshConnectionThatIsLostIsNotTriedAgain) {
  LoopbackWorker site;
  RawServer& backend = site.add_raw_server([](RawSocket& connection) { connection.close(); });
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 502);
  EXPECT_EQ(backend.connections.size(), 1u);
}

TEST(BackendReuse, OneAfterTheOtherUseOneConnection) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.apply();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(site.ask(i % 2 ? get("/bytes/9") : post("/", "body")).status, 200);
  EXPECT_EQ(backend.connections(), 1u);
  EXPECT_EQ(site.ask(get("/close")).status, 200);
  EXPECT_TRUE(site.until([&] { return backend.connections() == 0; }));
  EXPECT_EQ(site.ask(get("/bytes/1")).status, 200);
}

TEST(BackendReuse, NoMoreThanMaxIdleAreKept) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.config.pools[0].max_idle = 2;
  site.config.pools[0].idle_timeout = Duration(300);
  site.apply();
  std::vector<std::unique_ptr<RawSocket>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(site.connect());
    clients.back()->send(get("/delay/50"));
  }
  ASSERT_TRUE(site.until([&] { return backend.connections() == 6; }));
  for (const auto& client : clients) EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_TRUE(site.until([&] { return backend.connections() == 2; }));
  EXPECT_TRUE(site.until([&] { return backend.connections() == 0; })) << "nor longer than idle_timeout";
}

// Bytes after an answer are nobody's: they must not become the answer of the next request.
TEST(BackendReuse, AnswersThatNobodyAskedForAreNotGivenToAnybody) {
  LoopbackWorker site;
  const std::string poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
  const std::string cases[] = {
      std::string(kOk) + poison, std::string("HTTP/1.1 204 No\r\n\r\n") + poison,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poison};
  for (const std::string& bytes : cases) {
    LoopbackWorker own;
    RawServer& backend = own.add_raw_server(bytes);
    own.apply();
    for (int i = 0; i < 3; ++i) EXPECT_NE(own.ask(get("/")).body, "poison") << bytes;
    EXPECT_EQ(backend.connections.size(), 3u) << bytes;
  }
}

// Nothing but the end of the connection comes after the answer: it is known to be closed before it is used
// again, so that even a request which may not be repeated finds a good one.
TEST(BackendReuse, AConnectionThatEndedWithItsAnswerIsNotKept) {
  LoopbackWorker site;
  RawServer& backend = site.add_raw_server([](RawSocket& connection) {
    connection.send(kOk);
    connection.end_output();
  });
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(site.ask(*client, post("/", "body")).status, 200) << i;
  EXPECT_EQ(backend.connections.size(), 5u);
}

TEST(BackendReuse, InFlightIsCountedOnTheBoard) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.apply();
  l7::BackendCell* cell =
      site.board->backend(l7::backend_key("main", site.config.pools[0].backends[0].address));
  const auto client = site.connect();
  client->send(get("/delay/30"));
  ASSERT_TRUE(site.until([&] { return backend.requests() == 1; }));
  EXPECT_EQ(cell->in_flight[0].load(), 1u);
  EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_EQ(cell->in_flight[0].load(), 0u);
  EXPECT_EQ(cell->requests.load(), 1u);
  EXPECT_EQ(cell->failures.load(), 0u);
}

}  // namespace
}  // namespace gatehouse::test
