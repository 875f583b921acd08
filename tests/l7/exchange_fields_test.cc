// Which fields cross the worker, in both directions, and which are its own.
#include <gtest/gtest.h>

#include <set>

#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {
namespace {

// What the backend got, and what the client got for it.
struct Crossing {
  HttpHead request;
  Reply reply;
  std::string request_bytes;

  std::vector<std::string> all(std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [known, value] : request.fields) {
      if (equal_ignoring_case(known, name)) values.emplace_back(value);
    }
    return values;
  }
};

Crossing cross(const std::string& request, const std::string& answer_fields = "", bool is_trusted = false) {
  LoopbackWorker site;
  Crossing crossing;
  site.add_raw_server([&](RawSocket& backend) {
    crossing.request_bytes = backend.received();
    backend.send("HTTP/1.1 200 OK\r\n" + answer_fields + "Content-Length: 2\r\n\r\nok");
  });
  if (is_trusted) site.config.listeners[0].trusted_proxies = {*IpPrefix::parse("127.0.0.1")};
  site.apply();
  crossing.reply = site.ask(request);
  EXPECT_EQ(crossing.request.parse(crossing.request_bytes), HeadState::kDone) << crossing.request_bytes;
  return crossing;
}

using Values = std::vector<std::string>;

TEST(ExchangeFields, EverythingElsePassesUnchangedAndInOrder) {
  const Crossing crossing = cross(
      "GET /a%20b?x=1&y=%20 HTTP/1.1\r\nHOST: A.example:8080\r\naccept:  */* \r\nCookie: a=b\r\nX-Odd: "
      "\r\ncookie: c=\xff\r\n\r\n",
      "Set-Cookie: a=b\r\nset-cookie: c=d\r\nServer: s\r\n");
  EXPECT_TRUE(
      crossing.request_bytes.starts_with("GET /a%20b?x=1&y=%20 HTTP/1.1\r\nHost: A.example:8080\r\naccept: "
                                         "*/*\r\nCookie: a=b\r\nX-Odd: \r\ncookie: c=\xff\r\n"))
      << crossing.request_bytes;
  EXPECT_TRUE(crossing.reply.head.starts_with(
      "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nServer: s\r\n"))
      << crossing.reply.head;
}

TEST(ExchangeFields, HopByHopFieldsEndHereInBothDirections) {
  const std::string lines =
      "Connection: keep-alive, X-Secret, x-other\r\nX-Secret: 1\r\nKeep-Alive: "
      "timeout=5\r\nProxy-Connection: keep-alive\r\n"
      "TE: trailers\r\nTrailer: X-T\r\nUpgrade: websocket\r\nX-OTHER: 2\r\nX-Kept: 3\r\n";
  const Crossing crossing = cross(get("/", lines), lines);
  for (const std::string name :
       {"Connection", "X-Secret", "X-Other", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade"}) {
    EXPECT_TRUE(crossing.all(name).empty()) << name;
    EXPECT_FALSE(crossing.reply.has_field(name)) << name;
  }
  EXPECT_EQ(crossing.all("X-Kept"), Values{"3"});
  EXPECT_EQ(crossing.reply.field("X-Kept"), "3");
}

TEST(ExchangeFields, ConnectionCannotNameAwayWhatIsOurs) {
  const Crossing crossing = cross(
      "POST / HTTP/1.1\r\nHost: a.example\r\nConnection: close, Content-Length, Host, X-Forwarded-For, "
      "X-Request-ID, Via\r\n"
      "Content-Length: 4\r\n\r\nbody",
      "Connection: Content-Length, X-Request-ID\r\n");
  EXPECT_EQ(crossing.all("Content-Length"), Values{"4"});
  EXPECT_EQ(crossing.all("Host"), Values{"a.example"});
  EXPECT_EQ(crossing.all("X-Forwarded-For"), Values{"127.0.0.1"});
  EXPECT_EQ(crossing.all("X-Request-ID").size(), 1u);
  EXPECT_EQ(crossing.all("Via"), Values{"1.1 n1"});
  EXPECT_EQ(crossing.reply.body, "ok");
  EXPECT_EQ(crossing.reply.field("Content-Length"), "2");
}

TEST(ExchangeFields, AStrangersForwardingFieldsAreNotBelieved) {
  const Crossing crossing =
      cross(get("/",
                "X-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\nX-Forwarded-Proto: https\r\n"
                "X-Forwarded-Host: evil.example\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /x\r\n"
                "Forwarded: for=10.0.0.1\r\nX-Request-ID: mine\r\nVia: 1.0 other\r\n"));
  EXPECT_EQ(crossing.all("X-Forwarded-For"), Values{"127.0.0.1"});
  EXPECT_EQ(crossing.all("X-Forwarded-Proto"), Values{"http"});
  EXPECT_EQ(crossing.all("X-Forwarded-Host"), Values{"a.example"});
  EXPECT_EQ(crossing.all("X-Forwarded-Port"), Values{});
  EXPECT_EQ(crossing.all("X-Forwarded-Prefix"), Values{});
  EXPECT_EQ(crossing.all("Forwarded"), Values{"for=127.0.0.1;proto=http;host=\"a.example\""});
  EXPECT_EQ(crossing.all("Via"), (Values{"1.0 other", "1.1 n1"}));
  ASSERT_EQ(crossing.all("X-Request-ID").size(), 1u);
  EXPECT_EQ(crossing.all("X-Request-ID")[0].size(), 32u);
}

TEST(ExchangeFields, ATrustedProxysForwardingFieldsAreKeptAndAddedTo) {
  const Crossing crossing =
      cross(get("/",
                "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 10.0.0.2\r\nX-Forwarded-Proto: https\r\n"
                "X-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 8443\r\n"
                "Forwarded: for=203.0.113.7\r\nX-Request-ID: of-the-proxy\r\n"),
            "", true);
  EXPECT_EQ(crossing.all("X-Forwarded-For"), Values{"203.0.113.7, 10.0.0.2, 127.0.0.1"});
  EXPECT_EQ(crossing.all("X-Forwarded-Proto"), Values{"https"});
  EXPECT_EQ(crossing.all("X-Forwarded-Host"), Values{"shop.example"});
  EXPECT_EQ(crossing.all("X-Forwarded-Port"), Values{"8443"});
  EXPECT_EQ(crossing.all("Forwarded"),
            (Values{"for=203.0.113.7", "for=127.0.0.1;proto=http;host=\"a.example\""}));
  EXPECT_EQ(crossing.all("X-Request-ID"), Values{"of-the-proxy"});
  EXPECT_EQ(crossing.reply.field("X-Request-ID"), "of-the-proxy");
}

TEST(ExchangeFields, EveryAnswerHasTheIdThatTheBackendGot) {
  std::set<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    const Crossing crossing = cross(get("/"), "X-Request-ID: of-the-backend\r\nVia: 1.1 inner\r\n");
    EXPECT_EQ(crossing.all("X-Request-ID"), Values{crossing.reply.field("X-Request-ID")});
    EXPECT_NE(crossing.reply.head.find("Via: 1.1 inner\r\n"), std::string::npos);
    EXPECT_NE(crossing.reply.head.find("Via: 1.1 n1\r\n"), std::string::npos);
    ids.insert(crossing.reply.field("X-Request-ID"));
  }
  EXPECT_EQ(ids.size(), 3u);
}

TEST(ExchangeFields, TheAbsoluteFormBecomesAPath) {
  const Crossing crossing = cross("GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_EQ(crossing.request.words[1], "/x?y");
  EXPECT_EQ(cross("GET http://a.example?y HTTP/1.1\r\nHost: a.example\r\n\r\n").request.words[1], "/?y");
  EXPECT_EQ(cross("OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n").request.words[1], "*");
}

TEST(ExchangeFields, OldClientsAndOldBackendsAreSpokenToIn11) {
  const Crossing crossing = cross("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
  EXPECT_EQ(crossing.request.words[2], "HTTP/1.1");
  EXPECT_TRUE(crossing.reply.head.starts_with("HTTP/1.1 200 OK\r\n"));
}

}  // namespace
}  // namespace gatehouse::test
