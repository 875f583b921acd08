// Which certificate answers which server name and client, and what is said of pairs that cannot be used.
#include "l7/tls/context.h"

#include <gtest/gtest.h>

#include "tests/l7/support/tls.h"

namespace gatehouse::l7 {
namespace {

using namespace gatehouse::test;

class TlsNames : public testing::Test {
 protected:
  TlsNames() { listener.name = "web"; }
  Issued add(const std::string& common_name, const std::string& alternatives,
             const std::string& key_type = "EC") {
    const Issued issued = authority.issue({common_name, alternatives, key_type});
    add_certificate(listener, files, issued);
    return issued;
  }
  void make() {
    auto made = TlsContext::make(listener, files, resources, options);
    GH_CHECK(made.has_value());
    tls = std::move(*made);
  }
  void make_usual() {
    add("default", "DNS:default.example");
    add("shop", "DNS:shop.example,DNS:Www.Shop.Example,IP:192.0.2.1");
    add("wild", "DNS:*.shop.example");
    add("old.example", "");
    add("second", "DNS:shop.example,DNS:second.example");
    make();
  }
  // A client of `context`, after its handshake.
  std::unique_ptr<TlsEnd> connect(const char* server_name, SSL_CTX* context) {
    auto client = std::make_unique<TlsEnd>(context);
    server = std::make_unique<TlsEnd>(tls->context(), true);
    if (server_name) SSL_set_tlsext_host_name(client->ssl(), server_name);
    talk(*client, *server);
    return client;
  }
  std::string peer_of(const TlsEnd& client) {
    return common_name_of(SSL_get0_peer_certificate(client.ssl()));
  }

  Authority authority;
  config::Listener listener;
  TlsFiles files;
  TlsResources resources;
  TlsContext::Options options;
  std::unique_ptr<TlsContext> tls;
  std::unique_ptr<TlsEnd> server;
};

struct Chosen {
  const char* server_name;
  const char* certificate;
};

TEST_F(TlsNames, ChooseTheCertificate) {
  make_usual();
  const std::string long_name = std::string(300, 'x') + ".example";
  const Chosen cases[] = {{"default.example", "default"}, {"shop.example", "shop"},
                          {"SHOP.Example", "shop"},       {"www.shop.example", "shop"},
                          {"a.shop.example", "wild"},     {"a.b.shop.example", "default"},
                          {"old.example", "old.example"}, {"second.example", "second"},
                          {"other.example", "default"},   {"", "default"},
                          {"example", "default"},         {"192.0.2.1", "default"},
                          {".shop.example", "default"},   {long_name.c_str(), "default"}};
  for (int round = 0; round < 2; ++round) {
    for (const Chosen& row : cases) {
      EXPECT_EQ(common_name_of(SSL_CTX_get0_certificate(tls->choose(row.server_name))), row.certificate)
          << row.server_name;
    }
  }
}

TEST_F(TlsNames, AnswerTheHandshake) {
  make_usual();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const SslContextPtr context = client_context(version);
    for (const Chosen& row : {Chosen{"shop.example", "shop"},
                              {"a.shop.example", "wild"},
                              {"other.example", "default"},
                              {nullptr, "default"}}) {
      const auto client = connect(row.server_name, context.get());
      EXPECT_TRUE(client->is_open) << client->failure;
      EXPECT_EQ(peer_of(*client), row.certificate);
      EXPECT_EQ(SSL_version(client->ssl()), version);
    }
  }
}

// RSA and ECDSA certificates for one name: a client that verifies only one kind gets that one.
TEST_F(TlsNames, TheClientsSignaturesDecideBetweenCertificatesOfOneName) {
  add("rsa", "DNS:a.example,DNS:r.example", "RSA");
  add("ec", "DNS:a.example,DNS:*.a.example");
  add("wild rsa", "DNS:*.a.example", "RSA");
  make();
  struct {
    const char *server_name, *signatures, *ciphers, *certificate;
  } const cases[] = {
      {"a.example", "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256",
       "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", "ec"},
      {"a.example", "RSA-PSS+SHA256:RSA+SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "rsa"},
      {"a.example", "ECDSA+SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "ec"},
      {"b.a.example", "RSA-PSS+SHA256:RSA+SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "wild rsa"},
      {"b.a.example", "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "ec"},
      {"r.example", "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "rsa"},
      {nullptr, "ECDSA+SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "ec"},
      {nullptr, "RSA-PSS+SHA256:RSA+SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "rsa"}};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const auto& row : cases) {
      const SslContextPtr context = client_context(version);
      SSL_CTX_set1_sigalgs_list(context.get(), row.signatures);
      SSL_CTX_set_cipher_list(context.get(), row.ciphers);
      const auto client = connect(row.server_name, context.get());
      EXPECT_TRUE(client->is_open) << client->failure;
      EXPECT_EQ(peer_of(*client), row.certificate)
          << (row.server_name ? row.server_name : "no name") << " " << row.signatures;
    }
  }
}

// Names come with the files; certificates are understood when somebody asks for them.
TEST_F(TlsNames, ThousandsOfCertificatesCostNothingUntilTheyAreAskedFor) {
  const Issued one = add("default", "DNS:default.example");
  TlsFile chain = describe_chain(one.chain);
  for (int i = 0; i < 5'000; ++i) {
    const std::string name = "n" + std::to_string(i);
    listener.certificates.push_back({name, "web0.key", ""});
    chain.names = {name + ".example"};
    chain.text = i == 77 ? "not a certificate" : one.chain;
    files.put(name, chain);
  }
  make();
  EXPECT_NE(tls->choose("n4999.example"), tls->context());
  EXPECT_EQ(tls->choose("n4999.example"), tls->choose("N4999.example"));
  EXPECT_NE(tls->choose("n4999.example"), tls->choose("n4998.example"));
  EXPECT_EQ(tls->choose("n77.example"), tls->context()) << "what cannot be used is answered with the default";
}

TEST_F(TlsNames, ProtocolsAreChosenByOurOrder) {
  add("a", "DNS:a.example");
  options.protocols = {"h2", "http/1.1"};
  make();
  const std::pair<std::string, std::string> cases[] = {{"\x08http/1.1\x02h2", "h2"},
                                                       {"\x08http/1.1", "http/1.1"},
                                                       {"\x03"
                                                        "foo\x08http/1.1",
                                                        "http/1.1"},
                                                       {"", ""}};
  const SslContextPtr context = client_context();
  for (const auto& [offered, chosen] : cases) {
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(offered.data()),
                            static_cast<unsigned>(offered.size()));
    const auto client = connect("a.example", context.get());
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client->ssl(), &name, &size);
    EXPECT_TRUE(client->is_open);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(name), size), chosen);
  }
  SSL_CTX_set_alpn_protos(context.get(),
                          reinterpret_cast<const unsigned char*>("\x03"
                                                                 "foo"),
                          4);
  EXPECT_FALSE(connect("a.example", context.get())->is_open);
}

TEST_F(TlsNames, PoliciesSayWhichVersionsCiphersAndGroupsAreSpoken) {
  struct Row {
    config::TlsPolicy policy;
    int version;
    const char *ciphers, *groups;  // of the client
    bool is_open;
  };
  const Row rows[] = {{{}, TLS1_1_VERSION, "ALL:@SECLEVEL=0", "X25519", false},
                      {{}, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "X25519:P-256", true},
                      {{}, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", "X25519", false},
                      {{}, TLS1_3_VERSION, "DEFAULT", "P-384", true},
                      {{}, TLS1_3_VERSION, "DEFAULT", "P-521", false},
                      {{"modern"}, TLS1_2_VERSION, "DEFAULT", "X25519", false},
                      {{"modern"}, TLS1_3_VERSION, "DEFAULT", "X25519", true},
                      {{"intermediate", "1.3"}, TLS1_2_VERSION, "DEFAULT", "X25519", false},
                      {{"intermediate", "", "ECDHE-ECDSA-AES256-GCM-SHA384"},
                       TLS1_2_VERSION,
                       "ECDHE-ECDSA-AES128-GCM-SHA256",
                       "X25519",
                       false},
                      {{"intermediate", "", "ECDHE-ECDSA-AES256-GCM-SHA384"},
                       TLS1_2_VERSION,
                       "ECDHE-ECDSA-AES256-GCM-SHA384",
                       "X25519:P-256",
                       true},
                      {{"intermediate", "", "", "", "P-256"}, TLS1_3_VERSION, "DEFAULT", "X25519", false},
                      {{"intermediate", "", "", "", "P-256"}, TLS1_3_VERSION, "DEFAULT", "P-256", true}};
  add("a", "DNS:a.example");
  for (const Row& row : rows) {
    listener.tls = row.policy;
    make();
    const SslContextPtr context = client_context(row.version);
    SSL_CTX_set_min_proto_version(context.get(), row.version);
    ASSERT_EQ(SSL_CTX_set_cipher_list(context.get(), row.ciphers), 1);
    ASSERT_EQ(SSL_CTX_set1_groups_list(context.get(), row.groups), 1);
    EXPECT_EQ(connect("a.example", context.get())->is_open, row.is_open)
        << row.policy.policy << " " << row.version << " " << row.ciphers << " " << row.groups;
  }
  listener.tls = {"intermediate", "", "", "TLS_CHACHA20_POLY1305_SHA256"};
  make();
  const SslContextPtr context = client_context();
  EXPECT_STREQ(SSL_get_cipher_name(connect("a.example", context.get())->ssl()),
               "TLS_CHACHA20_POLY1305_SHA256");
}

TEST_F(TlsNames, FreshOcspResponsesAreStapledToTheCertificateTheyAreAbout) {
  const Issued ec = authority.issue({"ec", "DNS:a.example"}),
               rsa = authority.issue({"rsa", "DNS:a.example", "RSA"});
  const Issued stale = authority.issue({"stale", "DNS:b.example"}),
               none = authority.issue({"none", "DNS:c.example"});
  const std::string about_ec = authority.ocsp_response(ec), about_rsa = authority.ocsp_response(rsa);
  add_certificate(listener, files, ec, about_ec);
  add_certificate(listener, files, rsa, about_rsa);
  add_certificate(listener, files, stale, authority.ocsp_response(stale, -1));
  add_certificate(listener, files, none);
  make();
  const auto stapled = [&](const char* name, const char* signatures, int version, bool asks = true) {
    const SslContextPtr context = client_context(version);
    SSL_CTX_set1_sigalgs_list(context.get(), signatures);
    if (asks) SSL_CTX_set_tlsext_status_type(context.get(), TLSEXT_STATUSTYPE_ocsp);
    const auto client = connect(name, context.get());
    EXPECT_TRUE(client->is_open) << client->failure;
    const unsigned char* response = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(client->ssl(), &response);
    return size > 0 ? std::string(reinterpret_cast<const char*>(response), static_cast<std::size_t>(size))
                    : std::string();
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(stapled("a.example", "ECDSA+SHA256", version), about_ec);
    EXPECT_EQ(stapled("a.example", "RSA-PSS+SHA256", version), about_rsa);
    EXPECT_EQ(stapled("a.example", "ECDSA+SHA256", version, false), "");
    EXPECT_EQ(stapled("b.example", "ECDSA+SHA256", version), "");
    EXPECT_EQ(stapled("c.example", "ECDSA+SHA256", version), "");
  }
}

TEST_F(TlsNames, AConnectionOutlivesTheContextThatAReloadDropped) {
  make_usual();
  const SslContextPtr context = client_context();
  TlsEnd client(context.get()), late(tls->context(), true);
  SSL_set_tlsext_host_name(client.ssl(), "shop.example");
  tls.reset();
  talk(client, late);
  EXPECT_TRUE(client.is_open) << client.failure;
  EXPECT_EQ(peer_of(client), "default");
}

TEST_F(TlsNames, PairsThatCannotBeUsedAreNamedWithTheirListener) {
  const Issued good = authority.issue({"good"}), other = authority.issue({"other"});
  const std::string cut = good.chain.substr(0, good.chain.size() / 4);
  const struct {
    const char* name;
    std::string chain, key;
    const char* why;
  } cases[] = {
      {"no chain", "", good.key, "web0.chain: certificate chain is not usable"},
      {"text for a chain", "not PEM", good.key, "web0.chain: certificate chain is not usable"},
      {"half a chain", cut, good.key, "web0.chain: certificate chain is not usable"},
      {"the key as chain", good.key, good.key, "web0.chain: certificate chain is not usable"},
      {"no key", good.chain, "", "web0.chain: key is not usable"},
      {"the chain as key", good.chain, good.chain, "web0.chain: key is not usable"},
      {"another's key", good.chain, other.key, "web0.chain: key does not belong to the certificate"}};
  for (const auto& row : cases) {
    listener.certificates.clear();
    files = {};
    Issued issued = good;
    issued.chain = row.chain;
    issued.key = row.key;
    add_certificate(listener, files, issued);
    const auto made = TlsContext::make(listener, files, resources, options);
    ASSERT_FALSE(made.has_value()) << row.name;
    EXPECT_TRUE(made.error().message.starts_with(std::string("[[listener]] \"web\": ") + row.why))
        << row.name << ": " << made.error().message;
  }
}

TEST_F(TlsNames, IssuersFollowTheLeaf) {
  add("leaf", "DNS:a.example");
  make();
  const SslContextPtr context = client_context();
  const auto client = connect("a.example", context.get());
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(client->ssl());
  ASSERT_EQ(sk_X509_num(chain), 2);
  EXPECT_EQ(common_name_of(sk_X509_value(chain, 1)), "test authority");
}

}  // namespace
}  // namespace gatehouse::l7
