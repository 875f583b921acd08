// TLS towards backends: who is trusted, what is said of those who are not, what is resumed and reused.
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/json_fields.h"
#include "l7/health/health_check.h"
#include "tests/l7/support/loopback_worker.h"
#include "tests/l7/support/tls_backend.h"

namespace gatehouse::test {
namespace {

class BackendTls : public testing::Test {
 protected:
  BackendTls() {
    int ends[2];
    GH_CHECK(pipe(ends) == 0);
    log_ = Fd(ends[0]);
    site.worker->set_access_log(Fd(ends[1]));
    pool().tls.enabled = true;
    pool().tls.ca = "ca";
    pool().tls.server_name = "shop.internal";
    site.files.put("ca", {authority.pem()});
  }
  config::Pool& pool() { return site.config.pools[0]; }
  TlsBackend& serve(const Wanted& wanted) {
    backend_ = std::make_unique<TlsBackend>(site.loop, server_context(authority.issue(wanted)));
    pool().backends = {{backend_->address()}};
    site.apply();
    return *backend_;
  }
  // What the log says went wrong with a request.
  std::string failure() {
    const Reply reply = site.ask(get("/"));
    EXPECT_EQ(reply.status, 502);
    EXPECT_EQ(reply.body.find("certificate"), std::string::npos)
        << "that is nobody else's business: " << reply.body;
    site.loop.turn(Duration(0));
    std::string lines(8'192, '\0');
    lines.resize(
        static_cast<std::size_t>(std::max<ssize_t>(read(log_.get(), lines.data(), lines.size()), 0)));
    if (lines.empty()) return "no line";
    const std::size_t last = lines.rfind('\n', lines.size() - 2) + 1;
    return parse_json(lines.substr(last)).value("error", "none");
  }
  // The worker closes what it kept.
  void apply_without_idle() {
    pool().max_idle = 0;
    site.apply();
  }

  Fd log_;  // outlives the worker, which writes to it
  Authority authority, other{"other authority"};
  LoopbackWorker site;
  std::unique_ptr<TlsBackend> backend_;
};

TEST_F(BackendTls, OfATrustedBackendServesRequests) {
  TlsBackend& backend = serve({"b", "DNS:shop.internal"});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(site.ask(get("/")).body, "ok");
  EXPECT_EQ(backend.handshakes, 1u) << "the connection is kept";
  EXPECT_EQ(backend.server_name, "shop.internal");
  EXPECT_EQ(backend.protocol, "");
}

TEST_F(BackendTls, NamesAreVerified) {
  struct {
    const char *certificate, *server_name;
    bool is_good;
  } const cases[] = {{"DNS:shop.internal", "shop.internal", true},
                     {"DNS:*.b.internal", "shop.b.internal", true},
                     {"DNS:other.internal", "shop.internal", false},
                     {"DNS:*.b.internal", "a.shop.b.internal", false},
                     {"IP:127.0.0.1", "", true},
                     {"DNS:localhost", "", false},
                     {"IP:127.0.0.2", "", false}};
  for (const auto& row : cases) {
    pool().tls.server_name = row.server_name;
    TlsBackend& backend = serve({"b", row.certificate});
    if (row.is_good) {
      EXPECT_EQ(site.ask(get("/")).status, 200) << row.certificate;
      EXPECT_EQ(backend.server_name, row.server_name) << "an address is never sent as a name";
    } else {
      const std::string name = *row.server_name ? row.server_name : "127.0.0.1",
                        kind = *row.server_name ? "hostname" : "IP address";
      EXPECT_EQ(failure(), "cannot connect to " + to_string(backend.address()) + ": TLS: certificate of \"" +
                               name + "\" refused: " + kind + " mismatch");
      EXPECT_EQ(backend.requests, 0u);
    }
  }
}

TEST_F(BackendTls, ChainsAreVerified) {
  serve({"b", "DNS:shop.internal"});
  site.files.put("ca", {other.pem()});
  site.apply();
  EXPECT_NE(
      failure().find("TLS: certificate of \"shop.internal\" refused: unable to get local issuer certificate"),
      std::string::npos);
  site.files.put("ca", {authority.pem()});
  serve({"b", "DNS:shop.internal", "EC", -1});
  EXPECT_NE(failure().find("refused: certificate has expired"), std::string::npos);
  pool().tls.ca.clear();
  serve({"b", "DNS:shop.internal"});
  EXPECT_NE(failure().find("refused: "), std::string::npos) << "the host's authorities do not know it";
}

TEST_F(BackendTls, VerificationCanBeTurnedOff) {
  pool().tls.verify = false;
  pool().tls.ca.clear();
  pool().tls.sni = "front.internal";
  TlsBackend& backend = serve({"b", "DNS:whatever"});
  EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(backend.server_name, "front.internal");
}

TEST_F(BackendTls, ABackendThatDoesNotSpeakItHasFailed) {
  site.add_raw_server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  site.apply();
  EXPECT_NE(failure().find("TLS: wrong version number"), std::string::npos);
}

TEST_F(BackendTls, ABackendThatClosesWithinTheHandshakeHasFailed) {
  site.add_raw_server([](RawSocket& connection) { connection.close(); });
  site.apply();
  EXPECT_NE(failure().find("TLS: closed within the handshake"), std::string::npos);
}

TEST_F(BackendTls, VersionsHaveAFloor) {
  pool().tls.min_version = "1.3";
  backend_ =
      std::make_unique<TlsBackend>(site.loop, server_context(authority.issue({"b", "DNS:shop.internal"})));
  SSL_CTX_set_max_proto_version(backend_->context.get(), TLS1_2_VERSION);
  pool().backends = {{backend_->address()}};
  site.apply();
  EXPECT_NE(failure().find("TLS: "), std::string::npos);
  pool().tls.min_version = "1.2";
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 200);
}

TEST_F(BackendTls, SessionsAreResumed) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    backend_ =
        std::make_unique<TlsBackend>(site.loop, server_context(authority.issue({"b", "DNS:shop.internal"})));
    SSL_CTX_set_max_proto_version(backend_->context.get(), version);
    pool().backends = {{backend_->address()}};
    apply_without_idle();
    for (int i = 0; i < 5; ++i) EXPECT_EQ(site.ask(get("/")).status, 200);
    EXPECT_EQ(backend_->handshakes, 5u);
    EXPECT_EQ(backend_->resumed, 4u) << version;
  }
}

TEST_F(BackendTls, ProtocolsAreOffered) {
  pool().tls.alpn = {"foo", "http/1.1"};
  backend_ =
      std::make_unique<TlsBackend>(site.loop, server_context(authority.issue({"b", "DNS:shop.internal"})));
  SSL_CTX_set_alpn_select_cb(
      backend_->context.get(),
      [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
         void*) {
        const auto* ours = reinterpret_cast<const unsigned char*>("\x08http/1.1");
        return SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, ours, 9, in, in_size) ==
                       OPENSSL_NPN_NEGOTIATED
                   ? SSL_TLSEXT_ERR_OK
                   : SSL_TLSEXT_ERR_ALERT_FATAL;
      },
      nullptr);
  pool().backends = {{backend_->address()}};
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(backend_->protocol, "http/1.1");
}

TEST_F(BackendTls, BackendsThatAskAreShownOurCertificate) {
  const Issued own = authority.issue({"gatehouse"});
  backend_ =
      std::make_unique<TlsBackend>(site.loop, server_context(authority.issue({"b", "DNS:shop.internal"})));
  SSL_CTX_set_verify(backend_->context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     [](int, X509_STORE_CTX*) { return 1; });
  pool().backends = {{backend_->address()}};
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 502);
  pool().tls.certificate = "own";
  pool().tls.key = "own.key";
  site.files.put("own", {own.chain});
  site.files.put("own.key", {own.key});
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(backend_->client_name, "gatehouse");
}

// What was made under other terms is neither used nor resumed.
TEST_F(BackendTls, ConnectionsAndSessionsBelongToOneIdentity) {
  TlsBackend& backend = serve({"b", "DNS:shop.internal,DNS:b.internal"});
  EXPECT_EQ(site.ask(get("/")).status, 200);
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(backend.handshakes, 1u) << "nothing has changed";
  pool().tls.server_name = "b.internal";
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(backend.handshakes, 2u);
  EXPECT_EQ(backend.resumed, 0u);
  site.files.put("ca", {authority.pem() + other.pem()});
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(backend.handshakes, 3u) << "other authorities";
  pool().tls.enabled = false;
  site.apply();
  EXPECT_NE(site.ask(get("/")).status, 200);
  EXPECT_EQ(backend.handshakes, 3u);
}

TEST_F(BackendTls, HealthChecksSpeakItToo) {
  TlsBackend& backend = serve({"b", "DNS:shop.internal"});
  l7::BufferPool buffers;
  PrivateKeyReader keys;
  pool().health.path = "/healthz";
  for (const bool is_good : {true, false}) {
    if (!is_good) pool().tls.server_name = "else.internal";
    const auto plan = l7::HealthPlan::make(pool(), site.files, keys);
    ASSERT_TRUE(plan.has_value());
    l7::HealthCheck check(site.loop, buffers, *plan, backend.address(), Duration(0), {[] {}, {}});
    ASSERT_TRUE(site.until([&] { return check.is_decided(); }));
    EXPECT_EQ(check.is_healthy(), is_good) << check.reason();
    EXPECT_EQ(
        check.reason(),
        is_good ? "" : "cannot connect: TLS: certificate of \"else.internal\" refused: hostname mismatch");
  }
  EXPECT_EQ(backend.requests, 1u);
}

TEST_F(BackendTls, BadFilesRefuseTheConfig) {
  serve({"b", "DNS:shop.internal"});
  site.files.put("ca", {"nothing"});
  const auto refused = site.worker->set_config(site.config, site.files);
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().message.starts_with("[[pool]] \"main\".tls: ca: authorities: "))
      << refused.error().message;
  EXPECT_EQ(site.ask(get("/")).status, 200);
}

}  // namespace
}  // namespace gatehouse::test
