// Options of discovery: read, refused when they cannot be meant, and warned of.
#include <unistd.h>

#include <fstream>

#include "common/config/check_discovery.h"
#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

std::string discovery(const std::string& options) {  // which begin at line 10
  return of_a_pool("health = { path = \"/\" }\n[pool.discovery]\n" + options);
}

TEST(ConfigDiscovery, IsReadFromAPool) {
  const Loaded loaded =
      load_text(discovery("dns = \"api.internal:8080\"\nresolvers = [\"192.0.2.53:53\"]\nfamily = "
                          "\"ipv4\"\nmin_interval = \"2s\"\n"
                          "max_interval = \"1h\"\ntimeout = \"1s\"\nmissing = 7\nhold = \"0s\"\n"),
                "f");
  ASSERT_EQ(text_of(loaded.findings), "");
  const Discovery& found = *loaded.config.pools[0].discovery;
  EXPECT_EQ(found.dns, "api.internal:8080");
  EXPECT_EQ(to_string(found.resolvers.at(0)), "192.0.2.53:53");
  EXPECT_EQ(found.family, "ipv4");
  EXPECT_EQ(found.min_interval, Duration(2'000));
  EXPECT_EQ(found.max_interval, Duration(3'600'000));
  EXPECT_EQ(found.missing, 7u);
  EXPECT_EQ(found.hold, Duration(0));
  EXPECT_TRUE(loaded.config.pools[0].backends.empty());
}

TEST(ConfigDiscovery, AFileIsRelativeToTheConfig) {
  const Loaded loaded = load_text(discovery("file = \"api.txt\"\n"), "/etc/gatehouse/site.toml");
  ASSERT_EQ(text_of(loaded.findings), "");
  EXPECT_EQ(loaded.config.pools[0].discovery->file, "/etc/gatehouse/api.txt");
}

const std::string kOf = "[[pool]].discovery ";

const Row kRows[] = {
    {"NoSource", discovery("missing = 2\n"),
     "f:9: " + kOf + "has 0 sources: expected exactly one of dns, srv, file"},
    {"TwoSources", discovery("dns = \"a:80\"\nfile = \"x\"\n"),
     "f:9: " + kOf + "has 2 sources: expected exactly one of dns, srv, file"},
    {"Address", discovery("dns = \"192.0.2.7:80\"\n"),
     "f:10: " + kOf + "dns: \"192.0.2.7:80\" is an address: expected backends = [\"192.0.2.7:80\"]"},
    {"NoPort", discovery("dns = \"api.internal\"\n"),
     "f:10: " + kOf + "dns: expected name:port such as \"api.internal:8080\", found \"api.internal\""},
    {"BadName", discovery("dns = \"a..b:80\"\n"),
     "f:10: " + kOf + "dns: expected name:port such as \"api.internal:8080\", found \"a..b:80\""},
    {"BadSrv", discovery("srv = \"_http._tcp.api:80\"\n"),
     "f:10: " + kOf +
         "srv: expected a name such as \"_http._tcp.api.internal\", found \"_http._tcp.api:80\""},
    {"PlainSrv", discovery("srv = \"api.internal\"\n"),
     "f:10: warning: " + kOf +
         "srv: \"api.internal\": names of SRV records begin with \"_service._protocol.\""},
    {"Family", discovery("dns = \"a:80\"\nfamily = \"ipv5\"\n"),
     "f:11: " + kOf + "family: expected \"any\", \"ipv4\" or \"ipv6\", found \"ipv5\""},
    {"Intervals", discovery("dns = \"a:80\"\nmin_interval = \"2m\"\n"),
     "f:9: " + kOf + "min_interval: expected at most max_interval (1m), found 2m"},
    {"Port", discovery("dns = \"a:80\"\nresolvers = [\"192.0.2.53:0\"]\n"),
     "f:11: " + kOf + "resolvers: \"192.0.2.53:0\": expected a port from 1 to 65535"},
    {"FileAsked", discovery("file = \"x\"\nfamily = \"ipv4\"\n"),
     "f:9: warning: [[pool]].discovery: resolvers and family are for dns and srv; a file needs neither"},
    {"NoHealth", of_a_pool("discovery = { dns = \"a:80\" }\n"),
     "f:6: warning: [[pool]] \"p\" has no health check: a dead backend stays in rotation"},
    {"NoTlsName",
     of_a_pool("health = { path = \"/\" }\ntls = { enabled = true }\ndiscovery = { dns = \"a:80\" }\n"),
     "f:10: warning: [[pool]] \"p\" has no tls.server_name: certificates of backends must be for the "
     "addresses that are "
     "found"},
    {"OnlyBackupsListed",
     of_a_pool("health = { path = \"/\" }\nbackends = [{ address = \"192.0.2.7:80\", backup = true }]\n"
          "discovery = { dns = \"a:80\" }\n"),
     ""},
    {"Neither", of_a_pool("health = { path = \"/\" }\n"),
     "f:6: [[pool]] \"p\" needs a backend: expected backends or discovery"},
    {"NameListed", of_a_pool("backends = [\"192.0.2.7:80\", \"api.internal:8080\"]\n"),
     "f:8: [[pool]] backends: \"api.internal:8080\" is a name: expected an address, or discovery = { dns = "
     "\"api.internal:8080\" } in place of it"},
    {"NameInTable", of_a_pool("backends = [{ address = \"api:8080\" }]\n"),
     "f:8: [[pool]].backends address: \"api:8080\" is a name: expected an address, or discovery = { dns = "
     "\"api:8080\" } in "
     "place of it"},
};

class ConfigDiscoveryRow : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Config, ConfigDiscoveryRow, testing::ValuesIn(kRows), name_of);
TEST_P(ConfigDiscoveryRow, IsSaid) { EXPECT_EQ(findings_of(GetParam().toml), GetParam().findings); }

TEST(ConfigDiscovery, WhatAFileListsIsLookedAtByCheckAlone) {
  const std::string file = testing::TempDir() + "gatehouse-backends-" + std::to_string(getpid());
  const Loaded loaded = load_text(discovery("file = \"" + file + "\"\n"), "f");
  ASSERT_EQ(text_of(loaded.findings), "");
  EXPECT_EQ(text_of(check_discovery(loaded.config)),
            "f: warning: [[pool]] \"p\": there is no file " + file + " here; nodes need it");
  std::ofstream(file) << "192.0.2.7:80\n";
  EXPECT_EQ(text_of(check_discovery(loaded.config)), "");
  std::ofstream(file) << "none\n";
  EXPECT_EQ(text_of(check_discovery(loaded.config)),
            "f: warning: [[pool]] \"p\": " + file + " lists no backend: requests are answered 503");
  std::ofstream(file) << "192.0.2.7\n";
  EXPECT_EQ(text_of(check_discovery(loaded.config)),
            file + ":1: expected address:port such as 192.0.2.7:80 or [2001:db8::7]:80, found \"192.0.2.7\"");
  unlink(file.c_str());
}

}  // namespace
}  // namespace gatehouse::config
