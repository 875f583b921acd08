// Options of connections to backends: how long they live, how many are ready, where they come from.
#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

std::string pool(const std::string& more) {  // which begins at line 9
  return of_a_pool("backends = [\"192.0.2.7:80\"]\n" + more);
}

TEST(ConfigConnections, AreReadFromAPool) {
  const Loaded loaded = load_text(pool("max_age = \"10m\"\nmax_requests = 1000\nmin_idle = "
                                       "2\nsource_addresses = [\"192.0.2.1\", \"2001:db8::1\"]\n"
                                       "connect_attempt_delay = \"100ms\"\nend_when_down = true\n"),
                                  "f");
  ASSERT_TRUE(loaded.is_valid()) << loaded.errors();
  EXPECT_TRUE(loaded.findings.empty());
  const Pool& pool = loaded.config.pools[0];
  EXPECT_EQ(pool.max_age, Duration(600'000));
  EXPECT_EQ(pool.max_requests, 1'000u);
  EXPECT_EQ(pool.min_idle, 2u);
  ASSERT_EQ(pool.source_addresses.size(), 2u);
  EXPECT_EQ(to_string(pool.source_addresses[1]), "2001:db8::1");
  EXPECT_EQ(pool.connect_attempt_delay, Duration(100));
  EXPECT_TRUE(pool.end_when_down);
}

class ConfigConnectionsSay : public testing::TestWithParam<Row> {};

TEST_P(ConfigConnectionsSay, WhatIsWrong) {
  EXPECT_EQ(findings_of(pool(GetParam().toml)), GetParam().findings);
}

INSTANTIATE_TEST_SUITE_P(
    ByRule, ConfigConnectionsSay,
    testing::Values(
        Row{"MoreReadyThanKept", "max_idle = 1\nmin_idle = 2\n",
            "f:10: [[pool]] min_idle: expected at most max_idle (1), found 2"},
        Row{"ReadyForNobody", "min_idle = 1\nproxy_protocol = \"v2\"\n",
            "f:9: [[pool]] \"p\": expected no min_idle with proxy_protocol: each of its connections is made "
            "for one client"},
        Row{"MoreReadyThanAllowed", "min_idle = 5\n[pool.limits]\nmax_backend_connections = 4\n",
            "f:9: warning: [[pool]] min_idle: \"p\" never has more than limits.max_backend_connections (4)"},
        Row{"NoAddress", "source_addresses = [\"192.0.2.1\",\n\"::\"]\n",
            "f:10: [[pool]] \"p\" source_addresses: expected addresses of nodes, found \"::\""},
        Row{"Multicast", "source_addresses = [\"224.0.0.1\"]\n",
            "f:9: [[pool]] \"p\" source_addresses: expected addresses of nodes, found \"224.0.0.1\""},
        Row{"NotParsed", "source_addresses = [\"192.0.2.300\"]\n",
            "f:9: [[pool]] source_addresses: expected an address such as \"192.0.2.1\" or \"2001:db8::1\", "
            "found \"192.0.2.300\""}),
    name_of);

}  // namespace
}  // namespace gatehouse::config
