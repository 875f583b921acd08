// Heads and bodies to and from backends of HTTP/2: each pitfall of the two notations, for clients of both versions.
#include <gtest/gtest.h>

#include "tests/l7/support/h2_site.h"

namespace gatehouse::test {
namespace {

using Fields = H2FieldList;

class H2BackendHead : public testing::Test {
 protected:
  H2BackendHead() : server(site.loop, [this](H2Peer& peer, std::int32_t id) { answer(peer, id); }) {
    site.config.pools[0].protocol = "h2";
    site.config.pools[0].backends.push_back({server.address()});
    site.apply();
  }
  void answer(H2Peer& peer, std::int32_t id) {
    const H2Message& message = peer.message(id);
    if (!message.is_ended || message.is_closed) return;
    request = message;
    peer.respond(id, response, body);
  }

  Fields response = {{":status", "200"}};
  std::string body = "ok";
  H2Message request;
  H2Site site;
  H2Server server;
};

struct Broken {
  const char* what;
  Fields response;
  std::string body;
};

TEST_F(H2BackendHead, AnswersThatAreNoneAreBadGateways) {
  const Broken cases[] = {
      {"no status", {{"x", "y"}}, ""},
      {"a status that is no number", {{":status", "2x0"}}, ""},
      {"a status that is too small", {{":status", "099"}}, ""},
      {"a status twice", {{":status", "200"}, {":status", "404"}}, ""},
      {"a pseudo field of requests", {{":status", "200"}, {":path", "/"}}, ""},
      {"a pseudo field behind others", {{"x", "y"}, {":status", "200"}}, ""},
      {"a name in upper case", {{":status", "200"}, {"X-Upper", "1"}}, ""},
      {"a field of the connection", {{":status", "200"}, {"connection", "close"}}, ""},
      {"a coding of HTTP/1", {{":status", "200"}, {"transfer-encoding", "chunked"}}, "ok"},
      {"an end of line in a value", {{":status", "200"}, {"x", "a\r\nb: c"}}, ""},
      {"a blank in a name", {{":status", "200"}, {"a b", "c"}}, ""},
      {"two lengths", {{":status", "200"}, {"content-length", "2"}, {"content-length", "3"}}, "ok"},
      {"a length that is no number", {{":status", "200"}, {"content-length", "+2"}}, "ok"},
      {"a switch of protocols", {{":status", "101"}, {"upgrade", "websocket"}}, ""},
  };
  for (const Broken& row : cases) {
    response = row.response;
    body = row.body;
    const auto client = site.connect_h2();
    EXPECT_EQ(site.ended(*client, client->get("/")).status(), 502) << row.what;
    EXPECT_EQ(site.ask(get("/")).status, 502) << row.what;
  }
}

TEST_F(H2BackendHead, ALengthThatTheDataBelieBreaksTheAnswerOff) {
  for (const char* length : {"1", "3"}) {
    response = {{":status", "200"}, {"content-length", length}};
    const auto h2 = site.connect_h2();
    const H2Message& answer = site.ended(*h2, h2->get("/"));
    EXPECT_TRUE(answer.status() == 502 || (answer.is_closed && answer.error == NGHTTP2_INTERNAL_ERROR)) << length;
    const auto h1 = site.connect();
    h1->send(get("/"));
    ASSERT_TRUE(site.until([&] { return h1->is_ended() || h1->received().starts_with("HTTP/1.1 502"); })) << length;
    const auto reply = take_reply(h1->received());
    EXPECT_TRUE(!reply || reply->status == 502) << "none that looks whole";
  }
}

TEST_F(H2BackendHead, AnswersWithoutABodyKeepTheLengthOfWhatAGetWouldGet) {
  response = {{":status", "200"}, {"content-length", "77"}};
  body = "";
  const Reply head = site.ask("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("Content-Length"), "77");
  response = {{":status", "304"}, {"content-length", "77"}};
  EXPECT_EQ(site.ask(get("/")).field("Content-Length"), "77");
  response = {{":status", "204"}};
  const Reply empty = site.ask(get("/"));
  EXPECT_EQ(empty.status, 204);
  EXPECT_FALSE(empty.has_field("Content-Length"));
  EXPECT_FALSE(empty.has_field("Transfer-Encoding"));
}

TEST_F(H2BackendHead, CookieCrumbsAreOneFieldAndOrderIsKept) {
  response = {{":status", "200"}, {"set-cookie", "a=1"}, {"x-first", "1"}, {"set-cookie", "b=2"}};
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->get("/", {{"cookie", "a=1"}, {"cookie", "b=2"}, {"x-twice", "1"}, {"x-twice", "2"}}));
  EXPECT_EQ(request.count("cookie"), 1u);
  EXPECT_EQ(request.field("cookie"), "a=1; b=2");
  EXPECT_EQ(request.count("x-twice"), 2u);
  EXPECT_EQ(answer.count("set-cookie"), 2u) << "these are no crumbs";
}

TEST_F(H2BackendHead, AClientsLengthAndExpectationAreKept) {
  const auto h1 = site.connect();
  h1->send("POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nfour");
  EXPECT_EQ(site.next_reply(*h1).status, 200);
  EXPECT_EQ(request.field("content-length"), "4");
  EXPECT_EQ(request.body, "four");
  const auto chunked = site.connect();
  chunked->send("POST /up HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n");
  EXPECT_EQ(site.next_reply(*chunked).status, 200);
  EXPECT_EQ(request.count("content-length"), 0u);
  EXPECT_EQ(request.count("transfer-encoding"), 0u);
  EXPECT_EQ(request.body, "four");
}

TEST_F(H2BackendHead, ATargetKeepsItsForm) {
  EXPECT_EQ(site.ask("OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n").status, 200);
  EXPECT_EQ(request.field(":path"), "*");
  EXPECT_EQ(site.ask("GET http://b.example:81/x?y HTTP/1.1\r\nHost: b.example:81\r\n\r\n").status, 200);
  EXPECT_EQ(request.field(":path"), "/x?y");
  EXPECT_EQ(request.field(":authority"), "b.example:81");
  site.config.listeners[0].paths = {"keep", "keep", "keep"};
  site.apply();
  EXPECT_EQ(site.ask("GET /a%2fb//c HTTP/1.1\r\nHost: a.example\r\n\r\n").status, 200);
  EXPECT_EQ(request.field(":path"), "/a%2fb//c");
}

}  // namespace
}  // namespace gatehouse::test
