// A connection that is passed through: every byte in both directions, its ends, its backends.
#include <gtest/gtest.h>

#include "l7/proxy_protocol.h"
#include "tests/l7/support/hello_bytes.h"
#include "tests/l7/support/tcp_site.h"
#include "tests/l7/support/raw_tls_client.h"
#include "tests/l7/support/tls.h"
#include "tests/support/byte_pattern.h"

namespace gatehouse::test {
namespace {

TEST(Relay, PassesMessagesBothWays) {
  TcpSite site;
  site.add_raw_server(echo);
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 200; ++i) {
    const std::string message = std::to_string(i) + std::string(static_cast<std::size_t>(i) * 37 % 128, 'x');
    client->send(message);
    ASSERT_TRUE(site.has_come(*client, message));
    client->received().clear();
  }
  EXPECT_EQ(site.counters().relays.load(), 1u);
  EXPECT_EQ(site.counters().accepted.load(), 1u);
}

TEST(Relay, TheServerMaySpeakFirst) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.apply();
  const auto client = site.connect();
  site.accepted_by(server).send("220 ready\r\n");
  EXPECT_TRUE(site.has_come(*client, "220 ready\r\n"));
}

TEST(Relay, AnEndIsPassedOnAndTheOtherDirectionGoesOn) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.apply();
  const auto client = site.connect();
  client->send("question");
  client->end_output();
  RawSocket& backend = site.accepted_by(server);
  ASSERT_TRUE(site.has_come(backend, "question"));
  ASSERT_TRUE(site.until([&] { return backend.is_ended(); }));
  EXPECT_FALSE(client->is_ended());
  backend.send("answer");
  ASSERT_TRUE(site.has_come(*client, "answer"));
  backend.end_output();
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_FALSE(client->is_reset() || backend.is_reset());
  EXPECT_TRUE(site.is_over());
  const nlohmann::json line = site.line();
  EXPECT_EQ(line["bytes_in"], 8);
  EXPECT_EQ(line["bytes_out"], 6);
  EXPECT_EQ(line["listener"], "web");
  EXPECT_EQ(line["pool"], "main");
  EXPECT_EQ(line["client"], "127.0.0.1");
  EXPECT_EQ(line["backend"], to_string(server.address()));
  EXPECT_FALSE(line.contains("reason")) << line;
}

TEST(Relay, TheBackendMayEndFirst) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.apply();
  const auto client = site.connect();
  RawSocket& backend = site.accepted_by(server);
  backend.send("bye");
  backend.end_output();
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_EQ(client->received(), "bye");
  client->send("still here");
  EXPECT_TRUE(site.has_come(backend, "still here"));
  client->end_output();
  EXPECT_TRUE(site.is_over());
}

// What is cut must not look whole.
TEST(Relay, AResetIsPassedOnAfterWhatCameBeforeIt) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.apply();
  const auto client = site.connect();
  RawSocket& backend = site.accepted_by(server);
  backend.send("half of an ans");
  ASSERT_TRUE(site.has_come(*client, "half of an ans"));
  backend.reset();
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_TRUE(client->is_reset());
  EXPECT_TRUE(site.is_over());
  EXPECT_EQ(site.line()["reason"], "the backend reset the connection");
}

TEST(Relay, AResetOfTheClientReachesTheBackend) {
  for (const bool has_ended_before : {false, true}) {
    TcpSite site;
    RawServer& server = site.add_raw_server(ignore);
    site.apply();
    const auto client = site.connect();
    RawSocket& backend = site.accepted_by(server);
    client->send("x");
    if (has_ended_before) client->end_output();
    ASSERT_TRUE(site.has_come(backend, "x"));
    ASSERT_TRUE(!has_ended_before || site.until([&] { return backend.is_ended(); }));
    client->reset();
    ASSERT_TRUE(site.until([&] { return backend.is_ended(); }));
    EXPECT_TRUE(site.is_over()) << has_ended_before;
    EXPECT_EQ(site.line()["reason"], "the client reset the connection");
  }
}

TEST(Relay, GoesToAnotherBackendWhenOneCannotBeReached) {
  TcpSite site;
  RefusingAddress refusing;
  site.config.pools[0].backends.push_back({refusing.address()});
  RawServer& server = site.add_raw_server(echo);
  site.apply();
  for (int i = 0; i < 4; ++i) {
    const auto client = site.connect();
    client->send("hello");
    ASSERT_TRUE(site.has_come(*client, "hello")) << i;
  }
  EXPECT_EQ(server.connections.size(), 4u);
  EXPECT_GE(site.board->backend(l7::backend_key("main", refusing.address()))->failures.load(), 1u);
  EXPECT_EQ(site.counters().failed_relays.load(), 0u);
}

TEST(Relay, WithoutAnyBackendTheClientSeesAReset) {
  TcpSite site;
  RefusingAddress refusing;
  site.config.pools[0].backends.push_back({refusing.address()});
  site.apply();
  const auto client = site.connect();
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_TRUE(client->is_reset());
  EXPECT_EQ(site.counters().failed_relays.load(), 1u);
  const std::string reason = site.line()["reason"];
  EXPECT_EQ(reason.substr(0, 17), "cannot connect to") << reason;
}

TEST(Relay, UnhealthyBackendsGetNothing) {
  TcpSite site;
  RawServer& first = site.add_raw_server(echo);
  RawServer& second = site.add_raw_server(echo);
  site.apply();
  site.board->backend(l7::backend_key("main", first.address()))->is_healthy = 0;
  site.board->bump_version();
  std::vector<std::unique_ptr<RawSocket>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(site.connect());
    clients.back()->send("x");
    ASSERT_TRUE(site.has_come(*clients.back(), "x"));
  }
  EXPECT_EQ(first.connections.size(), 0u);
  EXPECT_EQ(second.connections.size(), 6u);
  EXPECT_EQ(site.board->backend(l7::backend_key("main", second.address()))->in_flight[0].load(), 6u);
  clients.clear();
}

TEST(Relay, EndsWhenNothingMovesForTooLong) {
  TcpSite site;
  site.add_raw_server(echo);
  site.config.listeners[0].idle_timeout = Duration(100);
  site.apply();
  const auto client = site.connect();
  client->send("x");
  ASSERT_TRUE(site.has_come(*client, "x"));
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_EQ(site.line()["reason"], "nothing moved for 100ms");
}

// A backend that does not answer the SYN: its accept queue is full.
TEST(Relay, ConnectTimeoutTriesAnother) {
  TcpSite site;
  Endpoint full;
  const Fd listening = listen_on_loopback(full, 0);
  std::vector<std::unique_ptr<RawSocket>> fillers;
  for (int i = 0; i < 4; ++i) fillers.push_back(std::make_unique<RawSocket>(site.loop, full));
  site.config.pools[0].backends.push_back({full});
  RawServer& server = site.add_raw_server(echo);
  site.config.pools[0].connect_timeout = Duration(100);
  site.apply();
  std::vector<std::unique_ptr<RawSocket>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(site.connect());
    clients.back()->send("hello");
    ASSERT_TRUE(site.has_come(*clients.back(), "hello"));
  }
  EXPECT_EQ(server.connections.size(), 2u);
}

TEST(Relay, AReloadTakesNothingFromThoseThatAreThere) {
  TcpSite site;
  RawServer& before = site.add_raw_server(echo);
  site.apply();
  const auto client = site.connect();
  client->send("one");
  ASSERT_TRUE(site.has_come(*client, "one"));
  site.config.pools[0].backends.clear();
  RawServer& after = site.add_raw_server(echo);
  site.apply();
  client->received().clear();
  client->send("two");
  EXPECT_TRUE(site.has_come(*client, "two"));
  const auto other = site.connect();
  other->send("three");
  EXPECT_TRUE(site.has_come(*other, "three"));
  EXPECT_EQ(before.connections.size(), 1u);
  EXPECT_EQ(after.connections.size(), 1u);
}

TEST(Relay, ADrainWaitsForItAndEndsAtItsDeadline) {
  TcpSite site;
  site.add_raw_server(echo);
  site.apply();
  const auto client = site.connect(), other = site.connect();
  for (RawSocket* each : {client.get(), other.get()}) {
    each->send("x");
    ASSERT_TRUE(site.has_come(*each, "x"));
  }
  bool is_drained = false;
  site.worker->drain(Duration(1'000), [&] { is_drained = true; });
  client->send("y");
  EXPECT_TRUE(site.has_come(*client, "xy"));
  client->end_output();
  EXPECT_FALSE(is_drained);
  EXPECT_TRUE(site.until([&] { return is_drained; }));
  site.worker.reset();
  EXPECT_TRUE(site.until([&] { return other->is_ended(); }));
}

TEST(Relay, TlsMayEndAtTheListener) {
  TcpSite site;
  RawServer& server = site.add_raw_server(echo);
  add_certificate(site.config.listeners[0], site.files, Authority().issue({"a.example", "DNS:a.example"}));
  site.config.pools[0].proxy_protocol = "v2";
  site.apply();
  RawTlsClient client(site.connect(), "a.example", "\x08http/1.1");
  ASSERT_TRUE(site.until([&] { return client.is_open(); }));
  RawSocket& backend = site.accepted_by(server);
  ASSERT_TRUE(site.until([&] { return client.received().size() > 16; })) << "the PROXY header comes back";
  l7::ProxyHeader header;
  const std::string echoed = client.received();
  ASSERT_EQ(l7::parse_proxy_header(echoed, header).status, l7::ProxyStatus::kDone);
  EXPECT_EQ(header.authority, "a.example");
  EXPECT_EQ(header.alpn, "http/1.1");
  EXPECT_TRUE(header.is_tls);
  EXPECT_EQ(header.tls_version, "TLSv1.3");
  EXPECT_EQ(header.tls_cipher, SSL_get_cipher_name(client.ssl()));
  const std::string message(pattern_at(0, 300'000));
  client.send(message);
  ASSERT_TRUE(site.until([&] { return client.received().size() == echoed.size() + message.size(); }));
  EXPECT_EQ(client.received().substr(echoed.size()), message);
  client.socket().end_output();
  EXPECT_TRUE(site.until([&] { return backend.is_ended(); }));
}

TEST(Relay, ATlsHandshakeHasItsTime) {
  TcpSite site;
  site.add_raw_server(echo);
  add_certificate(site.config.listeners[0], site.files, Authority().issue({"a.example", "DNS:a.example"}));
  site.config.listeners[0].header_timeout = Duration(100);
  site.apply();
  const auto client = site.connect();
  client->send(real_hello("a.example").substr(0, 50));
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_EQ(site.line()["reason"], "the TLS handshake did not come to its end in time");
}

}  // namespace
}  // namespace gatehouse::test
