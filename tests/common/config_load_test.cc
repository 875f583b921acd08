// TOML to Config: every kind of error that the reader reports, with file and line, and every kind of value.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

// One finding a line, as an operator sees them.
std::string findings_of(const Loaded& loaded) {
  std::string text;
  for (const Finding& finding : loaded.findings) text += (text.empty() ? "" : "\n") + finding.text;
  return text;
}
std::string findings_of(const std::string& toml) { return findings_of(load_text(toml, "site.toml")); }

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }
Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }

class RefusedConfig : public testing::TestWithParam<Row> {};

TEST_P(RefusedConfig, SaysWhereAndWhatWasExpected) {
  const Loaded loaded = load_text(GetParam().toml, "site.toml");
  EXPECT_EQ(findings_of(loaded), GetParam().findings);
  EXPECT_EQ(loaded.errors(), GetParam().findings);
  EXPECT_FALSE(loaded.is_valid());
}

const Row kKeys[] = {
    {"SectionMisspelled", "[sites]\nname = \"a\"\n",
     "site.toml:1: unknown key \"sites\" in the file; did you mean \"site\"?"},
    {"RepeatedSectionMisspelled", "\n[[lisener]]\nname = \"a\"\n",
     "site.toml:2: unknown key \"lisener\" in the file; did you mean \"listener\"?"},
    {"SectionUnlikeAny", "[x-tracing-x]\n",
     "site.toml:1: unknown key \"x-tracing-x\" in the file; known: site, vip, l4_host, node, ring, balance, "
     "probe, control, metrics, store, workers, protection, prefix_list, source_limit, tls, cookies, "
     "listener, countries, route, tls_route, pool, access_log, service, flow_cache, bgp"},
    {"KeyMisspelled", "[ring]\nslot = 251\n",
     "site.toml:2: unknown key \"slot\" in [ring]; did you mean \"slots\"?"},
    {"KeyOfARepeatedSection",
     "[[node]]\nid = 1\nname = \"n\"\naddress = \"192.0.2.1\"\ninterface = \"eth0\"\nweigth = 3\n",
     "site.toml:6: unknown key \"weigth\" in [[node]]; did you mean \"weight\"?"},
    {"KeyUnlikeAny", "[ring]\nconsistency = 1\n",
     "site.toml:2: unknown key \"consistency\" in [ring]; known: slots, hop_deadline, groups"},
    {"KeyOfANestedTable", "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.1:80\"]\nhealth = { pth = \"/\" }\n",
     "site.toml:4: unknown key \"pth\" in [[pool]].health; did you mean \"path\"?"},
    {"KeyOfANestedList",
     "[[pool]]\nname = \"p\"\nbackends = [\n  { address = \"192.0.2.1:80\", wait = 1 },\n]\n",
     "site.toml:4: unknown key \"wait\" in [[pool]].backends; known: address, weight, zone, backup"},
    {"RequiredKeyMissing", "[[tls_route]]\npool = \"p\"\n",
     "site.toml:1: [[tls_route]] needs \"hosts\": Server names, exact or \"*.suffix\"."},
    {"RequiredKeyOfANestedListMissing",
     "[[listener]]\nname = \"l\"\naddresses = [\"127.0.0.1:1\"]\ncertificates = [\n  { chain = \"a.pem\" "
     "},\n]\n",
     "site.toml:5: [[listener]].certificates needs \"key\": PEM file: the key."},
};
INSTANTIATE_TEST_SUITE_P(Keys, RefusedConfig, testing::ValuesIn(kKeys), name_of);

const Row kTypes[] = {
    {"TableExpected", "ring = 3\n", "site.toml:1: ring: expected a table, found 3"},
    {"TableExpectedInAList", "pool = [\n  3,\n]\n", "site.toml:2: pool: expected a table, found 3"},
    {"NestedTableExpected", "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.1:80\"]\nhealth = \"/healthz\"\n",
     "site.toml:4: [[pool]] health: expected a table, found \"/healthz\""},
    {"TruthExpected", "[[listener]]\nname = \"l\"\nproxy_protocol = \"v2\"\n",
     "site.toml:3: [[listener]] proxy_protocol: expected true or false, found \"v2\""},
    {"ListExpected", "[vip]\nname = \"v\"\naddress = \"192.0.2.1\"\n",
     "site.toml:1: [vip]: expected a list, found a value of type table"},
    {"NestedListExpected", "[[route]]\npool = \"p\"\nhosts = \"shop.example\"\n",
     "site.toml:3: [[route]] hosts: expected a list, found \"shop.example\""},
    {"TextExpected", "[site]\nname = 7\n", "site.toml:2: [site] name: expected a text in quotes, found 7"},
    {"TextExpectedInAList", "[[route]]\npool = \"p\"\nhosts = [\n  \"a.example\",\n  true,\n]\n",
     "site.toml:5: [[route]] hosts: expected a text in quotes, found a value of type boolean"},
    {"TextWithNul", "[site]\nname = \"a\\u0000b\"\n",
     "site.toml:2: [site] name: expected a text without NUL, found \"a" + std::string(1, '\0') + "b\""},
};
INSTANTIATE_TEST_SUITE_P(Types, RefusedConfig, testing::ValuesIn(kTypes), name_of);

const Row kNumbers[] = {
    {"NumberExpected", "[ring]\nslots = \"251\"\n",
     "site.toml:2: [ring] slots: expected a number from 251 to 1000003, found \"251\""},
    {"NumberTooSmall", "[ring]\nslots = 250\n",
     "site.toml:2: [ring] slots: expected a number from 251 to 1000003, found 250"},
    {"NumberTooLarge", "[ring]\nslots = 1000004\n",
     "site.toml:2: [ring] slots: expected a number from 251 to 1000003, found 1000004"},
    {"NumberNegative", "[site]\nfabric_mtu = -1\n",
     "site.toml:2: [site] fabric_mtu: expected a number from 1280 to 9216, found -1"},
    {"NumberWithAFraction", "[probe]\nrise = 1.5\n",
     "site.toml:2: [probe] rise: expected a number from 1 to 100, found a value of type floating-point"},
    {"NumberSigned", "[[route]]\npool = \"p\"\npriority = -1001\n",
     "site.toml:3: [[route]] priority: expected a number from -1000 to 1000, found -1001"},
    {"NumberInAList",
     "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.1:80\"]\n[pool.health]\nstatus = [200, 99, 600]\n",
     "site.toml:5: [[pool]].health status: expected a number from 100 to 599, found 99\n"
     "site.toml:5: [[pool]].health status: expected a number from 100 to 599, found 600"},
    {"NumberOrAuto", "[workers]\ncount = 65\n",
     "site.toml:2: [workers] count: expected a number from 0 to 64, or \"auto\", found 65"},
    {"ShareTooLarge", "[access_log]\nsample = 2\n",
     "site.toml:2: [access_log] sample: expected a share from 0 to 1 such as 0.01, found 2"},
    {"ShareAsText", "[access_log]\nsample = \"1%\"\n",
     "site.toml:2: [access_log] sample: expected a share from 0 to 1 such as 0.01, found \"1%\""},
    {"AutoMisspelled", "[workers]\ncount = \"all\"\n",
     "site.toml:2: [workers] count: expected a number from 0 to 64, or \"auto\", found \"all\""},
    {"AutoWhereItMeansNothing", "[ring]\nslots = \"auto\"\n",
     "site.toml:2: [ring] slots: expected a number from 251 to 1000003, found \"auto\""},
};
INSTANTIATE_TEST_SUITE_P(Numbers, RefusedConfig, testing::ValuesIn(kNumbers), name_of);

const Row kQuantities[] = {
    {"DurationWithoutUnit", "[probe]\ninterval = 5\n",
     "site.toml:2: [probe] interval: expected a duration such as \"30s\" or \"250ms\", found 5"},
    {"DurationWithASpace", "[probe]\ninterval = \"5 s\"\n",
     "site.toml:2: [probe] interval: expected a duration such as \"30s\" or \"250ms\", found \"5 s\""},
    {"DurationTooShort", "[probe]\ninterval = \"49ms\"\n",
     "site.toml:2: [probe] interval: expected from 50ms to 24h, found \"49ms\""},
    {"DurationTooLong", "[ring]\nhop_deadline = \"721h\"\n",
     "site.toml:2: [ring] hop_deadline: expected from 1s to 720h, found \"721h\""},
    {"SizeWithoutUnit", "[[listener]]\nname = \"l\"\nmax_body = 1048576\n",
     "site.toml:3: [[listener]] max_body: expected a size such as \"64KiB\" or \"1GiB\", found 1048576"},
    {"SizeInAnotherUnit", "[[listener]]\nname = \"l\"\nmax_header = \"16KB\"\n",
     "site.toml:3: [[listener]] max_header: expected a size such as \"64KiB\" or \"1GiB\", found \"16KB\""},
    {"SizeTooSmall", "[[listener]]\nname = \"l\"\nmax_header = \"1023B\"\n",
     "site.toml:3: [[listener]] max_header: expected from 1KiB to 64KiB, found \"1023B\""},
    {"SizeTooLarge", "[[listener]]\nname = \"l\"\nmax_uri = \"65KiB\"\n",
     "site.toml:3: [[listener]] max_uri: expected from 256B to 64KiB, found \"65KiB\""},
};
INSTANTIATE_TEST_SUITE_P(Quantities, RefusedConfig, testing::ValuesIn(kQuantities), name_of);

const Row kAddresses[] = {
    {"Address", "[probe]\naddress = \"192.0.2.300\"\n",
     "site.toml:2: [probe] address: expected an address such as \"192.0.2.1\" or \"2001:db8::1\", found "
     "\"192.0.2.300\""},
    {"AddressWithAPort", "[probe]\naddress = \"192.0.2.1:80\"\n",
     "site.toml:2: [probe] address: expected an address such as \"192.0.2.1\" or \"2001:db8::1\", found "
     "\"192.0.2.1:80\""},
    {"PrefixInAList", "[[listener]]\nname = \"l\"\ntrusted_proxies = [\"10.0.0.0/8\", \"10.0.0.1/8\"]\n",
     "site.toml:3: [[listener]] trusted_proxies: expected an address or a prefix such as \"192.0.2.1\" or "
     "\"10.0.0.0/8\", found "
     "\"10.0.0.1/8\""},
    {"OptionalAddress",
     "[[l4_host]]\nname = \"h\"\naddress = \"192.0.2.1\"\ninterface = \"eth0\"\naddress_v6 = \"\"\n",
     "site.toml:5: [[l4_host]] address_v6: expected an address such as \"192.0.2.1\" or \"2001:db8::1\", "
     "found \"\""},
    {"EndpointWithoutPort", "[[listener]]\nname = \"l\"\naddresses = [\"192.0.2.1\"]\n",
     "site.toml:3: [[listener]] addresses: expected address:port such as \"192.0.2.1:443\" or "
     "\"[2001:db8::1]:443\", found "
     "\"192.0.2.1\""},
    {"OptionalEndpoint",
     "[[l4_host]]\nname = \"h\"\naddress = \"192.0.2.1\"\ninterface = \"eth0\"\ncontrol = 7000\n",
     "site.toml:5: [[l4_host]] control: expected address:port such as \"192.0.2.1:443\" or "
     "\"[2001:db8::1]:443\", found 7000"},
    {"BackendByName", "[[pool]]\nname = \"p\"\nbackends = [\"db.example:80\"]\n",
     "site.toml:3: [[pool]] backends: \"db.example:80\" is a name: expected an address, or discovery = { dns = "
     "\"db.example:80\" } in place of it"},
    {"BackendOfAnotherType", "[[pool]]\nname = \"p\"\nbackends = [80]\n",
     "site.toml:3: [[pool]] backends: expected a table, found 80"},
};
INSTANTIATE_TEST_SUITE_P(Addresses, RefusedConfig, testing::ValuesIn(kAddresses), name_of);

TEST(LoadText, ReportsAllErrorsInFileOrder) {
  const std::string toml =
      "[[pool]]\n"                           // 1
      "nam = \"p\"\n"                        // 2: unknown; line 1 lacks it
      "backends = [\"x\", \"192.0.2.1:80\", \"y\"]\n"  // 3: two
      "\n"
      "[ring]\n"
      "slots = 1\n"                          // 6
      "[site]\n"
      "fabric_mtu = \"large\"\n"             // 8
      "[other]\n";                           // 9
  std::string lines;
  const Loaded loaded = load_text(toml, "f");
  for (const Finding& finding : loaded.findings)
    lines += finding.text.substr(2, finding.text.find(':', 2) - 2) + " ";
  EXPECT_EQ(lines, "1 2 3 3 6 8 9 ") << loaded.errors();
}

TEST(LoadText, RefusesWhatIsNotTomlWithTheLine) {
  for (const char* toml :
       {"\n[site\n", "[site]\nname\n", "[site]\nname = \"a\n", "[site]\nname = 1\nname = 2\n", "a\n= \x01"}) {
    const std::string text = findings_of(toml);
    EXPECT_TRUE(text.starts_with("site.toml:")) << text;
    EXPECT_NE(text.find(": not TOML: "), std::string::npos) << text;
  }
  EXPECT_TRUE(findings_of("[site]\nname = 1\nname = 2\n").starts_with("site.toml:3: not TOML: "));
}

TEST(LoadText, RefusesWhatNoConfigNeeds) {
  const std::string long_line = "\n#" + std::string(64 << 10, 'x');
  EXPECT_EQ(findings_of(long_line), "site.toml:2: longer than a line may be (65536 bytes)");
  EXPECT_EQ(findings_of(long_line.substr(0, long_line.size() - 1)), "");
  std::string large;
  while (large.size() <= 4 << 20) large += "# " + std::string(998, 'x') + "\n";
  EXPECT_EQ(findings_of(large), "site.toml:1: larger than a config may be (4194304 bytes)");
}

TEST(LoadText, TakesAnEmptyFileForAllDefaults) {
  const Loaded loaded = load_text("", "site.toml");
  EXPECT_EQ(findings_of(loaded), "");
  const Config& config = loaded.config;
  EXPECT_EQ(config.site.name, "site");
  EXPECT_EQ(config.site.fabric_mtu, 1500u);
  EXPECT_EQ(config.ring.slots, 65537u);
  EXPECT_EQ(config.ring.hop_deadline, Duration(3'600'000));
  EXPECT_EQ(config.probe.address, ip("192.0.0.8"));
  EXPECT_EQ(config.probe.port, 6081);
  EXPECT_EQ(config.workers.count, 0u);
  EXPECT_EQ(config.workers.user, "nobody");
  EXPECT_TRUE(config.listeners.empty() && config.pools.empty() && config.routes.empty() &&
              config.vips.empty());
  EXPECT_EQ(config.access_log.file, "");
}

TEST(LoadText, FillsTheDefaultsOfEntries) {
  const Loaded loaded = load_text(
      "[[vip]]\nname = \"v\"\naddress = \"198.51.100.1\"\n[[listener]]\nname = \"l\"\nvips = [\"v\"]\n"
      "[[route]]\npool = \"p\"\n[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.1:80\"]\n",
      "site.toml");
  ASSERT_EQ(findings_of(loaded), "");
  EXPECT_EQ(loaded.config.vips[0].port, 443);
  EXPECT_EQ(loaded.config.vips[0].protocol, "tcp");
  EXPECT_EQ(loaded.config.listeners[0].max_header, ByteSize{16 << 10});
  EXPECT_EQ(loaded.config.listeners[0].max_body, ByteSize{1ull << 40});
  EXPECT_EQ(loaded.config.listeners[0].idle_timeout, Duration(60'000));
  EXPECT_EQ(loaded.config.routes[0].name, "p") << "a route is named after its pool";
  EXPECT_EQ(loaded.config.pools[0].backends[0].weight, 1u);
  EXPECT_EQ(loaded.config.pools[0].health.status, std::vector<std::uint16_t>{200});
  EXPECT_EQ(loaded.config.pools[0].max_idle, 64u);
}

TEST(LoadText, ReadsValuesOfEveryType) {
  const Loaded loaded = load_text(
      "[[vip]]\nname = \"v\"\naddress = \"2001:db8::1\"\nport = 8443\n"
      "[[l4_host]]\nname = \"h\"\naddress = \"192.0.2.1\"\naddress_v6 = \"2001:db8::2\"\ninterface = "
      "\"eth0\"\n"
      "control = \"192.0.2.1:7000\"\n[control]\ncertificate = \"c\"\nkey = \"k\"\nca = \"a\"\n"
      "[site]\nsecret_file = \"s\"\n[ring]\nhop_deadline = \"90s\"\n[workers]\ncount = \"auto\"\n"
      "[[listener]]\nname = \"l\"\nvips = [\"v\"]\naddresses = [\"[::1]:80\"]\nmax_body = \"3MiB\"\n"
      "trusted_proxies = [\"10.0.0.1\", \"::1\", \"10.0.0.0/8\"]\n[[route]]\nhosts = [\"a.example\"]\npool = \"p\"\npriority "
      "= -7\n"
      "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.7:80\", { address = \"[::1]:81\", weight = 5 }]\n"
      "health = { path = \"/up\", status = [200, 204], interval = \"1m\" }\n",
      "site.toml");
  ASSERT_EQ(findings_of(loaded), "");
  const Config& config = loaded.config;
  EXPECT_EQ(config.vips[0].address, ip("2001:db8::1"));
  EXPECT_EQ(config.vips[0].port, 8443);
  EXPECT_EQ(config.l4_hosts[0].address_v6, ip("2001:db8::2"));
  EXPECT_EQ(config.l4_hosts[0].control, endpoint("192.0.2.1:7000"));
  EXPECT_EQ(config.ring.hop_deadline, Duration(90'000));
  EXPECT_EQ(config.workers.count, 0u) << "auto";
  EXPECT_EQ(config.listeners[0].addresses, std::vector{endpoint("[::1]:80")});
  EXPECT_EQ(config.listeners[0].max_body, ByteSize{3 << 20});
  EXPECT_EQ(config.listeners[0].trusted_proxies, (std::vector{prefix("10.0.0.1"), prefix("::1"), prefix("10.0.0.0/8")}));
  EXPECT_EQ(config.routes[0].priority, -7);
  ASSERT_EQ(config.pools[0].backends.size(), 2u);
  EXPECT_EQ(config.pools[0].backends[0].address, endpoint("192.0.2.7:80")) << "the short form";
  EXPECT_EQ(config.pools[0].backends[0].weight, 1u);
  EXPECT_EQ(config.pools[0].backends[1].address, endpoint("[::1]:81"));
  EXPECT_EQ(config.pools[0].backends[1].weight, 5u);
  EXPECT_EQ(config.pools[0].health.status, (std::vector<std::uint16_t>{200, 204}));
  EXPECT_EQ(config.pools[0].health.interval, Duration(60'000));
}

TEST(LoadText, ResolvesPathsAgainstTheFolderOfTheFile) {
  const std::string toml =
      "[control]\ncertificate = \"keys/../c.pem\"\nkey = \"/etc/k.pem\"\n[site]\nname = \"keys\"\n";
  const Config absolute = load_text(toml, "/srv/site/edge.toml").config;
  EXPECT_EQ(absolute.control.certificate, "/srv/site/c.pem");
  EXPECT_EQ(absolute.control.key, "/etc/k.pem");
  EXPECT_EQ(absolute.control.ca, "") << "not given stays not given";
  EXPECT_EQ(absolute.site.name, "keys") << "not a path";
  EXPECT_EQ(load_text(toml, "conf/edge.toml").config.control.certificate, "conf/c.pem");
  EXPECT_EQ(load_text(toml, "edge.toml").config.control.certificate, "c.pem");
}

TEST(LoadText, KeepsTheTextAndItsDigest) {
  const std::string toml = "[site]\nname = \"a\"\n";
  const Config one = load_text(toml, "one.toml").config, other = load_text(toml, "/other/two.toml").config;
  EXPECT_EQ(one.text, toml);
  EXPECT_EQ(one.file, "one.toml");
  EXPECT_EQ(one.digest, other.digest) << "the file's name is not part of it";
  EXPECT_NE(one.digest, load_text(toml + "\n", "one.toml").config.digest);
  EXPECT_NE(one.digest, load_text("", "one.toml").config.digest);
}

TEST(LoadFile, ReadsFromDiskAndSaysWhyItCannot) {
  const std::filesystem::path folder = testing::TempDir() + "config_load_test." + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  const std::string file = folder / "site.toml", missing = folder / "none.toml";
  std::ofstream(file) << "[control]\nca = \"ca.pem\"\n";
  const Loaded loaded = load_file(file);
  EXPECT_EQ(findings_of(loaded), "");
  EXPECT_EQ(loaded.config.control.ca, folder / "ca.pem");
  EXPECT_EQ(findings_of(load_file(missing)),
            missing + ":1: cannot read this file: No such file or directory");
  EXPECT_EQ(findings_of(load_file(folder)),
            folder.string() + ":1: cannot read this file: it is not a regular file");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace gatehouse::config
