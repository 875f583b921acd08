// Channels over TCP: both ends have the site's certificates, or nothing is said.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <fstream>

#include "common/control/transport.h"
#include "tests/common/control_ends.h"
#include "tests/support/temporary_folder.h"

namespace gatehouse::control {
namespace {

using Told = std::vector<std::string>;

// A key with its certificate, signed by `issuer` or by itself. As small as OpenSSL takes it.
struct Identity {
  Identity(const std::string& common_name, const Identity* issuer, long lifetime_seconds = 3600) {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), lifetime_seconds);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_pubkey(certificate, key);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer->certificate : certificate));
    X509_EXTENSION* constraints = X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints,
                                                      issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    X509_add_ext(certificate, constraints, -1);
    X509_EXTENSION_free(constraints);
    EXPECT_GT(X509_sign(certificate, issuer ? issuer->key : key, EVP_sha256()), 0);
  }
  Identity(const Identity&) = delete;
  ~Identity() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  void write(const std::string& certificate_file, const std::string& key_file) const {
    FILE* file = fopen(certificate_file.c_str(), "w");
    EXPECT_EQ(PEM_write_X509(file, certificate), 1);
    fclose(file);
    file = fopen(key_file.c_str(), "w");
    EXPECT_EQ(PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr), 1);
    fclose(file);
  }
  static inline long serial = 0;
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
};

class Tls : public testing::Test {
 protected:
  Tls() {
    authority_.write(at("ca.pem"), at("ca.key"));
    other_authority_.write(at("other-ca.pem"), at("other-ca.key"));
    Identity("l4a", &authority_).write(at("l4a.pem"), at("l4a.key"));
    Identity("n1", &authority_).write(at("n1.pem"), at("n1.key"));
    Identity("n1", &authority_, -60).write(at("expired.pem"), at("expired.key"));
    Identity("n1", &other_authority_).write(at("stranger.pem"), at("stranger.key"));
    Identity("n1", nullptr).write(at("self-signed.pem"), at("self-signed.key"));
  }

  std::string at(const std::string& file) const { return folder_.path() + "/" + file; }
  std::shared_ptr<TlsIdentity> identity(const std::string& name, const std::string& ca = "ca.pem") const {
    auto loaded = load_tls_identity({at(name + ".pem"), at(name + ".key"), at(ca)});
    EXPECT_TRUE(loaded) << loaded.error().message;
    return *loaded;
  }
  // Trusts the site's authority, and shows nothing itself.
  std::shared_ptr<TlsIdentity> nobody() const {
    SSL_CTX* context = SSL_CTX_new(TLS_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    EXPECT_EQ(SSL_CTX_load_verify_file(context, at("ca.pem").c_str()), 1);
    return std::make_shared<TlsIdentity>(context);
  }
  std::shared_ptr<TlsIdentity> old_tls() const {
    auto old = identity("n1");
    SSL_CTX_set_min_proto_version(old->context(), TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(old->context(), TLS1_2_VERSION);
    return old;
  }

  // Listens on a port that was free a moment ago.
  void serve(std::shared_ptr<TlsIdentity> own) {
    endpoint_.port = 0;
    sockaddr_storage storage;
    socklen_t length = to_sockaddr(endpoint_, storage);
    {
      const Fd free(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      ASSERT_EQ(bind(free.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
      ASSERT_EQ(getsockname(free.get(), reinterpret_cast<sockaddr*>(&storage), &length), 0);
      endpoint_ = Endpoint::from_sockaddr(storage);
    }
    auto server = listen_tcp(loop_, endpoint_, std::move(own), served_.handlers());
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  void dial(End& client, std::shared_ptr<TlsIdentity> own) {
    client.channel = connect_tcp(loop_, endpoint_, std::move(own), client.handlers());
  }

  EventLoop loop_;
  const test::TemporaryFolder folder_;
  Identity authority_{"site", nullptr}, other_authority_{"site", nullptr};  // that only calls itself the same
  Endpoint endpoint_{IpAddress::from_v4({127, 0, 0, 1}), 0};
  End served_;
  std::unique_ptr<Server> server_;
};

TEST_F(Tls, RightCertificatesTalk) {
  serve(identity("l4a"));
  End client;
  dial(client, identity("n1"));
  client.ask("hello", {{"node", 1}});
  turn_until(loop_, [&] { return served_.asked.size() == 1; });
  EXPECT_EQ(served_.told, (Told{"open", R"(request hello {"node":1})"}));
  served_.asked[0](Json("welcome"));
  turn_until(loop_, [&] { return client.told.size() == 2; });
  EXPECT_EQ(client.told, (Told{"open", "hello = \"welcome\""}));
  EXPECT_EQ(client.channel->peer_name(), "l4a");
  EXPECT_EQ(client.channel->peer(), to_string(endpoint_) + " (CN l4a)");
  EXPECT_EQ(client.channel->peer_pid(), 0);
  ASSERT_EQ(server_->channels().size(), 1u);
  EXPECT_EQ(server_->channels()[0]->peer_name(), "n1");
  client.channel.reset();
  turn_until(loop_, [&] { return served_.is_closed(); });
  EXPECT_EQ(served_.told.back(), "close closed by the peer");
}

TEST_F(Tls, CarriesLargeFramesBothWays) {
  serve(identity("l4a"));
  End client;
  dial(client, identity("n1"));
  const std::string text(3 << 20, 'x');
  client.ask("large", {{"text", text}});
  turn_until(loop_, [&] { return served_.asked.size() == 1; });
  EXPECT_EQ(served_.told.back().size(), text.size() + std::string(R"(request large {"text":""})").size());
  served_.asked[0](Json(text));
  turn_until(loop_, [&] { return client.told.size() == 2; });
  EXPECT_EQ(client.told.back().size(), text.size() + std::string(R"(large = "")").size());
}

TEST_F(Tls, RefusesClientsThatAreNotOfTheSite) {
  serve(identity("l4a"));
  const struct {
    const char* name;
    std::shared_ptr<TlsIdentity> own;
    const char* served;  // what the server says of it
  } rows[] = {
      {"no certificate", nobody(), "close TLS: peer did not return a certificate"},
      {"of another authority", identity("stranger"),
       "close certificate refused: certificate signature failure"},
      {"expired", identity("expired"), "close certificate refused: certificate has expired"},
      {"signed by itself", identity("self-signed"), "close certificate refused: self-signed certificate"},
      {"TLS 1.2", old_tls(), "close TLS: unsupported protocol"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    served_.told.clear();
    End client;
    dial(client, row.own);
    client.ask("hello");
    turn_until(loop_, [&] { return client.is_closed() && served_.is_closed(); });
    EXPECT_EQ(served_.told, Told{row.served}) << "and nothing was asked";
    EXPECT_TRUE(served_.asked.empty());
    EXPECT_TRUE(server_->channels().empty());
    // Its own handshake may end before the refusal comes; there is no answer in any case.
    EXPECT_TRUE(client.told[client.told.size() - 2].starts_with("hello failed: no answer from "))
        << client.told[0];
  }
}

TEST_F(Tls, RefusesServersThatAreNotOfTheSite) {
  const struct {
    const char* name;
    const char* reason;
  } rows[] = {
      {"stranger", "close certificate refused: certificate signature failure"},
      {"expired", "close certificate refused: certificate has expired"},
      {"self-signed", "close certificate refused: self-signed certificate"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    serve(identity(row.name));
    End client;
    dial(client, identity("n1"));
    turn_until(loop_, [&] { return client.is_closed(); });
    EXPECT_EQ(client.told, Told{row.reason});
  }
}

TEST_F(Tls, RefusesWhoDoesNotSpeakTls) {
  serve(identity("l4a"));
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(endpoint_, storage);
  const Fd clear(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(clear.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
  const std::string bytes = frame(R"({"jsonrpc":"2.0","id":1,"method":"status"})");
  ASSERT_EQ(send(clear.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  turn_until(loop_, [&] { return served_.is_closed(); });
  EXPECT_EQ(served_.told.size(), 1u);
  EXPECT_TRUE(served_.told[0].starts_with("close TLS: ")) << served_.told[0];
}

TEST_F(Tls, GivesUpOnAPeerThatSaysNothing) {
  serve(identity("l4a"));
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(endpoint_, storage);
  const Fd silent(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(silent.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
  turn_until(loop_, [&] { return served_.is_closed(); });
  EXPECT_EQ(served_.told, Told{"close no connection within 5s"});
  EXPECT_TRUE(server_->channels().empty());
}

TEST_F(Tls, SilentStrangersKeepNobodyOut) {
  serve(identity("l4a"));
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(endpoint_, storage);
  std::vector<Fd> silent;
  for (int i = 0; i < 100; ++i) {
    silent.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(silent.back().get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
  }
  settle(loop_);
  End client;
  dial(client, identity("n1"));
  turn_until(loop_, [&] { return served_.told == Told{"open"}; });
  EXPECT_EQ(client.told, Told{"open"});
  char byte;
  EXPECT_EQ(recv(silent[0].get(), &byte, 1, MSG_DONTWAIT), 0) << "the oldest made room";
}

TEST_F(Tls, TellsThatNobodyListens) {
  serve(identity("l4a"));
  server_.reset();
  End client;
  dial(client, identity("n1"));
  turn_until(loop_, [&] { return client.is_closed(); });
  EXPECT_EQ(client.told, Told{"close Connection refused"});
}

TEST_F(Tls, ListenErrorsNameTheAddress) {
  serve(identity("l4a"));
  const auto second = listen_tcp(loop_, endpoint_, identity("l4a"), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "cannot listen on " + to_string(endpoint_) + ": Address already in use");
}

TEST_F(Tls, IdentityErrorsNameTheFile) {
  std::ofstream(at("empty.pem")) << "\n";
  const std::string good = at("n1.pem"), key = at("n1.key"), ca = at("ca.pem"), none = at("none.pem"),
                    empty = at("empty.pem");
  const struct {
    config::Control control;
    std::string start;
  } rows[] = {
      {{none, key, ca}, "[control] certificate " + none + ": "},
      {{empty, key, ca}, "[control] certificate " + empty + ": "},
      {{good, none, ca}, "[control] key " + none + ": "},
      {{good, at("l4a.key"), ca}, "[control] key " + at("l4a.key") + ": "},
      {{good, key, none}, "[control] ca " + none + ": "},
      {{good, key, empty}, "[control] ca " + empty + ": "},
  };
  for (const auto& row : rows) {
    const auto loaded = load_tls_identity(row.control);
    ASSERT_FALSE(loaded) << row.start;
    EXPECT_TRUE(loaded.error().message.starts_with(row.start)) << loaded.error().message;
    EXPECT_GT(loaded.error().message.size(), row.start.size());
  }
  const auto nothing = load_tls_identity({});
  ASSERT_TRUE(nothing);
  EXPECT_EQ(*nothing, nullptr) << "no [control]";
}

}  // namespace
}  // namespace gatehouse::control
