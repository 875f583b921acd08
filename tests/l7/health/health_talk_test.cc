// What each kind of check says, and what it makes of the answers.
#include "l7/health/health_talk.h"

#include "tests/l7/health/check_site.h"
#include "tests/support/h2_peer.h"

namespace gatehouse::l7 {
namespace {

using test::H2FieldList;
using test::H2Message;
using test::H2Peer;
using test::RawServer;
using test::RawSocket;

// Its first check decides, however long a slow machine takes for it.
class OneCheck : public Check {
 protected:
  OneCheck() { health.interval = Duration(10'000); }
};

std::string answer_of(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST_F(OneCheck, AsksByTheMethodOfTheConfig) {
  for (const char* method : {"HEAD", "OPTIONS"}) {
    health.method = method;
    start(std::vector<std::string>{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" +
                                   std::string(method == std::string("HEAD") ? "" : "ok\n")});
    EXPECT_EQ(verdict(), "") << method;
    EXPECT_TRUE(requests.back().starts_with(std::string(method) + " /healthz HTTP/1.1\r\n"))
        << requests.back();
  }
}

TEST_F(OneCheck, TheBodyMustMatchTheExpression) {
  health.body_matches = "load: [0-5]\\d%";
  for (const auto& [body, reason] : std::vector<std::pair<std::string, std::string>>{
           {"load: 42%", ""},
           {"high load: 07% or so", ""},
           {"load: 99%", "the body does not match \"load: [0-5]\\d%\""}}) {
    start(std::vector<std::string>{answer_of(200, body)});
    EXPECT_EQ(verdict(), reason) << body;
  }
}

TEST_F(Check, ABackendThatSaysSoIsDegraded) {
  health.degraded_status = {429};
  health.fall = 1;
  health.rise = 1;
  start({kGood, answer_of(429, ""), answer_of(429, ""), kBad, answer_of(429, ""), kGood});
  std::vector<std::string> seen;
  ASSERT_TRUE(until([&] {
    const std::string now = !check->is_decided()   ? "unknown"
                            : !check->is_healthy() ? "down"
                            : check->is_degraded() ? "degraded"
                                                   : "up";
    if (seen.empty() || seen.back() != now) seen.push_back(now);
    return asked >= 7;
  }));
  EXPECT_EQ(seen, (std::vector<std::string>{"unknown", "up", "degraded", "down", "degraded", "up"}));
  EXPECT_EQ(changes, 5);
}

TEST_F(OneCheck, MayGoToAPortOfItsOwn) {
  server = std::make_unique<RawServer>(loop, [this](RawSocket& connection) {
    requests.push_back(std::exchange(connection.received(), {}));
    connection.send(kGood);
  });
  health.port = server->address().port;
  Endpoint backend = server->address();
  backend.port = 1;
  start(backend);
  EXPECT_EQ(verdict(), "");
  EXPECT_NE(requests.at(0).find("Host: " + to_string(server->address())), std::string::npos)
      << requests.at(0);
}

TEST_F(Check, IsFasterWhileItIsUnsure) {
  health.interval = Duration(300);
  health.fast_interval = Duration(1);
  health.fall = 100;
  const auto begin = EventLoop::Clock::now();
  start({kGood, kBad});
  ASSERT_TRUE(until_asked(30));
  EXPECT_LT(EventLoop::Clock::now() - begin, Duration(29 * 270))
      << "by its interval alone it would have taken longer";
  EXPECT_TRUE(check->is_healthy());
}

TEST_F(OneCheck, OfTcpIsAConnection) {
  health.kind = "tcp";
  health.path = "";
  server = std::make_unique<RawServer>(loop, [](RawSocket&) {});
  start(server->address());
  EXPECT_EQ(verdict(), "");
  const test::RefusingAddress refusing;
  start(refusing.address());
  EXPECT_EQ(verdict(), "cannot connect: Connection refused");
}

TEST_F(OneCheck, OfTcpMaySayAndExpectBytes) {
  health.kind = "tcp";
  health.path = "";
  health.request = "PING\\r\\n";
  health.expect = "+PONG\\x0d";
  start(std::vector<std::string>{"+PONG\r\n"});
  EXPECT_EQ(verdict(), "");
  EXPECT_EQ(requests.at(0), "PING\r\n");
  start(std::vector<std::string>{"-NOAUTH\r\n"});
  EXPECT_EQ(verdict(), "the answer does not contain what it should");
  start(std::vector<std::string>{""});
  EXPECT_EQ(verdict(), "the connection was closed without an answer");
  start(std::vector<std::string>{std::string(200'000, 'x')});
  EXPECT_EQ(verdict(), "the answer does not contain what it should");
}

TEST_F(OneCheck, OfTlsIsAHandshake) {
  health.kind = "tls";
  health.path = "";
  start(std::vector<std::string>{"220 mail.example ESMTP\r\n"});
  EXPECT_TRUE(verdict().starts_with("cannot connect: TLS: ")) << check->reason();
}

// A backend that speaks HTTP/2, in the clear.
class Http2Check : public OneCheck {
 protected:
  using Answer = std::function<void(H2Peer&, std::int32_t)>;
  void serve(Answer answer) {
    backend = std::make_unique<test::H2Server>(
        loop, [this, answer = std::move(answer)](H2Peer& peer, std::int32_t id) {
          if (!peer.message(id).is_ended || peer.message(id).is_closed) return;
          last = peer.message(id);
          answer(peer, id);
        });
    start(backend->address());
  }

  std::unique_ptr<test::H2Server> backend;
  H2Message last;
};

TEST_F(Http2Check, AsksAPoolOfHttp2ByIt) {
  pool.protocol = "h2";
  health.body_contains = "ready";
  serve([](H2Peer& peer, std::int32_t id) { peer.respond(id, {{":status", "200"}}, "already"); });
  EXPECT_EQ(verdict(), "");
  EXPECT_EQ(last.field(":method"), "GET");
  EXPECT_EQ(last.field(":path"), "/healthz");
  EXPECT_EQ(last.field(":scheme"), "http");
  EXPECT_EQ(last.field(":authority"), to_string(backend->address()));
  serve([](H2Peer& peer, std::int32_t id) { peer.respond(id, {{":status", "200"}}, "not yet"); });
  EXPECT_EQ(verdict(), "the body does not contain \"ready\"");
  serve([](H2Peer& peer, std::int32_t id) { peer.respond(id, {{":status", "503"}}, "ready"); });
  EXPECT_EQ(verdict(), "status 503");
  serve([](H2Peer& peer, std::int32_t id) { peer.reset(id, NGHTTP2_REFUSED_STREAM); });
  EXPECT_EQ(verdict(), "the request was reset: REFUSED_STREAM");
  serve([](H2Peer& peer, std::int32_t) { peer.socket().end_output(); });
  EXPECT_EQ(verdict(), "the connection was closed without an answer");
}

TEST_F(Http2Check, SaysWhatSpeaksAnotherProtocol) {
  pool.protocol = "h2";
  server = std::make_unique<RawServer>(loop, [](RawSocket& connection) { connection.send(kGood); });
  start(server->address());
  EXPECT_TRUE(verdict().starts_with("no HTTP/2")) << check->reason();
}

TEST_F(Http2Check, OfGrpcAsksTheHealthService) {
  health.kind = "grpc";
  health.path = "";
  health.service = "shop.Cart";
  struct Row {
    const char* name;
    std::string body;
    H2FieldList trailers;
    std::string reason;
  };
  const H2FieldList kOk = {{"grpc-status", "0"}};
  const auto message = [](const std::string& text) {
    return std::string("\0\0\0\0", 4) + static_cast<char>(text.size()) + text;
  };
  for (const Row& row : {Row{"serving", message("\x08\x01"), kOk, ""},
                         Row{"not serving", message("\x08\x02"), kOk, "NOT_SERVING"},
                         Row{"a status of another version", message("\x08\x09"), kOk,
                             "malformed answer: no HealthCheckResponse"},
                         Row{"nothing said, which is 0", message(""), kOk, "UNKNOWN"},
                         Row{"no message", "", kOk, "malformed answer: no HealthCheckResponse"},
                         Row{"compressed", std::string("\1\0\0\0\2\x08\x01", 7), kOk,
                             "malformed answer: no HealthCheckResponse"},
                         Row{"not known there", "", {{"grpc-status", "5"}}, "grpc-status 5"},
                         Row{"no status", message("\x08\x01"), {}, "grpc-status is missing"}}) {
    serve([&row](H2Peer& peer, std::int32_t id) {
      peer.respond(id, {{":status", "200"}, {"content-type", "application/grpc"}}, row.body, row.trailers);
    });
    EXPECT_EQ(verdict(), row.reason) << row.name;
  }
  EXPECT_EQ(last.field(":method"), "POST");
  EXPECT_EQ(last.field(":path"), "/grpc.health.v1.Health/Check");
  EXPECT_EQ(last.field("content-type"), "application/grpc");
  EXPECT_EQ(last.field("te"), "trailers");
  EXPECT_EQ(last.body, message("\x0a\x09shop.Cart"));
  serve([](H2Peer& peer, std::int32_t id) { peer.respond(id, {{":status", "404"}}, ""); });
  EXPECT_EQ(verdict(), "status 404");
}

}  // namespace
}  // namespace gatehouse::l7
