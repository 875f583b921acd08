// WebSocket from clients of both versions to backends of HTTP/1.1: the switch, bytes both ways, half-closes, idle ends.
#include "l7/http/websocket.h"

#include <gtest/gtest.h>

#include "tests/l7/support/h2_site.h"
#include "tests/support/byte_pattern.h"

namespace gatehouse::test {
namespace {

const std::string kHandshake =
    "GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const std::string kSwitch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const H2FieldList kConnect = {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"}, {":path", "/chat"},
                              {":authority", "a.example"}, {"sec-websocket-version", "13"}, {"sec-websocket-protocol", "chat"}};

// A backend that switches and then does with the bytes what the test wants.
class WebSocket : public testing::Test {
 protected:
  void serve(std::function<void(RawSocket&)> on_bytes) {
    site.add_raw_server([this, on_bytes](RawSocket& connection) {
      std::string& bytes = connection.received();
      if (!switched.contains(&connection)) {
        HttpHead head;
        if (head.parse(bytes) != HeadState::kDone) return;
        request = bytes.substr(0, head.size);
        const std::string accept = l7::http::websocket_accept(head.field("Sec-WebSocket-Key"));
        bytes.erase(0, head.size);
        switched.insert(&connection);
        backend = &connection;
        connection.send(kSwitch + "Sec-WebSocket-Accept: " + accept + "\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
      }
      on_bytes(connection);
    });
    site.apply();
  }
  static void echo(RawSocket& connection) { connection.send(std::exchange(connection.received(), {})); }
  std::unique_ptr<RawSocket> open_h1() {
    auto client = site.connect();
    client->send(kHandshake);
    EXPECT_EQ(site.next_reply(*client).status, 101);
    return client;
  }
  std::int32_t open_h2(H2Peer& client) {
    const std::int32_t id = client.request(kConnect, std::nullopt);
    EXPECT_TRUE(site.until([&] { return client.message(id).has_head; }));
    EXPECT_EQ(client.message(id).status(), 200);
    return id;
  }

  H2Site site;
  std::set<RawSocket*> switched;
  RawSocket* backend = nullptr;
  std::string request;
  std::string seen_;
};

TEST(WebSocketHandshake, ProvesWhatTheRfcSays) {
  EXPECT_EQ(l7::http::websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(l7::http::websocket_key("the sample nonce, and more"), "dGhlIHNhbXBsZSBub25jZQ==");
}

TEST_F(WebSocket, SwitchesAndCarriesBytesBothWays) {
  serve(echo);
  const auto client = site.connect();
  client->send(kHandshake + "early");
  const Reply reply = site.next_reply(*client);
  EXPECT_EQ(reply.status, 101);
  EXPECT_EQ(reply.field("Connection"), "Upgrade");
  EXPECT_EQ(reply.field("Upgrade"), "websocket");
  EXPECT_EQ(reply.field("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(reply.field("Sec-WebSocket-Protocol"), "chat");
  for (const char* line : {"Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"}) {
    EXPECT_NE(request.find(line), std::string::npos) << request;
  }
  EXPECT_TRUE(site.until([&] { return client->received() == "early"; })) << client->received();
  client->send(std::string(1'000'000, 'x'));
  EXPECT_TRUE(site.until([&] { return client->received().size() == 1'000'005; }));
}

TEST_F(WebSocket, IsAnExtendedConnectInHttp2) {
  serve(echo);
  const auto client = site.connect_h2();
  const std::int32_t id = open_h2(*client);
  EXPECT_TRUE(request.starts_with("GET /chat HTTP/1.1\r\nHost: a.example\r\n")) << request;
  for (const char* line : {"Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "sec-websocket-version: 13\r\n"}) {
    EXPECT_NE(request.find(line), std::string::npos) << request;
  }
  EXPECT_EQ(client->message(id).field("sec-websocket-protocol"), "chat");
  EXPECT_EQ(client->message(id).count("sec-websocket-accept"), 0u);
  EXPECT_EQ(client->message(id).count("connection") + client->message(id).count("upgrade"), 0u);
  client->send(id, "hello");
  EXPECT_TRUE(site.until([&] { return client->message(id).body == "hello"; }));
  client->send(id, std::string(1'000'000, 'x'));
  EXPECT_TRUE(site.until([&] { return client->message(id).body.size() == 1'000'005; }));
}

TEST_F(WebSocket, TheClientMayEndFirst) {
  serve([this](RawSocket& connection) { seen_ += std::exchange(connection.received(), {}); });
  const auto client = open_h1();
  client->send("last words");
  client->end_output();
  ASSERT_TRUE(site.until([&] { return backend->is_ended(); })) << "the end has come through";
  EXPECT_EQ(seen_, "last words");
  EXPECT_FALSE(client->is_ended());
  backend->send("and an answer");
  ASSERT_TRUE(site.until([&] { return client->received() == "and an answer"; }));
  backend->end_output();
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_FALSE(client->is_reset());
}

TEST_F(WebSocket, TheBackendMayEndFirst) {
  serve([this](RawSocket& connection) { seen_ += std::exchange(connection.received(), {}); });
  const auto client = open_h1();
  backend->send("good bye");
  backend->end_output();
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_EQ(client->received(), "good bye");
  client->send("too late?");
  EXPECT_TRUE(site.until([&] { return seen_ == "too late?"; })) << "not at all";
  client->end_output();
  EXPECT_TRUE(site.until([&] { return site.board->worker(0).connections == 0; }));
}

TEST_F(WebSocket, HalfClosesPassThroughHttp2) {
  serve([this](RawSocket& connection) { seen_ += std::exchange(connection.received(), {}); });
  const auto client = site.connect_h2();
  const std::int32_t first = open_h2(*client);
  client->send(first, "last words", true);
  ASSERT_TRUE(site.until([&] { return backend->is_ended() && seen_ == "last words"; }));
  backend->send("and an answer");
  backend->end_output();
  EXPECT_TRUE(site.until([&] { return client->message(first).is_closed; }));
  EXPECT_EQ(client->message(first).body, "and an answer");
  EXPECT_EQ(client->message(first).error, 0u);

  const std::int32_t second = open_h2(*client);
  backend->end_output();
  ASSERT_TRUE(site.until([&] { return client->message(second).is_ended; }));
  EXPECT_FALSE(client->message(second).is_closed);
  client->send(second, " still heard", true);
  EXPECT_TRUE(site.until([&] { return client->message(second).is_closed && seen_ == "last words still heard"; })) << seen_;
  EXPECT_EQ(client->message(second).error, 0u);
}

TEST_F(WebSocket, AResetEndsBothSides) {
  serve([](RawSocket&) {});
  const auto h1 = open_h1();
  h1->reset();
  EXPECT_TRUE(site.until([&] { return backend->is_ended(); }));
  const auto h2 = site.connect_h2();
  const std::int32_t first = open_h2(*h2);
  h2->reset(first, NGHTTP2_CANCEL);
  EXPECT_TRUE(site.until([&] { return backend->is_ended(); }));
  const std::int32_t second = open_h2(*h2);
  backend->reset();
  EXPECT_TRUE(site.until([&] { return h2->message(second).is_closed; }));
  EXPECT_NE(h2->message(second).error, 0u);
}

TEST_F(WebSocket, AnIdleOneIsEnded) {
  site.config.listeners[0].stream_timeout = Duration(100);
  serve(echo);
  const auto h1 = open_h1();
  EXPECT_TRUE(site.until([&] { return h1->is_ended() && backend->is_ended(); }));
  EXPECT_FALSE(h1->is_reset());
  const auto h2 = site.connect_h2();
  const std::int32_t id = open_h2(*h2);
  EXPECT_TRUE(site.until([&] { return h2->message(id).is_closed && backend->is_ended(); }));
  EXPECT_EQ(h2->message(id).error, 0u);
}

TEST_F(WebSocket, ABackendThatDeclinesIsHeard) {
  site.add_raw_server("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  site.apply();
  const auto client = site.connect();
  client->send(kHandshake);
  EXPECT_EQ(site.next_reply(*client).body, "no");
  client->send(get("/"));
  EXPECT_EQ(site.next_reply(*client).status, 403) << "the connection goes on in HTTP";
  const auto h2 = site.connect_h2();
  EXPECT_EQ(site.ended(*h2, h2->request(kConnect, std::nullopt)).status(), 403);
}

TEST_F(WebSocket, ASwitchThatNobodyAskedForOrThatProvesNothingIsABadGateway) {
  site.add_raw_server(kSwitch + "Sec-WebSocket-Accept: bm90aGluZw==\r\n\r\n");
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 502);
  const auto h2 = site.connect_h2();
  EXPECT_EQ(site.ended(*h2, h2->request(kConnect, std::nullopt)).status(), 502);
}

TEST_F(WebSocket, WhatIsNoProperWishForItIsAnOrdinaryRequest) {
  std::string seen;
  site.add_raw_server([&](RawSocket& connection) {
    seen = std::exchange(connection.received(), {});
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  site.apply();
  for (const std::string& request :
       {get("/", "Upgrade: websocket\r\n"), get("/", "Connection: Upgrade\r\nUpgrade: h2c\r\n"),
        std::string("POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        std::string("GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")}) {
    EXPECT_EQ(site.ask(request).status, 200) << request;
    EXPECT_EQ(seen.find("pgrade"), std::string::npos) << seen;
  }
}

TEST_F(WebSocket, OpenOnesAreLeftTimeToFinishWhenTheWorkerLeaves) {
  serve(echo);
  const auto h1 = open_h1();
  const auto h2 = site.connect_h2();
  const std::int32_t id = open_h2(*h2);
  bool is_drained = false;
  site.worker->drain(Duration(60'000), [&] { is_drained = true; });
  ASSERT_TRUE(site.until([&] { return !h2->goodbyes().empty(); }));
  h1->send("still");
  h2->send(id, "here");
  EXPECT_TRUE(site.until([&] { return h1->received() == "still" && h2->message(id).body == "here"; }));
  EXPECT_FALSE(is_drained);
  h1->end_output();
  h2->send(id, "", true);
  EXPECT_TRUE(site.until([&] { return switched.size() == 2; }));
  for (RawSocket* connection : switched) connection->end_output();
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

}  // namespace
}  // namespace gatehouse::test
