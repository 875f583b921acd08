// Health checks of pools: read, and refused when what is said has no meaning for their kind.
#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

std::string health(const std::string& options) {  // which stand in line 9
  return of_a_pool("backends = [\"192.0.2.7:80\", \"192.0.2.8:80\"]\nhealth = { " + options + " }\n");
}

TEST(ConfigHealth, IsReadFromAPool) {
  const Loaded loaded =
      load_text(health("path = \"/ready\", method = \"OPTIONS\", host = \"shop\", status = [200, 204], "
                       "degraded_status = [429], "
                       "body_matches = \"ok|fine\", port = 9000, interval = \"10s\", fast_interval = \"1s\""),
                "f");
  ASSERT_EQ(text_of(loaded.findings), "");
  const Health& read = loaded.config.pools[0].health;
  EXPECT_EQ(read.kind, "http");
  EXPECT_EQ(read.method, "OPTIONS");
  EXPECT_EQ(read.degraded_status, std::vector<std::uint16_t>{429});
  EXPECT_EQ(read.body_matches, "ok|fine");
  EXPECT_EQ(read.port, 9000);
  EXPECT_EQ(read.fast_interval, Duration(1'000));
  EXPECT_TRUE(read.is_on());
}

TEST(ConfigHealth, OtherKindsNeedNoPath) {
  for (const char* options :
       {"kind = \"tcp\"", "kind = \"tcp\", request = \"PING\\\\r\\\\n\", expect = \"+PONG\"",
        "kind = \"tls\", host = \"shop.example\"", "kind = \"grpc\", service = \"shop.Cart\""}) {
    const Loaded loaded = load_text(health(options), "f");
    EXPECT_EQ(text_of(loaded.findings), "") << options;
    EXPECT_TRUE(loaded.config.pools[0].health.is_on()) << options;
  }
}

TEST(ConfigHealth, WhatCannotBeMeantIsSaid) {
  const std::pair<const char*, const char*> rows[] = {
      {"kind = \"icmp\"",
       "f:9: [[pool]] health.kind: expected \"http\", \"tcp\", \"tls\" or \"grpc\", found \"icmp\""},
      {"kind = \"tcp\", path = \"/\"", "f:9: [[pool]] health.path has no meaning with kind \"tcp\""},
      {"kind = \"grpc\", status = [204]", "f:9: [[pool]] health.status has no meaning with kind \"grpc\""},
      {"path = \"/\", service = \"a\"", "f:9: [[pool]] health.service has no meaning with kind \"http\""},
      {"path = \"/\", expect = \"a\"", "f:9: [[pool]] health.expect has no meaning with kind \"http\""},
      {"kind = \"tls\", request = \"\\\\x\"",
       "f:9: [[pool]] health.request: expected text in which a backslash begins \\xNN, \\r, \\n or \\\\, "
       "found \"\\x\""},
      {"path = \"ready\"",
       "f:9: [[pool]] health.path: expected a path such as \"/healthz\", found \"ready\""},
      {"path = \"/\", method = \"POST\"",
       "f:9: [[pool]] health.method: expected \"GET\", \"HEAD\" or \"OPTIONS\", found \"POST\""},
      {"path = \"/\", method = \"HEAD\", body_contains = \"ok\"",
       "f:9: [[pool]] health.method: an answer to HEAD has no body to look at"},
      {"path = \"/\", body_matches = \"(\"",
       "f:9: [[pool]] health.body_matches: expected an RE2 expression, found \"(\": missing ): ("},
      {"path = \"/\", degraded_status = [200]",
       "f:9: [[pool]] health.degraded_status: 200 is in health.status, too"},
      {"path = \"/\", interval = \"1s\", fast_interval = \"2s\"",
       "f:9: [[pool]] health.fast_interval: expected at most health.interval, 1s"},
  };
  for (const auto& [options, finding] : rows)
    EXPECT_EQ(text_of(load_text(health(options), "f").findings), std::string(finding)) << options;
}

}  // namespace
}  // namespace gatehouse::config
