// The addresses that connections to backends come from. All of 127.0.0.0/8 is every host's own.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "l7/backend/dial.h"
#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

std::vector<IpAddress> addresses(std::initializer_list<const char*> texts) {
  std::vector<IpAddress> parsed;
  for (const char* text : texts) parsed.push_back(*IpAddress::parse(text));
  return parsed;
}

config::Pool pool_from(std::initializer_list<const char*> sources) {
  config::Pool pool;
  pool.name = "api";
  pool.source_addresses = addresses(sources);
  return pool;
}

TEST(SourceAddress, IsTheFirstOfItsFamilyThatTheHostHas) {
  const auto found = l7::find_sources(pool_from({"192.0.2.1", "127.0.0.2", "127.0.0.3"}));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->v4, IpAddress::parse("127.0.0.2"));
  EXPECT_FALSE(found->v6);
  EXPECT_TRUE(l7::find_sources(pool_from({})).has_value());
}

TEST(SourceAddress, ThatTheHostLacksIsAnErrorWithPoolAndAddress) {
  const auto found = l7::find_sources(pool_from({"192.0.2.1", "127.0.0.2", "2001:db8::1", "2001:db8::2"}));
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(
      found.error().message,
      "[[pool]] \"api\" source_addresses: expected an address of this host, found 2001:db8::1, 2001:db8::2");
}

TEST(SourceAddress, IsWhatBackendsSee) {
  ResilienceSite site;
  site.add_raw_server([&](RawSocket& connection) {
    connection.received().clear();
    connection.send(kFine);
  });
  site.config.pools[0].source_addresses = addresses({"127.0.0.9"});
  site.apply();
  ASSERT_EQ(site.ask(get("/")).status, 200);
  site.config.pools[0].source_addresses.clear();
  site.apply();
  ASSERT_EQ(site.ask(get("/")).status, 200);
  EXPECT_EQ(site.counts().backend_connections.load(), 2u) << "those from elsewhere are not used again";

  Endpoint address;
  const Fd listening = listen_on_loopback(address);
  const Fd dialled = l7::dial(address, {*IpAddress::parse("127.0.0.9"), std::nullopt});
  ASSERT_TRUE(dialled.is_open());
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  Fd accepted;
  ASSERT_TRUE(site.until([&] {
    accepted = Fd(accept4(listening.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC));
    return accepted.is_open();
  }));
  EXPECT_EQ(to_string(Endpoint::from_sockaddr(peer).address), "127.0.0.9");
}

TEST(SourceAddress, ThatIsGoneIsNamedInTheAnswersReason) {
  Endpoint address;
  const Fd listening = listen_on_loopback(address);
  EXPECT_FALSE(l7::dial(address, {*IpAddress::parse("192.0.2.1"), std::nullopt}).is_open());
  EXPECT_EQ(errno, EADDRNOTAVAIL);
}

TEST(SourceAddress, AConfigWithNoneOfThisHostIsRefused) {
  ResilienceSite site;
  site.add(Manner::kAnswers);
  site.apply();
  site.config.pools[0].source_addresses = addresses({"192.0.2.1"});
  EXPECT_FALSE(site.worker->set_config(site.config, site.files).has_value());
  EXPECT_EQ(site.ask(get("/")).status, 200) << "what was in use stays";
}

}  // namespace
}  // namespace gatehouse::test
