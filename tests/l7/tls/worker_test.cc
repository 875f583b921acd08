// Requests over TLS through a real worker: what backends are told of the client, what clients are told of the
// site, early data, and handshakes that do not end or come in floods.
#include <gtest/gtest.h>

#include "tests/l7/support/tls_client.h"

namespace gatehouse::test {
namespace {

class TlsSite : public testing::Test {
 protected:
  TlsSite() {
    add_certificate(site.config.listeners[0], site.files, authority.issue({"a", "DNS:a.example"}));
    backend = &site.add_raw_server([this](RawSocket& connection) {
      forwarded = connection.received();
      connection.received().clear();
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + answer_fields + "\r\nok");
    });
    site.worker->set_ticket_keys(l7::derive_ticket_keys(std::string(32, 's'), 1));
  }
  std::string forwarded_field(std::string_view name) const {
    HttpHead head;
    return head.parse(forwarded) == HeadState::kDone ? std::string(head.field(name)) : "malformed";
  }
  std::uint64_t failed(l7::HandshakeFailure reason) {
    return site.board->worker(0).handshakes.failed[static_cast<std::size_t>(reason)].load();
  }

  Authority authority;
  LoopbackWorker site;
  RawServer* backend;
  std::string forwarded, answer_fields;
  SslContextPtr context = client_context();
};

TEST_F(TlsSite, AnswersRequests) {
  site.apply();
  TlsClient client(site, context.get());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.ask(get("/")).body, "ok");
  EXPECT_EQ(forwarded_field("x-forwarded-proto"), "https");
  EXPECT_EQ(site.board->worker(0).handshakes.done.load(), 1u);
}

TEST_F(TlsSite, ResumesSessions) {
  site.apply();
  TlsClient first(site, context.get());
  EXPECT_EQ(first.ask(get("/")).status, 200);
  TlsClient second(site, context.get(), "a.example", session_of(first.end).get());
  EXPECT_EQ(second.ask(get("/")).status, 200);
  EXPECT_EQ(SSL_session_reused(second.end.ssl()), 1);
  EXPECT_EQ(site.board->worker(0).handshakes.resumed.load(), 1u);
}

TEST_F(TlsSite, TellsBrowsersToStayWithTls) {
  site.config.listeners[0].hsts = "max-age=1";
  site.config.routes.push_back(site.config.routes[0]);
  site.config.routes[1].path = "/strict";
  site.config.routes[1].hsts = "max-age=2; includeSubDomains";
  answer_fields = "Strict-Transport-Security: max-age=3\r\n";
  site.apply();
  TlsClient client(site, context.get());
  const std::string field = "Strict-Transport-Security";
  EXPECT_EQ(client.ask(get("/")).field(field), "max-age=1");
  EXPECT_EQ(client.ask(get("/strict")).field(field), "max-age=2; includeSubDomains");
  site.config.listeners[0].hsts.clear();
  site.config.routes[0].path = "/other";
  site.apply();
  EXPECT_EQ(client.ask(get("/strict")).field(field), "max-age=2; includeSubDomains");
  EXPECT_EQ(client.ask(get("/other")).field(field), "max-age=3") << "the backend's, where we have none";
  EXPECT_EQ(client.ask(get("/nowhere")).field(field), "");
}

TEST_F(TlsSite, NeverSaysSoInTheClear) {
  site.config.listeners[0].hsts = "max-age=1";
  site.config.listeners[0].certificates.clear();
  site.apply();
  EXPECT_FALSE(site.ask(get("/")).has_field("Strict-Transport-Security"));
}

class ClientCertificates : public TlsSite {
 protected:
  void set_mode(const std::string& mode) {
    config::Listener& listener = site.config.listeners[0];
    listener.client_certificates = mode;
    listener.client_ca = "ca";
    site.files.put("ca", {authority.pem()});
    site.apply();
  }
  SslContextPtr context_of(const Issued& issued, int version = TLS1_3_VERSION) {
    SslContextPtr made = client_context(version);
    const BioPtr bio = bio_over(issued.key);
    const PrivateKeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    GH_CHECK(SSL_CTX_use_certificate(made.get(), issued.certificate()) == 1 &&
             SSL_CTX_use_PrivateKey(made.get(), key.get()) == 1);
    return made;
  }
  Issued client =
      authority.issue({"Alice, \xc3\x84rztin", "URI:spiffe://site/alice,DNS:alice.example,IP:192.0.2.9"});
  Issued stranger = Authority("stranger").issue({"Mallory"});
  const std::string kForged =
      "X-Client-Cert-Verified: SUCCESS\r\nx-client-cert-subject: CN=root\r\nX-Client-Cert-Fingerprint: 00\r\n"
      "X-CLIENT-CERT-NAMES: DNS:root\r\nClient-Cert: :AA==:\r\nClient-Cert-Chain: :AA==:\r\n";
};

TEST_F(ClientCertificates, AreToldToBackends) {
  set_mode("request");
  const SslContextPtr with = context_of(client);
  EXPECT_EQ(TlsClient(site, with.get()).ask(get("/", kForged)).status, 200);
  EXPECT_EQ(forwarded_field("x-client-cert-verified"), "SUCCESS");
  EXPECT_EQ(forwarded_field("x-client-cert-subject"), "CN=Alice\\, \\C3\\84rztin");
  EXPECT_EQ(forwarded_field("x-client-cert-names"),
            "URI:spiffe://site/alice, DNS:alice.example, IP Address:192.0.2.9");
  EXPECT_EQ(forwarded_field("x-client-cert-fingerprint").size(), 64u);
  EXPECT_EQ(forwarded.find("root"), std::string::npos) << forwarded;
  EXPECT_EQ(forwarded.find("AA=="), std::string::npos) << forwarded;
}

TEST_F(ClientCertificates, ChooseARouteWhenTheyAreVerified) {
  config::Route& ops = site.config.routes.emplace_back();
  ops.name = "ops";
  ops.tls = config::TlsMatch{{"1.3"}, {"a.example"}, "CN=(Alice|Mallory).*"};
  ops.response = config::DirectResponse{.status = 204};
  set_mode("request");
  const SslContextPtr good = context_of(client), bad = context_of(stranger), old = context_of(client, TLS1_2_VERSION);
  EXPECT_EQ(TlsClient(site, good.get()).ask(get("/")).status, 204);
  EXPECT_EQ(TlsClient(site, bad.get()).ask(get("/", kForged)).status, 200);
  EXPECT_EQ(TlsClient(site, old.get()).ask(get("/")).status, 200);
  EXPECT_EQ(TlsClient(site, context.get()).ask(get("/", kForged)).status, 200);
}

TEST_F(ClientCertificates, AreToldAfterAResumptionToo) {
  set_mode("require");
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const SslContextPtr with = context_of(client, version);
    TlsClient first(site, with.get());
    EXPECT_EQ(first.ask(get("/")).status, 200);
    const std::string fingerprint = forwarded_field("x-client-cert-fingerprint");
    TlsClient second(site, with.get(), "a.example", session_of(first.end).get());
    EXPECT_EQ(second.ask(get("/")).status, 200);
    EXPECT_EQ(SSL_session_reused(second.end.ssl()), 1);
    EXPECT_EQ(forwarded_field("x-client-cert-verified"), "SUCCESS");
    EXPECT_EQ(forwarded_field("x-client-cert-fingerprint"), fingerprint);
  }
}

TEST_F(ClientCertificates, ThatAreRequestedOnlyMayBeMissingOrBad) {
  set_mode("request");
  EXPECT_EQ(TlsClient(site, context.get()).ask(get("/", kForged)).status, 200);
  EXPECT_EQ(forwarded_field("x-client-cert-verified"), "NONE");
  EXPECT_EQ(forwarded.find("root"), std::string::npos) << forwarded;
  const SslContextPtr with = context_of(stranger);
  EXPECT_EQ(TlsClient(site, with.get()).ask(get("/")).status, 200);
  EXPECT_TRUE(forwarded_field("x-client-cert-verified").starts_with("FAILED: ")) << forwarded;
  EXPECT_EQ(forwarded_field("x-client-cert-subject"), "CN=Mallory");
}

TEST_F(ClientCertificates, ThatAreRequiredMustBeGood) {
  set_mode("require");
  const SslContextPtr good = context_of(client), bad = context_of(stranger),
                      expired = context_of(authority.issue({"late", "", "EC", -2}));
  EXPECT_EQ(TlsClient(site, good.get()).ask(get("/")).status, 200);
  for (SSL_CTX* each : {context.get(), bad.get(), expired.get()})
    EXPECT_EQ(TlsClient(site, each).ask(get("/")).status, 0);
  EXPECT_EQ(failed(l7::HandshakeFailure::kClientCertificate), 3u);
}

TEST_F(ClientCertificates, ThatAreRevokedAreRefused) {
  site.config.listeners[0].client_crl = "crl";
  site.files.put("crl", {authority.revocation_list({client.serial})});
  set_mode("require");
  const SslContextPtr revoked = context_of(client), other = context_of(authority.issue({"Bob"}));
  EXPECT_EQ(TlsClient(site, revoked.get()).ask(get("/")).status, 0);
  EXPECT_EQ(TlsClient(site, other.get()).ask(get("/")).status, 200);
  EXPECT_EQ(forwarded_field("x-client-cert-subject"), "CN=Bob");
}

TEST_F(ClientCertificates, OfAListenerThatAsksForNoneAreNotInventedByClients) {
  site.apply();
  EXPECT_EQ(TlsClient(site, context.get()).ask(get("/", kForged)).status, 200);
  EXPECT_EQ(forwarded.find("lient-"), std::string::npos) << forwarded;
}

class EarlyData : public TlsSite {
 protected:
  EarlyData() {
    site.config.routes.push_back(site.config.routes[0]);
    site.config.routes[1].path = "/safe";
    site.config.routes[1].early_data = true;
    site.apply();
    TlsClient first(site, context.get());
    EXPECT_EQ(first.ask(get("/")).status, 200);
    session = session_of(first.end);
    forwarded.clear();
  }
  // A client that says `request` before the handshake.
  std::unique_ptr<TlsClient> hurry(const std::string& request) {
    auto client = std::make_unique<TlsClient>(site, context.get(), "a.example", session.get());
    std::size_t written = 0;
    EXPECT_EQ(SSL_write_early_data(client->end.ssl(), request.data(), request.size(), &written), 1);
    client->socket->send(client->end.take());
    return client;
  }
  SessionPtr session;
};

TEST_F(EarlyData, IsTakenByRoutesThatSayItIsSafe) {
  const auto client = hurry(get("/safe"));
  EXPECT_TRUE(site.until([&] { return !forwarded.empty(); })) << "before the client has said another word";
  EXPECT_EQ(forwarded_field("early-data"), "1");
  EXPECT_EQ(client->next_reply().status, 200);
  EXPECT_EQ(SSL_get_early_data_status(client->end.ssl()), SSL_EARLY_DATA_ACCEPTED);
  EXPECT_EQ(client->ask(get("/safe")).status, 200);
  EXPECT_EQ(forwarded_field("early-data"), "") << "the handshake is done";
  EXPECT_EQ(site.board->worker(0).handshakes.done.load(), 2u);
}

TEST_F(EarlyData, IsTooEarlyForOthers) {
  const auto client = hurry(get("/other"));
  EXPECT_EQ(client->next_reply().status, 425);
  EXPECT_EQ(forwarded, "");
  EXPECT_EQ(client->ask(get("/other")).status, 200);
}

TEST_F(EarlyData, OfARequestInTwoHalvesIsEarlyWhenItsEndIs) {
  const std::string request = get("/safe");
  const auto client = hurry(request.substr(0, 20));
  std::size_t written = 0;
  EXPECT_EQ(SSL_write_early_data(client->end.ssl(), request.data() + 20, request.size() - 20, &written), 1);
  client->socket->send(client->end.take());
  EXPECT_EQ(client->next_reply().status, 200);
  EXPECT_EQ(forwarded_field("early-data"), "1");
}

TEST_F(EarlyData, IsNotOfferedWhereNoRouteTakesIt) {
  site.config.routes[1].early_data = false;
  site.apply();
  TlsClient client(site, context.get());
  EXPECT_EQ(client.ask(get("/")).status, 200);
  EXPECT_EQ(SSL_SESSION_get_max_early_data(session_of(client.end).get()), 0u);
  EXPECT_GT(SSL_SESSION_get_max_early_data(session.get()), 0u);
}

TEST_F(TlsSite, AHandshakeThatDoesNotEndIsEnded) {
  site.config.listeners[0].handshake_timeout = Duration(100);
  site.apply();
  const auto silent = site.connect(), slow = site.connect();
  TlsEnd hello(context.get());
  hello.advance();
  slow->send(hello.take().substr(0, 100));
  EXPECT_TRUE(site.until([&] { return silent->is_ended() && slow->is_ended(); }));
  EXPECT_EQ(failed(l7::HandshakeFailure::kTimeout), 2u);
}

TEST_F(TlsSite, FailuresHaveReasons) {
  site.apply();
  const auto send = [&](std::string_view bytes) {
    const auto client = site.connect();
    client->send(bytes);
    client->end_output();
    EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
  };
  send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(failed(l7::HandshakeFailure::kNotTls), 1u);
  send("");
  EXPECT_EQ(failed(l7::HandshakeFailure::kClosed), 1u);
  const SslContextPtr old = client_context(TLS1_1_VERSION);
  SSL_CTX_set_min_proto_version(old.get(), TLS1_VERSION);
  SSL_CTX_set_cipher_list(old.get(), "ALL:@SECLEVEL=0");
  EXPECT_FALSE(TlsClient(site, old.get()).connect());
  EXPECT_EQ(failed(l7::HandshakeFailure::kVersion), 1u);
  const SslContextPtr odd = client_context(TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(odd.get(), "AES128-SHA");
  EXPECT_FALSE(TlsClient(site, odd.get()).connect());
  EXPECT_EQ(failed(l7::HandshakeFailure::kCipher), 1u);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  TlsClient suspicious(site, context.get());
  suspicious.connect();
  suspicious.pump();
  EXPECT_TRUE(site.until([&] { return failed(l7::HandshakeFailure::kRefused) == 1; }));
  EXPECT_EQ(site.board->worker(0).handshakes.done.load(), 0u);
}

// Each turn of the loop begins as many as the config says; who waits is served in order, and requests go on.
TEST_F(TlsSite, AFloodOfHandshakesLeavesTurnsToOpenConnections) {
  site.config.tls.handshakes_per_turn = 2;
  site.apply();
  TlsClient open(site, context.get());
  ASSERT_TRUE(open.connect());
  std::vector<std::unique_ptr<TlsClient>> flood;
  for (int i = 0; i < 40; ++i) {
    flood.push_back(std::make_unique<TlsClient>(site, context.get()));
    flood.back()->pump();
  }
  const auto answered = [&] {
    return std::count_if(flood.begin(), flood.end(),
                         [](const auto& client) { return !client->socket->received().empty(); });
  };
  open.send(get("/"));
  Reply reply;
  long most = 0;
  ASSERT_TRUE(site.until([&] {
    const long before = answered();
    site.loop.turn(Duration(1));
    most = std::max(most, answered() - before);
    open.pump();
    if (const auto came = take_reply(open.end.received)) reply = *came;
    return answered() == 40 && reply.status != 0;
  }));
  EXPECT_EQ(reply.status, 200);
  EXPECT_LE(most, 4) << "of one turn, and of the one before whose answers had not been read";
  for (const auto& client : flood) EXPECT_TRUE(client->connect());
}

TEST_F(TlsSite, ThoseWhoGiveUpWhileTheyWaitAreForgotten) {
  site.config.tls.handshakes_per_turn = 1;
  site.config.listeners[0].handshake_timeout = Duration(100);
  site.apply();
  std::vector<std::unique_ptr<TlsClient>> flood;
  for (int i = 0; i < 30; ++i) {
    flood.push_back(std::make_unique<TlsClient>(site, context.get()));
    flood.back()->pump();
    if (i % 2) flood.back()->socket->reset();
  }
  EXPECT_TRUE(site.until([&] { return site.board->worker(0).connections.load() == 0; }));
}

}  // namespace
}  // namespace gatehouse::test
