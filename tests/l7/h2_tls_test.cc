// ALPN on both sides: who offers HTTP/2, who takes it, and what becomes of those who disagree.
#include <gtest/gtest.h>

#include "tests/l7/support/h2_site.h"
#include "tests/l7/support/tls_backend.h"
#include "tests/l7/support/tls_client.h"
#include "tests/support/h2_frames.h"

namespace gatehouse::test {
namespace {

const std::string kBoth = "\x02h2\x08http/1.1", kH2 = "\x02h2", kH1 = "\x08http/1.1";

class H2Tls : public testing::Test {
 protected:
  H2Tls() {
    add_certificate(site.config.listeners[0], site.files, authority.issue({"a.example", "DNS:a.example"}));
    site.add_server();
  }
  std::unique_ptr<TlsClient> connect(const std::string& offered) {
    auto client = std::make_unique<TlsClient>(site, context.get());
    SSL_set_alpn_protos(client->end.ssl(), reinterpret_cast<const unsigned char*>(offered.data()), static_cast<unsigned>(offered.size()));
    client->connect();
    return client;
  }
  static std::string chosen(const TlsClient& client) {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client.end.ssl(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }

  Authority authority;
  SslContextPtr context = client_context();
  H2Site site;
};

TEST_F(H2Tls, IsOfferedUnlessTheListenerSaysOtherwise) {
  const struct {
    bool http2;
    const std::string& offered;
    const char* chosen;
  } cases[] = {{true, kBoth, "h2"}, {true, kH2, "h2"}, {true, kH1, "http/1.1"}, {false, kBoth, "http/1.1"}, {false, kH1, "http/1.1"}};
  for (const auto& row : cases) {
    site.config.listeners[0].http2 = row.http2;
    site.apply();
    EXPECT_EQ(chosen(*connect(row.offered)), row.chosen) << row.http2 << row.offered;
  }
  site.config.listeners[0].http2 = false;
  site.apply();
  EXPECT_FALSE(connect(kH2)->end.is_open) << "no protocol in common (RFC 7301 §3.2)";
}

TEST_F(H2Tls, WhoAgreedToItIsSpokenToInIt) {
  site.apply();
  const auto client = connect(kBoth);
  client->send(h2::kPreface + h2::frame(h2::kSettings, h2::kNone, 0) +
               h2::frame(h2::kHeaders, h2::kEndHeaders | h2::kEndStream, 1, h2::request("GET", "/bytes/10")));
  const auto came = [&](std::uint8_t type) {
    for (const h2::Frame& each : h2::frames_of(client->end.received)) {
      if (each.type == type && each.stream == 1) return true;
    }
    return false;
  };
  EXPECT_TRUE(site.until([&] { return client->pump(), came(h2::kHeaders) && came(h2::kData); }));
}

TEST_F(H2Tls, WhoDidNotIsSpokenToInHttp1) {
  site.apply();
  EXPECT_EQ(connect(kH1)->ask(get("/bytes/10")).status, 200);
}

TEST_F(H2Tls, ABackendIsAskedForItByAlpnAndMustAgree) {
  for (const bool agrees : {true, false}) {
    std::string offered;
    SslContextPtr server = server_context(authority.issue({"backend.internal", "DNS:backend.internal"}));
    const auto choose = [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned, void* yes) {
      *out = in + 1;
      *size = in[0];
      return yes ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
    };
    SSL_CTX_set_alpn_select_cb(server.get(), choose, agrees ? server.get() : nullptr);
    TlsBackend backend(site.loop, std::move(server));
    config::Pool& pool = site.config.pools[0];
    pool.protocol = "h2";
    pool.backends = {{backend.address()}};
    pool.tls.enabled = true;
    pool.tls.verify = false;
    site.apply();
    const auto client = connect(kH1);
    const Reply reply = client->ask(get("/"));
    EXPECT_EQ(reply.status, 502) << "one that agrees speaks HTTP/1.1 all the same";
    EXPECT_EQ(backend.protocol, agrees ? "h2" : "");
    EXPECT_EQ(backend.requests > 0, agrees) << "it takes the preface for a request";
  }
}

}  // namespace
}  // namespace gatehouse::test
