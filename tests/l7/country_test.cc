// Countries of clients: by a database whose bytes somebody else wrote, by what a trusted proxy says; in
// routes, in fields.
#include <gtest/gtest.h>

#include "l7/country_table.h"
#include "l7/supervisor/country_database.h"
#include "tests/l7/support/loopback_worker.h"
#include "tests/support/country_database.h"

namespace gatehouse::test {
namespace {

using l7::CountryTable;

CountryDatabase small() {
  CountryDatabase database;
  database.add("192.0.2.0/24", "DE")
      .add("198.51.100.0/25", "AT")
      .add("198.51.100.128/25", "CH")
      .add("2001:db8::/32", "FR")
      .alias_v4();
  return database;
}

std::string country_of(const CountryTable& table, const char* address) {
  return std::string(table.find(*IpAddress::parse(address)).view());
}

TEST(Countries, AreFoundByAddressesOfBothFamilies) {
  const auto table = l7::read_countries(small().bytes());
  ASSERT_TRUE(table.has_value()) << table.error().message;
  for (const auto& [address, country] : {std::pair("192.0.2.0", "DE"),
                                         {"192.0.2.255", "DE"},
                                         {"192.0.1.255", ""},
                                         {"192.0.3.0", ""},
                                         {"198.51.100.127", "AT"},
                                         {"198.51.100.128", "CH"},
                                         {"2001:db8:ffff::1", "FR"},
                                         {"2001:db9::", ""},
                                         {"::", ""}}) {
    EXPECT_EQ(country_of(*table, address), country) << address;
  }
  EXPECT_LT(table->size(), 12u) << "equal neighbours are one range";
  const CountryTable copy = CountryTable::from_bytes(table->to_bytes());
  EXPECT_EQ(country_of(copy, "198.51.100.200"), "CH");
}

TEST(Countries, OfNoTableAreNotKnown) {
  EXPECT_EQ(country_of(CountryTable::from_bytes(""), "192.0.2.1"), "");
}

TEST(Countries, TheRegisteredOneStandsInWhereThereIsNoOther) {
  CountryDatabase database;
  database.set_key("registered_country");
  database.add("192.0.2.0/24", "SE");
  const auto table = l7::read_countries(database.bytes());
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(country_of(*table, "192.0.2.1"), "SE");
}

TEST(Countries, OfADamagedDatabaseAreRefusedWithTheReason) {
  const std::string good = small().bytes();
  const auto error = [](const std::string& bytes) {
    const auto table = l7::read_countries(bytes);
    return table ? std::string() : table.error().message;
  };
  EXPECT_NE(error(""), "");
  EXPECT_EQ(error("nonsense"), "The MaxMind DB file contains invalid metadata");
  EXPECT_NE(error(good.substr(0, good.size() / 2)), "");
  EXPECT_NE(error(good.substr(100)), "");
  CountryDatabase other;
  other.set_key("continent");
  other.add("192.0.2.0/24", "EU");
  EXPECT_EQ(error(other.bytes()), "it has no countries");
  CountryDatabase longer;
  longer.add("192.0.2.0/24", "DEU");
  EXPECT_EQ(error(longer.bytes()), "an iso_code in it is not two letters");
  std::string loop = good;
  loop[6] = loop[7] = '\0', loop[8] = 1;  // the second node's left is itself
  EXPECT_EQ(error(loop), "its search tree has no end");
}

// A worker behind a proxy, with the small database; the route answers Germans, and says where from.
struct Site : LoopbackWorker {
  Site() {
    config.listeners[0].trusted_proxies = {*IpPrefix::parse("127.0.0.1")};
    config.countries = {"geo.mmdb", ""};
    files.put("geo.mmdb", {l7::read_countries(small().bytes())->to_bytes()});
    config.routes[0].pool.clear();
    config.routes[0].response = config::DirectResponse{200, {{"X-Country", "{client.country}"}}, "here"};
    config.routes[0].countries = {"DE", "AT"};
    config.routes[0].response_headers.set = {{"X-Again", "<{client.country}>"}};
  }
  std::string answer(const std::string& fields) {
    apply();
    const Reply reply = ask(get("/", fields));
    return std::to_string(reply.status) + " " + reply.field("X-Country") + " " + reply.field("X-Again");
  }
};

TEST(CountryRoutes, GoByTheTrueClient) {
  Site site;
  EXPECT_EQ(site.answer("X-Forwarded-For: 192.0.2.7\r\n"), "200 DE <DE>");
  EXPECT_EQ(site.answer("X-Forwarded-For: 192.0.2.7, 198.51.100.1\r\n"), "200 AT <AT>");
  EXPECT_EQ(site.answer("X-Forwarded-For: 198.51.100.200\r\n"), "404  ");
  EXPECT_EQ(site.answer(""), "404  ") << "127.0.0.1 is nowhere";
}

TEST(CountryRoutes, ATrustedProxysWordGoesFirst) {
  Site site;
  site.config.countries.header = "CF-IPCountry";
  EXPECT_EQ(site.answer("X-Forwarded-For: 198.51.100.200\r\nCF-IPCountry: at\r\n"), "200 AT <AT>");
  EXPECT_EQ(site.answer("X-Forwarded-For: 192.0.2.7\r\nCF-IPCountry: unknown\r\n"), "200 DE <DE>");
  site.config.countries.database.clear();
  EXPECT_EQ(site.answer("CF-IPCountry: DE\r\n"), "200 DE <DE>");
  site.config.listeners[0].trusted_proxies.clear();
  EXPECT_EQ(site.answer("CF-IPCountry: DE\r\n"), "404  ") << "anybody can say so";
}

TEST(CountryRoutes, AreExplained) {
  config::RouteMatch match;
  match.countries = {"DE"};
  const l7::RouteConditions conditions(match);
  EXPECT_EQ(conditions.broken({.country = "DE"}), "");
  EXPECT_EQ(conditions.broken({.country = "AT"}), "the client's country AT is none of its countries");
  EXPECT_EQ(conditions.broken({}), "the client's country is not known");
}

}  // namespace
}  // namespace gatehouse::test
