// What changes on the way from HTTP/2 to HTTP/1.1, and what must not get through: each pitfall of the two notations.
#include <gtest/gtest.h>

#include "tests/l7/support/h2_site.h"

namespace gatehouse::test {
namespace {

using Fields = H2FieldList;
using Values = std::vector<std::string>;

// A request of HTTP/2 as a backend of HTTP/1.1 gets it, and the answer as the client gets that.
struct Crossing {
  std::string bytes;
  HttpHead request;
  H2Message answer;

  Values all(std::string_view name) const {
    Values values;
    for (const auto& [known, value] : request.fields) {
      if (equal_ignoring_case(known, name)) values.emplace_back(value);
    }
    return values;
  }
};

Crossing cross(const Fields& fields, std::optional<std::string> body = "", const std::string& answer_fields = "") {
  H2Site site;
  Crossing crossing;
  site.add_raw_server([&](RawSocket& backend) {
    crossing.bytes += std::exchange(backend.received(), {});
    if (crossing.request.parse(crossing.bytes) != HeadState::kDone) return;
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + answer_fields + "\r\nok");
  });
  site.apply();
  const auto client = site.connect_h2();
  crossing.answer = site.ended(*client, client->request(fields, body));
  crossing.request.parse(crossing.bytes);
  return crossing;
}

Fields with(Fields more, const std::string& method = "GET") {
  Fields fields = {{":method", method}, {":scheme", "http"}, {":path", "/a?b"}, {":authority", "a.example:8080"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

TEST(H2Translation, ARequestBecomesALineAndFieldsInOrder) {
  const Crossing crossing = cross(with({{"accept", "*/*"}, {"x-odd", ""}, {"x-b", "c\xff"}}));
  EXPECT_TRUE(crossing.bytes.starts_with("GET /a?b HTTP/1.1\r\nHost: a.example:8080\r\naccept: */*\r\nx-odd: \r\nx-b: c\xff\r\nX-Forwarded-For: "))
      << crossing.bytes;
  EXPECT_EQ(crossing.all("Via"), Values{"2.0 n1"});
  EXPECT_EQ(crossing.all("X-Forwarded-Host"), Values{"a.example:8080"});
}

TEST(H2Translation, AHostThatSaysTheSameIsSaidOnce) {
  EXPECT_EQ(cross(with({{"host", "A.example:8080"}})).all("Host"), Values{"a.example:8080"});
}

TEST(H2Translation, AHostAloneIsTheAuthority) {
  const Crossing crossing = cross({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "b.example"}});
  EXPECT_EQ(crossing.all("Host"), Values{"b.example"});
}

TEST(H2Translation, CookieCrumbsBecomeOneField) {
  const Crossing crossing = cross(with({{"cookie", "a=b"}, {"x-between", "1"}, {"cookie", "c=d; e=f"}, {"cookie", "g=h"}}));
  EXPECT_EQ(crossing.all("Cookie"), Values{"a=b; c=d; e=f; g=h"});
  EXPECT_EQ(cross(with({{"cookie", "alone=1"}})).all("Cookie"), Values{"alone=1"});
}

TEST(H2Translation, ABodyOfKnownLengthIsNotChunked) {
  const Crossing said = cross(with({{"content-length", "4"}}, "POST"), "body");
  EXPECT_EQ(said.all("Content-Length"), Values{"4"});
  EXPECT_TRUE(said.all("Transfer-Encoding").empty());
  EXPECT_TRUE(said.bytes.ends_with("\r\n\r\nbody"));
  const Crossing seen = cross(with({}, "POST"), "body");
  EXPECT_EQ(seen.all("Content-Length"), Values{"4"}) << "it came with the head";
  const Crossing none = cross(with({}, "POST"));
  EXPECT_TRUE(none.all("Content-Length").empty() && none.all("Transfer-Encoding").empty());
  const Crossing zero = cross(with({{"content-length", "0"}}, "POST"));
  EXPECT_EQ(zero.all("Content-Length"), Values{"0"});
}

TEST(H2Translation, ABodyOfUnknownLengthIsChunked) {
  H2Site site;
  std::string seen;
  site.add_raw_server([&](RawSocket& backend) {
    seen += std::exchange(backend.received(), {});
    if (seen.ends_with("0\r\n\r\n")) backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t id = client->request(with({}, "POST"), std::nullopt);
  ASSERT_TRUE(site.until([&] { return seen.find("\r\n\r\n") != std::string::npos; }));
  EXPECT_NE(seen.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  client->send(id, "one");
  ASSERT_TRUE(site.until([&] { return seen.ends_with("3\r\none\r\n"); }));
  client->send(id, "", true);
  EXPECT_EQ(site.ended(*client, id).status(), 200);
}

TEST(H2Translation, ResponsesLoseWhatIsOfTheConnection) {
  const Crossing crossing =
      cross(with({}), "", "Connection: keep-alive, X-Gone\r\nKeep-Alive: timeout=5\r\nX-Gone: 1\r\nUpgrade: h2c\r\nX-MIXED-Case: Kept\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n");
  for (const char* gone : {"connection", "keep-alive", "x-gone", "upgrade", "transfer-encoding"}) EXPECT_EQ(crossing.answer.count(gone), 0u) << gone;
  EXPECT_EQ(crossing.answer.field("x-mixed-case"), "Kept");
  EXPECT_EQ(crossing.answer.count("set-cookie"), 2u);
  EXPECT_EQ(crossing.answer.count("content-length"), 1u);
}

struct Refused {
  const char* what;
  Fields fields;
};

// Malformed by RFC 9113 §8: the stream is reset, nothing reaches a backend, and the connection goes on.
TEST(H2Translation, MalformedRequestsEndTheirStream) {
  const Refused cases[] = {
      {"an upper-case name", with({{"X-Upper", "1"}})},
      {"Connection", with({{"connection", "close"}})},
      {"Keep-Alive", with({{"keep-alive", "timeout=5"}})},
      {"Proxy-Connection", with({{"proxy-connection", "close"}})},
      {"Transfer-Encoding", with({{"transfer-encoding", "chunked"}})},
      {"Upgrade", with({{"upgrade", "websocket"}})},
      {"TE with more than trailers", with({{"te", "gzip"}})},
      {"a name that is none", with({{"x y", "1"}})},
      {"an empty name", with({{"", "1"}})},
      {"a line feed in a value", with({{"x", "1\n2"}})},
      {"a carriage return in a value", with({{"x", "1\r2"}})},
      {"a null in a value", with({{"x", std::string("1\0", 2)}})},
      {"white space around a value", with({{"x", " 1 "}})},
      {"two lengths", with({{"content-length", "1"}, {"content-length", "1"}})},
      {"a length that is no number", with({{"content-length", "1x"}})},
      {"two paths", with({{":path", "/"}})},
      {"a pseudo field behind others", {{":method", "GET"}, {":scheme", "http"}, {"x", "1"}, {":path", "/"}, {":authority", "a"}}},
      {"an unknown pseudo field", with({{":what", "1"}})},
      {"no path", {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}}},
      {"an empty path", {{":method", "GET"}, {":scheme", "http"}, {":path", ""}, {":authority", "a"}}},
      {"no method", {{":scheme", "http"}, {":path", "/"}, {":authority", "a"}}},
      {"no scheme", {{":method", "GET"}, {":path", "/"}, {":authority", "a"}}},
      {"no authority at all", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}},
      {"a space in the path", {{":method", "GET"}, {":scheme", "http"}, {":path", "/a b"}, {":authority", "a"}}},
      {"a line feed in the path", {{":method", "GET"}, {":scheme", "http"}, {":path", "/a\r\nX: y"}, {":authority", "a"}}},
      {"a status in a request", with({{":status", "200"}})},
      {"a line feed in the method", {{":method", "GET\r\n"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}},
  };
  H2Site site;
  RawServer& backend = site.add_raw_server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  site.apply();
  for (const Refused& row : cases) {
    const auto client = site.connect_h2();
    const H2Message& answer = site.ended(*client, client->request(row.fields));
    EXPECT_EQ(answer.status(), 0) << row.what;
    EXPECT_EQ(answer.error, static_cast<std::uint32_t>(NGHTTP2_PROTOCOL_ERROR)) << row.what;
    EXPECT_TRUE(backend.connections.empty()) << row.what;
  }
}

// Well-formed, and not for us: an answer says why.
TEST(H2Translation, WhatCouldBeReadInTwoWaysIsRefused) {
  const Refused cases[] = {
      {"a Host that differs", with({{"host", "b.example"}})},
      {"user information", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "u@a"}}},
      {"a port that is none", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a:b"}}},
      {"an absolute form", {{":method", "GET"}, {":scheme", "http"}, {":path", "http://a/"}, {":authority", "a"}}},
      {"a fragment", {{":method", "GET"}, {":scheme", "http"}, {":path", "/#a"}, {":authority", "a"}}},
  };
  H2Site site;
  RawServer& backend = site.add_raw_server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  site.apply();
  const auto client = site.connect_h2();
  for (const Refused& row : cases) {
    const H2Message& answer = site.ended(*client, client->request(row.fields));
    const bool is_reset = answer.error == NGHTTP2_PROTOCOL_ERROR;
    EXPECT_TRUE(answer.status() == 400 || is_reset) << row.what << ": " << answer.status();
  }
  EXPECT_TRUE(backend.connections.empty());
}

TEST(H2Translation, LimitsAreThoseOfHttp1) {
  H2Site site;
  site.config.listeners[0].max_uri = {1024};
  site.config.listeners[0].max_header = {4096};
  site.config.listeners[0].max_header_fields = 10;
  site.config.listeners[0].max_body = {100};
  site.add_server();
  site.apply();
  const auto client = site.connect_h2();
  EXPECT_EQ(site.ended(*client, client->get("/" + std::string(1100, 'x'))).status(), 414);
  EXPECT_EQ(site.ended(*client, client->get("/", {{"x", std::string(4096, 'x')}})).status(), 431);
  Fields many;
  for (int i = 0; i < 11; ++i) many.emplace_back("x-" + std::to_string(i), "1");
  EXPECT_EQ(site.ended(*client, client->get("/", many)).status(), 431);
  EXPECT_EQ(site.ended(*client, client->post("/", std::string(101, 'x'), {{"content-length", "101"}})).status(), 413);
  EXPECT_EQ(site.ended(*client, client->post("/", std::string(101, 'x'))).status(), 413);
  EXPECT_EQ(site.ended(*client, client->post("/", std::string(100, 'x'))).status(), 200);
  EXPECT_TRUE(client->goodbyes().empty());
}

TEST(H2Translation, ALengthThatTheDataBelieIsAnError) {
  for (const std::string length : {"3", "5"}) {
    H2Site site;
    site.add_raw_server([](RawSocket&) {});
    site.apply();
    const auto client = site.connect_h2();
    const H2Message& answer = site.ended(*client, client->post("/", "body", {{"content-length", length}}));
    EXPECT_EQ(answer.error, static_cast<std::uint32_t>(NGHTTP2_PROTOCOL_ERROR)) << length;
    EXPECT_EQ(answer.status(), 0) << length;
  }
}

TEST(H2Translation, ConnectIsNotServed) {
  H2Site site;
  site.apply();
  const auto client = site.connect_h2();
  EXPECT_EQ(site.ended(*client, client->request({{":method", "CONNECT"}, {":authority", "a.example:443"}}, std::nullopt)).status(), 501);
}

TEST(H2Translation, TheAsteriskFormIsForOptionsAlone) {
  EXPECT_TRUE(cross({{":method", "OPTIONS"}, {":scheme", "http"}, {":path", "*"}, {":authority", "a"}}).bytes.starts_with("OPTIONS * HTTP/1.1\r\n"));
}

}  // namespace
}  // namespace gatehouse::test
