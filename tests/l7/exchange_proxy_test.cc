// PROXY headers to backends that speak HTTP: every connection is of one client, and begins with who that is.
#include <gtest/gtest.h>

#include "l7/proxy_protocol.h"
#include "tests/l7/support/loopback_worker.h"
#include "tests/l7/support/raw_tls_client.h"
#include "tests/l7/support/tls.h"

namespace gatehouse::test {
namespace {

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(ExchangeProxy, EveryConnectionBeginsWithItsClient) {
  LoopbackWorker site;
  RawServer& server = site.add_raw_server(kOk);
  site.config.pools[0].proxy_protocol = "v1";
  site.apply();
  const auto first = site.connect(), second = site.connect();
  for (RawSocket* client : {first.get(), second.get(), first.get()})
    EXPECT_EQ(site.ask(*client, get("/")).status, 200);
  ASSERT_GE(server.connections.size(), 2u);
  std::string heads;
  for (const auto& connection : server.connections) {
    l7::ProxyHeader header;
    const l7::ProxyResult result = l7::parse_proxy_header(connection->received(), header);
    ASSERT_EQ(result.status, l7::ProxyStatus::kDone) << connection->received();
    EXPECT_EQ(to_string(header.source.address), "127.0.0.1");
    EXPECT_EQ(header.destination, site.address());
    EXPECT_TRUE(connection->received().substr(result.length).starts_with("GET / HTTP/1.1\r\n"));
  }
  EXPECT_EQ(server.connections[0]->received().find("PROXY", 1), std::string::npos);
}

TEST(ExchangeProxy, Version2SaysWhatTlsSaid) {
  LoopbackWorker site;
  RawServer& server = site.add_raw_server(kOk);
  add_certificate(site.config.listeners[0], site.files, Authority().issue({"a.example", "DNS:a.example"}));
  site.config.pools[0].proxy_protocol = "v2";
  site.apply();
  RawTlsClient client(site.connect(), "a.example", "\x08http/1.1");
  ASSERT_TRUE(site.until([&] { return client.is_open(); }));
  client.send(get("/"));
  ASSERT_TRUE(site.until([&] { return client.received().ends_with("ok"); }));
  l7::ProxyHeader header;
  ASSERT_EQ(l7::parse_proxy_header(server.connections[0]->received(), header).status, l7::ProxyStatus::kDone);
  EXPECT_EQ(header.authority, "a.example");
  EXPECT_EQ(header.alpn, "http/1.1");
  EXPECT_EQ(header.tls_version, "TLSv1.3");
}

}  // namespace
}  // namespace gatehouse::test
