// Requests that the worker answers itself: what is malformed, too large, too slow, or nobody's.
#include <gtest/gtest.h>

#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {
namespace {

struct Refused {
  const char* name;
  std::string request;
  int status = 400;
};

std::string fields(const std::string& lines, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: a.example\r\n" + lines + "\r\n" + body;
}

// Each is refused, the connection is closed, and neither it nor what follows it reaches a backend.
void expect_refusals(const std::vector<Refused>& cases) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.config.listeners[0].max_header = {4 * 1024};
  site.config.listeners[0].max_uri = {1024};
  site.config.listeners[0].max_header_fields = 20;
  site.apply();
  std::uint64_t expected_requests = 0;
  for (const Refused& row : cases) {
    const auto client = site.connect();
    client->send(row.request + get("/smuggled"));
    const Reply reply = site.next_reply(*client);
    EXPECT_EQ(reply.status, row.status) << row.name;
    EXPECT_EQ(reply.field("Connection"), "close") << row.name;
    EXPECT_TRUE(reply.has_field("X-Request-ID")) << row.name;
    client->end_output();
    EXPECT_TRUE(site.until([&] { return client->is_ended(); })) << row.name;
    EXPECT_EQ(client->received(), "") << row.name;
    EXPECT_FALSE(client->is_reset()) << row.name;
    ASSERT_EQ(site.ask(get("/bytes/1")).status, 200);
    EXPECT_EQ(backend.requests(), ++expected_requests) << row.name;
  }
}

TEST(Refusal, WhatCouldSmuggleARequestIsRefused) {
  expect_refusals({
      {"length and chunked", fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {"chunked and length", fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
      {"two lengths", fields("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")},
      {"two equal lengths", fields("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
      {"a list of lengths", fields("Content-Length: 5, 5\r\n", "hello")},
      {"a signed length", fields("Content-Length: +5\r\n", "hello")},
      {"a negative length", fields("Content-Length: -5\r\n", "hello")},
      {"a length beyond 64 bits", fields("Content-Length: 18446744073709551617\r\n", "x")},
      {"space before the colon", fields("Content-Length : 5\r\n", "hello")},
      {"chunked spelled wrong", fields("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")},
      {"chunked not last", fields("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")},
      {"chunked twice", fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {"chunked in 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"vertical tab in the coding", fields("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n")},
      {"folded line", fields("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")},
      {"bare line feeds", "GET / HTTP/1.1\nHost: a.example\n\n"},
      {"carriage return in a value", fields("A: b\rContent-Length: 5\r\n", "hello")},
      {"nul in a value", fields(std::string("A: b\0c\r\n", 8))},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n"},
      {"no host", "GET / HTTP/1.1\r\n\r\n"},
      {"a host that the target contradicts", "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"},
      {"another coding before chunked", fields("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
  });
}

TEST(Refusal, WhatIsNoRequestIsRefused) {
  expect_refusals({
      {"CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 501},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"HTTP/3.0", "GET / HTTP/3.0\r\nHost: a.example\r\n\r\n", 505},
      {"TLS on a clear port", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15)},
      {"HTTP/0.9", "GET /\r\n\r\n"},
      {"spaces in the target", "GET /a b HTTP/1.1\r\nHost: a.example\r\n\r\n"},
      {"a long target", "GET /" + std::string(1024, 'u') + " HTTP/1.1\r\nHost: a.example\r\n\r\n", 414},
      {"an endless target", "GET /" + std::string(8000, 'u'), 414},
      {"a long field", fields("A: " + std::string(4096, 'v') + "\r\n"), 431},
      {"many fields",
       fields("A: b\r\nC: d\r\nA: b\r\nC: d\r\nA: b\r\nC: d\r\nA: b\r\nC: d\r\nA: b\r\nC: d\r\n"
              "A: b\r\nC: d\r\nA: b\r\nC: d\r\nA: b\r\nC: d\r\nA: b\r\nC: d\r\nA: b\r\nC: d\r\n"),
       431},
  });
}

TEST(Refusal, AMalformedChunkIsAnsweredAndTheBackendsRequestNotCompleted) {
  for (const std::string chunk :
       {"x\r\n", "-1\r\n", "0x5\r\nhello\r\n", "5\nhello\n", "5\r\nhello!\r\n", "ffffffffffffffff1\r\n",
        "\r\n", "5 5\r\nhello\r\n", "0\r\nGET / HTTP/1.1\r\n\r\n"}) {
    LoopbackWorker site;
    std::string seen;
    site.add_raw_server([&](RawSocket& backend) { seen = backend.received(); });
    site.apply();
    const auto client = site.connect();
    client->send(fields("Transfer-Encoding: chunked\r\n", chunk) + get("/smuggled"));
    EXPECT_EQ(site.next_reply(*client).status, 400) << chunk;
    client->end_output();
    EXPECT_TRUE(site.until([&] { return client->is_ended(); })) << chunk;
    EXPECT_EQ(seen.find("0\r\n\r\n"), std::string::npos) << chunk;
    EXPECT_EQ(seen.find("smuggled"), std::string::npos) << chunk;
  }
}

TEST(Refusal, WithoutARouteTheAnswerIs404AndTheConnectionGoesOn) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.config.routes[0].hosts = {"a.example"};
  site.config.routes[0].path_prefix = "/api";
  site.apply();
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/other")).status, 404);
  EXPECT_EQ(site.ask(*client, "GET /api HTTP/1.1\r\nHost: b.example\r\n\r\n").status, 404);
  EXPECT_EQ(site.ask(*client, get("/api/bytes/2")).status, 200);
  EXPECT_EQ(backend.requests(), 1u);
  EXPECT_EQ(site.ask(*client, "POST /other HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nuntil now")
                .field("Connection"),
            "close")
      << "nobody will read the body";
}

TEST(Refusal, ABodyLargerThanTheListenerTakesIs413) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.config.listeners[0].max_body = {1'000};
  site.apply();
  EXPECT_EQ(site.ask(post("/", std::string(1'000, 'x'))).status, 200);
  EXPECT_EQ(site.ask(post("/", std::string(1'001, 'x'))).status, 413);
  EXPECT_EQ(backend.requests(), 1u) << "a length that is too large is seen before the backend is asked";
  const std::string chunk = "190\r\n" + std::string(400, 'x') + "\r\n";
  const std::string request = fields("Transfer-Encoding: chunked\r\n");
  EXPECT_EQ(site.ask(request + chunk + chunk + "c8\r\n" + std::string(200, 'x') + "\r\n0\r\n\r\n").status,
            200);
  const auto client = site.connect();
  client->send(request + chunk + chunk + chunk);
  EXPECT_EQ(site.next_reply(*client).status, 413);
  client->end_output();
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_FALSE(client->is_reset());
}

TEST(Refusal, AHeaderThatIsSlowIs408) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.config.listeners[0].header_timeout = Duration(80);
  site.apply();
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).status, 200);
  const auto start = EventLoop::Clock::now();
  client->send("GET / HTTP/1.1\r\n");
  // A byte now and then is no excuse.
  std::optional<Reply> reply;
  auto last = start;
  ASSERT_TRUE(site.until([&] {
    const auto now = EventLoop::Clock::now();
    if (now - last > Duration(5)) {
      client->send("a");
      last = now;
    }
    reply = take_reply(client->received());
    return reply.has_value();
  }));
  EXPECT_EQ(reply->status, 408);
  EXPECT_GE(EventLoop::Clock::now() - start, Duration(80));
  EXPECT_EQ(backend.requests(), 1u);
}

TEST(Refusal, ABodyThatStopsComingIs408) {
  LoopbackWorker site;
  site.add_server();
  site.config.listeners[0].idle_timeout = Duration(80);
  site.apply();
  const auto client = site.connect();
  const Reply reply =
      site.ask(*client, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nuntil");
  EXPECT_EQ(reply.status, 408);
  EXPECT_EQ(reply.field("Connection"), "close");
}

TEST(Refusal, TheProbeListenerAnswersOnlyItsPath) {
  LoopbackWorker site;
  HttpServer& backend = site.add_server();
  site.apply();
  Endpoint address;
  std::vector<l7::ListenerSocket> sockets;
  sockets.push_back({"web", "web", Fd()});
  sockets.push_back({std::string(l7::kProbeListener), "probe", listen_on_loopback(address)});
  site.worker->set_listeners(std::move(sockets));
  RawSocket client(site.loop, address);
  EXPECT_EQ(site.ask(client, get("/healthz")).status, 200);
  EXPECT_EQ(site.ask(client, get("/bytes/1")).status, 404);
  EXPECT_EQ(backend.requests(), 0u);
}

}  // namespace
}  // namespace gatehouse::test
