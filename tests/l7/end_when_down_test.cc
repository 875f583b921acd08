// What stays with a backend for long when the backend goes down: by checks, or because an operator says so.
#include <gtest/gtest.h>

#include "l7/http/websocket.h"
#include "tests/l7/support/resilience_site.h"
#include "tests/l7/support/tcp_site.h"

namespace gatehouse::test {
namespace {

const std::string kHandshake =
    "GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const H2FieldList kConnect = {{":method", "CONNECT"},      {":protocol", "websocket"},
                              {":scheme", "http"},         {":path", "/chat"},
                              {":authority", "a.example"}, {"sec-websocket-version", "13"}};
const H2FieldList kCall = {{":method", "POST"},
                           {":scheme", "http"},
                           {":path", "/a.B/C"},
                           {":authority", "a.example"},
                           {"content-type", "application/grpc"},
                           {"te", "trailers"}};

enum class Fall { kCheck, kDisable, kDrain, kHealthy };

class EndWhenDown : public testing::TestWithParam<Fall> {
 protected:
  EndWhenDown() { site.config.pools[0].end_when_down = true; }

  RawServer& add_websocket_backend() {
    return site.add_raw_server([](RawSocket& connection) {
      HttpHead head;
      if (head.parse(connection.received()) != HeadState::kDone) return;
      const std::string accept = l7::http::websocket_accept(head.field("Sec-WebSocket-Key"));
      connection.received().clear();
      connection.send(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
          "websocket\r\nSec-WebSocket-Accept: " +
          accept + "\r\n\r\n");
    });
  }
  void let_fall(Fall how, std::size_t backend = 0) {
    l7::BackendCell& cell = site.cell(backend);
    if (how == Fall::kCheck) cell.is_healthy.store(0);
    if (how == Fall::kDisable) cell.state.store(l7::BackendState::kDisabled);
    if (how == Fall::kDrain) cell.state.store(l7::BackendState::kDraining);
    site.board->bump_version();
  }
  static bool is_end(Fall how) { return how == Fall::kCheck || how == Fall::kDisable; }
  std::uint64_t ended() { return site.counts().ended_with_backend.load(); }

  ResilienceSite site;
};

TEST_P(EndWhenDown, WebSocketsOfBothVersions) {
  RawServer& backend = add_websocket_backend();
  site.apply();
  const auto h1 = site.connect();
  h1->send(kHandshake);
  ASSERT_EQ(site.next_reply(*h1).status, 101);
  const auto h2 = site.connect_h2();
  const std::int32_t id = h2->request(kConnect, std::nullopt);
  ASSERT_TRUE(site.until([&] { return h2->message(id).has_head; }));
  let_fall(GetParam());
  if (!is_end(GetParam())) {
    site.turns_while_waiting();
    EXPECT_FALSE(h1->is_ended() || h2->message(id).is_closed);
    EXPECT_EQ(ended(), 0u);
    return;
  }
  ASSERT_TRUE(site.until([&] { return h1->is_ended() && h2->message(id).is_closed; }));
  EXPECT_TRUE(h1->is_reset());
  EXPECT_NE(h2->message(id).error, 0u);
  EXPECT_FALSE(h2->is_ended()) << "only the stream";
  EXPECT_TRUE(
      site.until([&] { return backend.connections[0]->is_ended() && backend.connections[1]->is_ended(); }));
  EXPECT_EQ(ended(), 2u);
}

TEST_P(EndWhenDown, GrpcCallsThatAreBeingAnsweredWithAStatus) {
  site.config.pools[0].protocol = "h2";
  H2Server server(site.loop, [](H2Peer& peer, std::int32_t id) {
    H2Message& call = peer.message(id);
    if (call.is_closed || !call.interim.empty()) return;
    call.interim.emplace_back();
    peer.respond(id, {{":status", "200"}, {"content-type", "application/grpc"}}, std::nullopt);
    peer.send(id, "some");
  });
  site.config.pools[0].backends.push_back({server.address()});
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t id = client->request(kCall, std::nullopt);
  ASSERT_TRUE(site.until([&] { return client->message(id).body == "some"; }));
  let_fall(GetParam());
  if (!is_end(GetParam())) {
    site.turns_while_waiting();
    EXPECT_FALSE(client->message(id).is_ended);
    return;
  }
  EXPECT_EQ(site.ended(*client, id).trailer("grpc-status"), "14");
  EXPECT_EQ(client->message(id).body, "some");
  EXPECT_EQ(ended(), 1u);
  EXPECT_TRUE(site.until([&] { return server.connections[0]->message(1).is_closed; }));
}

TEST_P(EndWhenDown, RelayedConnections) {
  TcpSite tcp;
  RawServer& backend = tcp.add_raw_server(echo);
  tcp.config.pools[0].end_when_down = true;
  tcp.apply();
  const auto client = tcp.connect();
  client->send("hello");
  ASSERT_TRUE(tcp.has_come(*client, "hello"));
  l7::BackendCell& cell = *tcp.board->backend(l7::backend_key("main", backend.address()));
  if (GetParam() == Fall::kCheck) cell.is_healthy.store(0);
  if (GetParam() == Fall::kDisable) cell.state.store(l7::BackendState::kDisabled);
  if (GetParam() == Fall::kDrain) cell.state.store(l7::BackendState::kDraining);
  tcp.board->bump_version();
  if (!is_end(GetParam())) {
    tcp.turns_while_waiting();
    EXPECT_FALSE(client->is_ended());
    return;
  }
  ASSERT_TRUE(tcp.until([&] { return client->is_ended() && backend.connections[0]->is_ended(); }));
  EXPECT_TRUE(client->is_reset() && backend.connections[0]->is_reset());
  EXPECT_EQ(tcp.line()["reason"], "the backend is down or disabled");
  EXPECT_EQ(tcp.counters().ended_with_backend.load(), 1u);
}

INSTANTIATE_TEST_SUITE_P(ByAll, EndWhenDown,
                         testing::Values(Fall::kCheck, Fall::kDisable, Fall::kDrain, Fall::kHealthy));

TEST_F(EndWhenDown, CallsWithoutAnAnswerAreUnavailable) {
  site.config.pools[0].protocol = "h2";
  H2Server server(site.loop, [](H2Peer&, std::int32_t) {});
  site.config.pools[0].backends.push_back({server.address()});
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t id = client->request(kCall, "x");
  ASSERT_TRUE(site.until(
      [&] { return !server.connections.empty() && server.connections[0]->messages().size() == 1; }));
  let_fall(Fall::kCheck);
  EXPECT_EQ(site.ended(*client, id).field("grpc-status"), "14");
  EXPECT_EQ(site.ended(*client, id).field("x-gatehouse-reason"), "backend-down");
}

// Other exchanges have their own patience, and other pools their own choice.
TEST_F(EndWhenDown, RequestsAndPoolsWithoutTheOptionGoOn) {
  Hostile& backend = site.add(Manner::kHangs);
  site.apply();
  const auto client = site.connect();
  client->send(get("/"));
  ASSERT_TRUE(site.until([&] { return backend.requests.size() == 1; }));
  let_fall(Fall::kDisable);
  site.turns_while_waiting();
  backend.server->connections[0]->send(kFine);
  EXPECT_EQ(site.next_reply(*client).status, 200);
  EXPECT_EQ(ended(), 0u);
}

TEST_F(EndWhenDown, WhatBeginsInAPanicStays) {
  RawServer& backend = add_websocket_backend();
  site.config.pools[0].panic = "use-all";
  site.apply();
  let_fall(Fall::kCheck);
  site.turns_while_waiting();  // it has been noticed
  const auto client = site.connect();
  client->send(kHandshake);
  ASSERT_EQ(site.next_reply(*client).status, 101);
  site.turns_while_waiting();
  site.apply();
  site.turns_while_waiting();
  EXPECT_FALSE(client->is_ended() || backend.connections[0]->is_ended());
}

}  // namespace
}  // namespace gatehouse::test
