// Sessions are resumed wherever the keys are the same, for as long as the keys last, and nowhere else.
#include <gtest/gtest.h>

#include "l7/tls/context.h"
#include "tests/l7/support/tls.h"

namespace gatehouse::l7 {
namespace {

using namespace gatehouse::test;

constexpr Duration kLifetime{3'600'000};
const std::string kSecret(32, 's');

TEST(TicketKeys, AreTheSameForTheSameSecretAndTime) {
  const auto time = std::chrono::system_clock::time_point(kLifetime * 1000 + Duration(5));
  const std::uint64_t epoch = ticket_epoch(time, kLifetime);
  EXPECT_EQ(epoch, 1000u);
  const TicketWindow keys = derive_ticket_keys(kSecret, epoch);
  EXPECT_EQ(keys, derive_ticket_keys(kSecret, epoch));
  EXPECT_NE(keys, derive_ticket_keys(std::string(32, 't'), epoch));
  const TicketWindow later = derive_ticket_keys(kSecret, epoch + 1);
  EXPECT_EQ(later[0], keys[1]);
  EXPECT_EQ(later[1], keys[2]);
  EXPECT_FALSE(later[2] == keys[2]);
  EXPECT_FALSE(keys[0] == keys[1]);
}

TEST(TicketKeys, TravelAsText) {
  const TicketWindow keys = derive_ticket_keys(kSecret, 7);
  const std::string text = to_hex(keys);
  EXPECT_EQ(ticket_window_from_hex(text), keys);
  for (const std::string& bad : {std::string(), text.substr(2), text + "00", "g" + text.substr(1)}) {
    EXPECT_FALSE(ticket_window_from_hex(bad).has_value());
  }
}

// A worker, as far as its tickets go.
struct Place {
  TlsResources resources;
  std::unique_ptr<TlsContext> tls;

  Place(const config::Listener& listener, const TlsFiles& files, std::optional<std::uint64_t> epoch,
        const std::string& secret = kSecret) {
    if (epoch) resources.tickets.set(derive_ticket_keys(secret, *epoch));
    TlsContext::Options options;
    options.ticket_lifetime = kLifetime;
    auto made = TlsContext::make(listener, files, resources, options);
    GH_CHECK(made.has_value());
    tls = std::move(*made);
  }
};

class Resumption : public testing::TestWithParam<int> {
 protected:
  Resumption() {
    listener.name = "web";
    add_certificate(listener, files, authority.issue({"a", "DNS:a.example"}));
    add_certificate(listener, files, authority.issue({"b", "DNS:b.example"}));
  }
  struct Outcome {
    bool is_open = false, is_resumed = false;
    SessionPtr session;
  };
  Outcome connect(const Place& place, SSL_SESSION* session = nullptr, const char* name = "a.example") {
    TlsEnd client(client_.get()), server(place.tls->context(), true);
    SSL_set_tlsext_host_name(client.ssl(), name);
    // The same session may be tried at several places.
    if (session) SSL_set_session(client.ssl(), SessionPtr(SSL_SESSION_dup(session)).get());
    talk(client, server);
    return {client.is_open, SSL_session_reused(client.ssl()) == 1, session_of(client)};
  }

  Authority authority;
  config::Listener listener;
  TlsFiles files;
  SslContextPtr client_ = client_context(GetParam());
};

TEST_P(Resumption, WorksAtAnotherWorkerWithTheSameKeys) {
  const Place one(listener, files, 5), another(listener, files, 5),
      stranger(listener, files, 5, std::string(32, 'x'));
  const Outcome first = connect(one);
  EXPECT_TRUE(first.is_open);
  EXPECT_FALSE(first.is_resumed);
  EXPECT_TRUE(connect(one, first.session.get()).is_resumed);
  EXPECT_TRUE(connect(another, first.session.get()).is_resumed);
  const Outcome refused = connect(stranger, first.session.get());
  EXPECT_TRUE(refused.is_open);
  EXPECT_FALSE(refused.is_resumed);
}

TEST_P(Resumption, OutlivesOneChangeOfKeysEitherWay) {
  const Place now(listener, files, 5);
  const Outcome first = connect(now);
  EXPECT_TRUE(connect(Place(listener, files, 6), first.session.get()).is_resumed);
  EXPECT_TRUE(connect(Place(listener, files, 4), first.session.get()).is_resumed)
      << "of a node whose clock is behind";
  EXPECT_FALSE(connect(Place(listener, files, 7), first.session.get()).is_resumed);
}

TEST_P(Resumption, HandsOutTheNextTicket) {
  const Place one(listener, files, 5), next(listener, files, 6), after_next(listener, files, 7);
  const Outcome first = connect(one), second = connect(next, first.session.get());
  EXPECT_TRUE(second.is_resumed);
  EXPECT_TRUE(connect(after_next, second.session.get()).is_resumed);
}

TEST_P(Resumption, WorksForEveryNameOfTheListener) {
  const Place one(listener, files, 5), another(listener, files, 5);
  const Outcome first = connect(one, nullptr, "b.example");
  EXPECT_TRUE(connect(another, first.session.get(), "b.example").is_resumed);
}

TEST_P(Resumption, DoesNotCrossListenersOrAuthorities) {
  const Place one(listener, files, 5);
  const Outcome first = connect(one);
  config::Listener other = listener;
  other.name = "other";
  EXPECT_FALSE(connect(Place(other, files, 5), first.session.get()).is_resumed);
  other = listener;
  other.client_certificates = "request";
  other.client_ca = "ca";
  files.put("ca", {authority.pem()});
  const Place asking(other, files, 5);
  EXPECT_FALSE(connect(asking, first.session.get()).is_resumed);
  const Outcome asked = connect(asking);
  EXPECT_TRUE(connect(asking, asked.session.get()).is_resumed);
  files.put("ca", {Authority("new").pem()});
  EXPECT_FALSE(connect(Place(other, files, 5), asked.session.get()).is_resumed)
      << "other authorities vouch now";
}

TEST_P(Resumption, WithoutKeysThereIsNone) {
  const Place none(listener, files, std::nullopt), some(listener, files, 5);
  const Outcome first = connect(none);
  EXPECT_TRUE(first.is_open);
  EXPECT_FALSE(connect(none, first.session.get()).is_resumed);
  const Outcome second = connect(some);
  const Outcome refused = connect(none, second.session.get());
  EXPECT_TRUE(refused.is_open);
  EXPECT_FALSE(refused.is_resumed);
}

INSTANTIATE_TEST_SUITE_P(Versions, Resumption, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& info) { return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

}  // namespace
}  // namespace gatehouse::l7
