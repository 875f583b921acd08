// Which certificate answers which server name, and what is said of pairs that cannot be used.
#include "l7/tls_context.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tests/l7/support/certificate.h"

namespace gatehouse::l7 {
namespace {

using test::make_pair;

std::string common_name_of(X509* certificate) {
  char text[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
  return text;
}

struct Chosen {
  const char* server_name;
  const char* certificate;
};

class TlsNames : public testing::Test {
 protected:
  TlsNames() {
    auto made =
        TlsContext::make("web", {make_pair("default", "DNS:default.example"),
                                 make_pair("shop", "DNS:shop.example,DNS:Www.Shop.Example,IP:192.0.2.1"),
                                 make_pair("wild", "DNS:*.shop.example"), make_pair("old.example"),
                                 make_pair("second", "DNS:shop.example,DNS:second.example")});
    GH_CHECK(made.has_value());
    tls = std::move(*made);
  }
  std::unique_ptr<TlsContext> tls;
};

TEST_F(TlsNames, ChooseTheCertificate) {
  const Chosen cases[] = {{"default.example", "default"}, {"shop.example", "shop"},
                          {"SHOP.Example", "shop"},       {"www.shop.example", "shop"},
                          {"a.shop.example", "wild"},     {"a.b.shop.example", "default"},
                          {"old.example", "old.example"}, {"second.example", "second"},
                          {"other.example", "default"},   {"", "default"},
                          {"example", "default"},         {"192.0.2.1", "default"}};
  for (const Chosen& row : cases) {
    EXPECT_EQ(common_name_of(SSL_CTX_get0_certificate(tls->choose(row.server_name))), row.certificate)
        << row.server_name;
  }
}

// Both ends in memory, until neither has anything to say.
struct Handshake {
  Handshake(SSL_CTX* server_context, const char* server_name, int max_version, const std::string& protocols)
      : context(SSL_CTX_new(TLS_client_method())), client(SSL_new(context)), server(SSL_new(server_context)) {
    BIO *left = nullptr, *right = nullptr;
    BIO_new_bio_pair(&left, 0, &right, 0);
    SSL_set_bio(client, left, left);
    SSL_set_bio(server, right, right);
    SSL_set_max_proto_version(client, max_version);
    if (server_name) SSL_set_tlsext_host_name(client, server_name);
    if (!protocols.empty()) {
      SSL_set_alpn_protos(client, reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
    }
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int i = 0; i < 10; ++i) is_done = (SSL_do_handshake(client) == 1) & (SSL_do_handshake(server) == 1);
  }
  ~Handshake() {
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(context);
  }
  std::string peer() const {
    X509* certificate = SSL_get0_peer_certificate(client);
    return certificate ? common_name_of(certificate) : "";
  }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(client, &name, &length);
    return {reinterpret_cast<const char*>(name), length};
  }

  SSL_CTX* context;
  SSL* client;
  SSL* server;
  bool is_done = false;
};

TEST_F(TlsNames, AnswerTheHandshake) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Chosen& row : {Chosen{"shop.example", "shop"},
                              {"a.shop.example", "wild"},
                              {"other.example", "default"},
                              {nullptr, "default"}}) {
      const Handshake handshake(tls->context(), row.server_name, version, "");
      EXPECT_TRUE(handshake.is_done);
      EXPECT_EQ(handshake.peer(), row.certificate);
      EXPECT_EQ(SSL_version(handshake.client), version);
    }
  }
}

TEST_F(TlsNames, OldVersionsAreNotSpoken) {
  EXPECT_FALSE(Handshake(tls->context(), "shop.example", TLS1_1_VERSION, "").is_done);
}

TEST_F(TlsNames, Http11IsTheOnlyProtocol) {
  const Handshake both(tls->context(), "shop.example", TLS1_3_VERSION, "\x02h2\x08http/1.1");
  EXPECT_TRUE(both.is_done);
  EXPECT_EQ(both.protocol(), "http/1.1");
  EXPECT_FALSE(Handshake(tls->context(), "shop.example", TLS1_3_VERSION, "\x02h2").is_done);
}

TEST_F(TlsNames, AConnectionOutlivesTheContextThatAReloadDropped) {
  SSL* connection = SSL_new(tls->context());
  tls.reset();
  EXPECT_EQ(common_name_of(SSL_get_certificate(connection)), "default");
  SSL_free(connection);
}

struct BadPair {
  const char* name;
  KeyPair pair;
  const char* why;
};

TEST(TlsPairs, ThatCannotBeUsedAreNamedWithTheirListener) {
  const KeyPair good = make_pair("good"), other = make_pair("other");
  const std::string cut = good.chain.substr(0, good.chain.size() / 2);
  const BadPair cases[] = {
      {"no chain", {"", good.key}, "certificate chain is not usable"},
      {"text for a chain", {"not PEM", good.key}, "certificate chain is not usable"},
      {"half a chain", {cut, good.key}, "certificate chain is not usable"},
      {"the key as chain", {good.key, good.key}, "certificate chain is not usable"},
      {"no key", {good.chain, ""}, "key is not usable"},
      {"the chain as key", {good.chain, good.chain}, "key is not usable"},
      {"another's key", {good.chain, other.key}, "key does not belong to the certificate"}};
  for (const BadPair& row : cases) {
    const auto made = TlsContext::make("web", {good, row.pair});
    ASSERT_FALSE(made.has_value()) << row.name;
    EXPECT_TRUE(made.error().message.starts_with(std::string("[[listener]] \"web\": ") + row.why))
        << row.name << ": " << made.error().message;
    EXPECT_FALSE(TlsContext::make("web", {row.pair}).has_value()) << row.name;
  }
  EXPECT_TRUE(TlsContext::make("web", {good}).has_value()) << "what went wrong before is forgotten";
}

TEST(TlsPairs, IssuersFollowTheLeaf) {
  const KeyPair leaf = make_pair("leaf"), issuer = make_pair("issuer");
  const auto made = TlsContext::make("web", {{leaf.chain + issuer.chain, leaf.key}});
  ASSERT_TRUE(made.has_value());
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs((*made)->context(), &chain);
  ASSERT_EQ(sk_X509_num(chain), 1);
  EXPECT_EQ(common_name_of(sk_X509_value(chain, 0)), "issuer");
}

}  // namespace
}  // namespace gatehouse::l7
