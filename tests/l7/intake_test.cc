// The first bytes of a connection: PROXY headers and ClientHellos, in any pieces, from those who may send
// them and from those who may not.
#include "l7/intake.h"

#include <gtest/gtest.h>

#include "tests/l7/support/hello_bytes.h"
#include "tests/l7/support/tcp_site.h"
#include "tests/l7/support/raw_tls_client.h"
#include "tests/l7/support/tls.h"

namespace gatehouse::test {
namespace {

constexpr std::string_view kV1 = "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n";

std::string v2_header() {
  l7::ProxyHeader header;
  header.names_client = true;
  header.source = *Endpoint::parse("[2001:db8::7]:40000");
  header.destination = *Endpoint::parse("[2001:db8::1]:443");
  header.authority = "said.example";
  char out[l7::kMostProxyHeader];
  return {out, l7::write_proxy_header(l7::ProxyVersion::kV2, header, out)};
}

void trust(LoopbackWorker& site, const char* proxies = "127.0.0.0/8") {
  site.config.listeners[0].proxy_protocol = true;
  site.config.listeners[0].trusted_proxies = {*IpPrefix::parse(proxies)};
}

// An HTTP listener behind a proxy; the backend keeps what it got.
class ProxiedHttp : public testing::Test {
 protected:
  ProxiedHttp() : server(site.add_raw_server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) {
    site.config.listeners[0].mode = "http";
    trust(site);
  }
  std::string seen_by_backend() {
    return server.connections.empty() ? "" : server.connections[0]->received();
  }

  TcpSite site;
  RawServer& server;
};

TEST_F(ProxiedHttp, TheHeadersClientIsTheClient) {
  site.apply();
  const std::pair<std::string, std::string> rows[] = {
      {std::string(kV1), "192.0.2.7"}, {v2_header(), "2001:db8::7"}, {"PROXY UNKNOWN\r\n", "127.0.0.1"}};
  for (const auto& [header, address] : rows) {
    server.connections.clear();
    const auto client = site.connect();
    EXPECT_EQ(site.ask(*client, header + get("/", "X-Forwarded-For: 203.0.113.1\r\n")).status, 200);
    const bool is_believed = address == "127.0.0.1";  // the proxy itself is trusted, its clients are not
    const std::string expected = is_believed ? "203.0.113.1, 127.0.0.1" : address;
    EXPECT_NE(seen_by_backend().find("X-Forwarded-For: " + expected + "\r\n"), std::string::npos)
        << seen_by_backend();
    EXPECT_EQ(site.ask(*client, get("/again")).status, 200);
    client->close();
    std::vector<nlohmann::json> lines;
    site.until([&] { return !(lines = site.log.lines()).empty(); });
    ASSERT_FALSE(lines.empty());
    EXPECT_EQ(lines[0]["client"], address);
  }
}

TEST_F(ProxiedHttp, HeadersMayComeInAnyPieces) {
  site.apply();
  for (const std::string& header : {std::string(kV1), v2_header()}) {
    const auto client = site.connect();
    for (const char c : header + get("/")) {
      client->send({&c, 1});
      site.loop.turn(Duration(0));
    }
    EXPECT_EQ(site.next_reply(*client).status, 200);
  }
}

TEST_F(ProxiedHttp, WhoIsNotTrustedIsReset) {
  trust(site, "10.0.0.0/8");
  site.apply();
  const auto client = site.connect();
  client->send(std::string(kV1) + get("/"));
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_TRUE(client->is_reset());
  EXPECT_EQ(site.counters().refused_headers.load(), 1u);
  EXPECT_EQ(server.connections.size(), 0u);
}

TEST_F(ProxiedHttp, WhatIsNoHeaderIsReset) {
  site.apply();
  std::uint64_t refused = 0;
  for (const std::string& bytes : {get("/"), "PROXY TCP4 192.0.2.7\r\n" + get("/"),
                                   std::string("PROXY UNKNOWN") + std::string(100, 'x')}) {
    const auto client = site.connect();
    client->send(bytes);
    ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
    EXPECT_TRUE(client->is_reset());
    EXPECT_EQ(site.counters().refused_headers.load(), ++refused);
  }
  EXPECT_EQ(server.connections.size(), 0u);
}

TEST_F(ProxiedHttp, AHeaderHasItsTime) {
  site.config.listeners[0].header_timeout = Duration(100);
  site.apply();
  const auto silent = site.connect(), slow = site.connect();
  slow->send(kV1.substr(0, 20));
  ASSERT_TRUE(site.until([&] { return silent->is_ended() && slow->is_ended(); }));
  EXPECT_EQ(site.counters().refused_headers.load(), 2u);
}

TEST_F(ProxiedHttp, WhoLeavesWithoutAHeaderIsForgotten) {
  site.apply();
  const auto silent = site.connect(), half = site.connect();
  half->send("PROXY ");
  half->end_output();
  silent->end_output();
  ASSERT_TRUE(site.until([&] { return silent->is_ended() && half->is_ended(); }));
  EXPECT_EQ(site.counters().refused_headers.load(), 0u);
}

TEST_F(ProxiedHttp, TlsFollowsTheHeader) {
  add_certificate(site.config.listeners[0], site.files, Authority().issue({"a.example", "DNS:a.example"}));
  site.apply();
  auto socket = site.connect();
  socket->send(kV1);
  RawTlsClient client(std::move(socket), "a.example");
  ASSERT_TRUE(site.until([&] { return client.is_open(); }));
  client.send(get("/"));
  ASSERT_TRUE(site.until([&] { return client.received().ends_with("ok"); }));
  EXPECT_NE(seen_by_backend().find("X-Forwarded-For: 192.0.2.7\r\n"), std::string::npos);
  EXPECT_NE(seen_by_backend().find("X-Forwarded-Proto: https\r\n"), std::string::npos);
}

TEST_F(ProxiedHttp, AListenerThatGoesTakesThoseThatAreNotKnownYet) {
  site.apply();
  const auto client = site.connect();
  client->send("PROXY ");
  site.loop.turn(Duration(10));
  site.config.listeners[0].name = "other";
  site.apply();
  client->send("TCP4");
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
}

TEST(ProxiedRelay, TellsItsBackendWhatItWasTold) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  trust(site);
  site.config.pools[0].proxy_protocol = "v1";
  site.apply();
  const auto client = site.connect();
  client->send(std::string(kV1) + "hello");
  EXPECT_TRUE(site.has_come(site.accepted_by(server), std::string(kV1) + "hello"));
  client->reset();
  EXPECT_EQ(site.line()["client"], "192.0.2.7");
}

TEST(ProxiedRelay, WithoutAHeaderOfItsOwnItNamesTheClient) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.config.pools[0].proxy_protocol = "v2";
  site.apply();
  const auto client = site.connect();
  RawSocket& backend = site.accepted_by(server);
  ASSERT_TRUE(site.until([&] { return backend.received().size() >= 16; }))
      << "before the client says anything";
  l7::ProxyHeader header;
  ASSERT_EQ(l7::parse_proxy_header(backend.received(), header).status, l7::ProxyStatus::kDone);
  EXPECT_EQ(to_string(header.source.address), "127.0.0.1");
  EXPECT_NE(header.source.port, 0);
  EXPECT_EQ(header.destination, site.address());
  EXPECT_FALSE(header.is_tls);
}

// Two pools by server name, and one for the rest.
class Passthrough : public testing::Test {
 protected:
  Passthrough() : site("tls-passthrough") {
    for (const char* name : {"one", "two"}) {
      site.config.pools.emplace_back().name = name;
      servers.push_back(std::make_unique<RawServer>(site.loop, ignore));
      site.config.pools.back().backends.push_back({servers.back()->address()});
    }
    rest = &site.add_raw_server(ignore);
    site.config.tls_routes.push_back({"one", {"a.example", "*.b.example"}, "one"});
    site.config.tls_routes.push_back({"two", {"x.b.example"}, "two"});
  }
  RawServer& server_of(const std::string& pool) {
    return pool == "one" ? *servers[0] : pool == "two" ? *servers[1] : *rest;
  }

  TcpSite site;
  std::vector<std::unique_ptr<RawServer>> servers;
  RawServer* rest;
};

TEST_F(Passthrough, GoesByTheServerName) {
  site.apply();
  const std::pair<const char*, const char*> rows[] = {
      {"a.example", "one"},   {"A.Example", "one"},  {"y.b.example", "one"},    {"z.y.b.example", "one"},
      {"x.b.example", "two"}, {"b.example", "main"}, {"other.example", "main"}, {"", "main"}};
  for (const auto& [name, pool] : rows) {
    RawServer& server = server_of(pool);
    const std::size_t before = server.connections.size();
    const std::string bytes = real_hello(name) + "and more";
    const auto client = site.connect();
    client->send(bytes);
    RawSocket& backend = site.accepted_by(server, before + 1);
    EXPECT_TRUE(site.has_come(backend, bytes)) << "not a byte is changed";
    backend.send("server hello");
    EXPECT_TRUE(site.has_come(*client, "server hello"));
    client->reset();
    ASSERT_TRUE(site.is_over());
    const nlohmann::json line = site.line();
    EXPECT_EQ(line["pool"], pool) << name;
    EXPECT_EQ(line.value("server_name", ""), name);
    EXPECT_EQ(line["alpn"], "h2");
  }
}

TEST_F(Passthrough, AHelloMayComeByteByByteAndInManyRecords) {
  site.apply();
  const std::string bytes = in_records(hello(server_name("a.example")), 7);
  const auto client = site.connect();
  for (const char c : bytes) {
    client->send({&c, 1});
    site.loop.turn(Duration(0));
  }
  EXPECT_TRUE(site.has_come(site.accepted_by(*servers[0]), bytes));
}

TEST_F(Passthrough, WithoutARouteTheClientIsToldSo) {
  site.config.listeners[0].pool.clear();
  site.apply();
  for (const char* name : {"other.example", ""}) {
    const auto client = site.connect();
    client->send(real_hello(name));
    ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
    EXPECT_FALSE(client->is_reset());
    EXPECT_EQ(client->received(), std::string("\x15\x03\x03\0\x02\x02\x70", 7)) << "unrecognized_name";
  }
  RawTlsClient openssl(site.connect(), "other.example");
  ASSERT_TRUE(site.until([&] { return openssl.is_open() || openssl.socket().is_ended(); }));
  EXPECT_EQ(site.counters().refused_hellos.load(), 3u);
}

TEST_F(Passthrough, WhatIsNoHelloIsRefused) {
  site.config.listeners[0].header_timeout = Duration(500);
  site.apply();
  std::uint64_t refused = 0;
  for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"),
                                   in_records(hello(server_name("a.example") + server_name("b.example"))),
                                   in_records(handshake(std::string(15'000, '\0')), 1).substr(0, 20'000)}) {
    const auto client = site.connect();
    client->send(bytes);
    ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
    EXPECT_EQ(client->received(), std::string("\x15\x03\x03\0\x02\x02\x32", 7)) << "decode_error";
    EXPECT_EQ(site.counters().refused_hellos.load(), ++refused);
  }
  EXPECT_EQ(rest->connections.size(), 0u);
}

TEST_F(Passthrough, AHelloHasItsTime) {
  site.config.listeners[0].header_timeout = Duration(100);
  site.apply();
  const auto client = site.connect();
  client->send(real_hello("a.example").substr(0, 100));
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_EQ(site.counters().refused_hellos.load(), 1u);
}

// A client that floods after its refusal neither keeps the worker busy nor its connection.
TEST_F(Passthrough, ARefusedClientMaySendOnForAWhileOnly) {
  site.config.listeners[0].pool.clear();
  site.apply();
  const auto client = site.connect();
  client->send(real_hello("other.example"));
  const std::string junk(256 * 1024, 'j');
  bool is_drained = false;
  site.until([&] { return client->is_ended(); });
  site.worker->drain(Duration(3'600'000), [&] { is_drained = true; });
  EXPECT_TRUE(site.until([&] {
    if (client->unsent() == 0) client->send(junk);
    return is_drained;
  }));
}

TEST_F(Passthrough, BackendsLearnTheNameFromAPROXYHeader) {
  trust(site);
  site.config.pools[1].proxy_protocol = "v2";
  site.apply();
  const auto client = site.connect();
  const std::string bytes = real_hello("a.example");
  client->send(v2_header() + bytes);
  RawSocket& backend = site.accepted_by(*servers[0]);
  ASSERT_TRUE(site.until([&] { return backend.received().ends_with(bytes); }));
  l7::ProxyHeader header;
  const l7::ProxyResult result = l7::parse_proxy_header(backend.received(), header);
  ASSERT_EQ(result.status, l7::ProxyStatus::kDone);
  EXPECT_EQ(result.length + bytes.size(), backend.received().size());
  EXPECT_EQ(header.authority, "a.example");
  EXPECT_EQ(to_string(header.source), "[2001:db8::7]:40000");
  EXPECT_EQ(to_string(header.destination), "[2001:db8::1]:443");
}

}  // namespace
}  // namespace gatehouse::test
