// Rules between options and sections: every error and every warning, with the line that it is about.
#include <gtest/gtest.h>

#include "common/config/findings.h"
#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

class ValidatedConfig : public testing::TestWithParam<Row> {};

TEST_P(ValidatedConfig, IsAnsweredWith) {
  EXPECT_EQ(findings_of(GetParam().toml), GetParam().findings) << GetParam().toml;
}

// Sections that are good by themselves; `rest` is what a row adds.
std::string pool(const std::string& name = "p", const std::string& rest = "") {
  return "[[pool]]\nname = \"" + name + "\"\nbackends = [\"192.0.2.7:80\"]\n" + rest;  // 3 lines
}
std::string route(const std::string& rest = "", const std::string& to = "p") {
  return "[[route]]\npool = \"" + to + "\"\n" + rest;
}
std::string served(const std::string& rest) { return rest + pool() + route(); }
std::string vip(const std::string& name, const std::string& address, const std::string& rest = "") {
  return "[[vip]]\nname = \"" + name + "\"\naddress = \"" + address + "\"\n" + rest;  // 3 lines
}
std::string listener(const std::string& name, const std::string& rest) {
  return "[[listener]]\nname = \"" + name + "\"\n" + rest;
}
std::string node(const std::string& id, const std::string& address, const std::string& rest = "") {
  return "[[node]]\nid = " + id + "\nname = \"n" + id + "\"\naddress = \"" + address +
         "\"\ninterface = \"eth0\"\n" + rest;  // 5
}
const std::string kSecret = "[site]\nsecret_file = \"s\"\n";                               // 2 lines
const std::string kControl = "[control]\ncertificate = \"c\"\nkey = \"k\"\nca = \"a\"\n";  // 4 lines
std::string host(const std::string& address, const std::string& rest = "control = \"192.0.2.1:7\"\n") {
  return "[[l4_host]]\nname = \"h\"\naddress = \"" + address + "\"\ninterface = \"eth0\"\n" +
         rest;  // 4 lines
}

const std::string kLongName(64, 'x');

const Row kNames[] = {
    {"TakenName", pool() + pool() + route(),
     "f:5: [[pool]] name \"p\" is taken by line 2; expected one of its own"},
    {"TakenVipName", vip("v", "198.51.100.1") + vip("v", "198.51.100.2") + listener("l", "vips = [\"v\"]\n"),
     "f:5: [[vip]] name \"v\" is taken by line 2; expected one of its own"},
    {"EmptyName", served(listener("", "addresses = [\"127.0.0.1:1\"]\n")),
     "f:2: [[listener]] name \"\": expected 1 to 63 letters, digits, '-', '_' or '.'"},
    {"NameWithASlash", served(listener("a/b", "addresses = [\"127.0.0.1:1\"]\n")),
     "f:2: [[listener]] name \"a/b\": expected 1 to 63 letters, digits, '-', '_' or '.'"},
    {"NameTooLong", served(listener(kLongName, "addresses = [\"127.0.0.1:1\"]\n")),
     "f:2: [[listener]] name \"" + kLongName + "\": expected 1 to 63 letters, digits, '-', '_' or '.'"},
    {"NameOfTheMostLength", served(listener(kLongName.substr(1), "addresses = [\"127.0.0.1:1\"]\n")), ""},
};
INSTANTIATE_TEST_SUITE_P(Names, ValidatedConfig, testing::ValuesIn(kNames), name_of);

const Row kSites[] = {
    {"MetricsForStrangers", "[metrics]\nl4 = \"[::1]:9101\"\nl7 = \"192.0.2.1:9102\"\n" + served(""),
     "f:3: metrics.l7: expected a loopback address such as \"127.0.0.1:9101\", found \"192.0.2.1:9102\"; a [[listener]] with "
     "TLS can lead there"},
    {"BoundsOfANumberOfWorkers", "[workers]\ncount = 2\nmax = 4\n" + served(""),
     "f:3: [workers] min and max are bounds of count = \"auto\", and count is 2"},
    {"FewestWorkersAboveMost", "[workers]\nmin = 5\nmax = 4\n" + served(""),
     "f:2: [workers] min: expected at most max, which is 4, found 5"},
    {"BoundsOfAutoWorkers", "[workers]\ncount = \"auto\"\nmin = 2\nmax = 4\n" + served(""), ""},
    {"NoSecret", kControl + host("192.0.2.1"),
     "f:1: warning: site.secret_file is not set: clients who know Gatehouse can aim at one slot of a ring"},
    {"NoSecretInASection", "\n[site]\nname = \"s\"\n" + kControl + host("192.0.2.1"),
     "f:2: warning: site.secret_file is not set: clients who know Gatehouse can aim at one slot of a ring"},
    {"AddressV6OfAnotherFamily",
     kSecret + kControl + host("192.0.2.1", "control = \"192.0.2.1:7\"\naddress_v6 = \"192.0.2.2\"\n"),
     "f:12: [[l4_host]] address_v6: expected an IPv6 address, found \"192.0.2.2\""},
    {"ControlWithoutTls", kSecret + host("192.0.2.1") + "[control]\nkey = \"k\"\n",
     "f:7: [[l4_host]] control is only served with mutual TLS: [control] needs certificate and ca"},
    {"HostWithoutControl", kSecret + host("192.0.2.1", "") + node("1", "192.0.2.21"),
     "f:3: warning: [[l4_host]] \"h\" has no control address: no node can join it"},
    {"HostWithoutControlAndNodes", kSecret + host("192.0.2.1", ""), ""},
};
INSTANTIATE_TEST_SUITE_P(Sites, ValidatedConfig, testing::ValuesIn(kSites), name_of);

const Row kRingsAndProbes[] = {
    {"SlotsNotPrime", "[ring]\nslots = 65536\n",
     "f:2: ring.slots: expected a prime, found 65536; the next prime is 65537"},
    {"SlotsFewForTheNodes",
     node("1", "192.0.2.1") + node("2", "192.0.2.2") + node("3", "192.0.2.3") + "[ring]\nslots = 251\n",
     "f:17: warning: ring.slots is less than a hundred times the number of nodes: shares will be uneven"},
    {"ProbeTimeoutLong", "[probe]\ntimeout = \"3s\"\ninterval = \"2s\"\n",
     "f:2: warning: probe.timeout is longer than probe.interval: a probe is cut off when the next one "
     "starts"},
    {"ProbeIntervalShort", "[probe]\ninterval = \"400ms\"\n",
     "f:1: warning: probe.timeout is longer than probe.interval: a probe is cut off when the next one "
     "starts"},
};
INSTANTIATE_TEST_SUITE_P(RingsAndProbes, ValidatedConfig, testing::ValuesIn(kRingsAndProbes), name_of);

const Row kNodes[] = {
    {"TakenId",
     node("1", "192.0.2.1") +
         "[[node]]\nid = 1\nname = \"m\"\naddress = \"192.0.2.2\"\ninterface = \"eth0\"\n",
     "f:7: [[node]] id \"1\" is taken by line 2; expected one of its own"},
    {"TakenAddress", node("1", "192.0.2.1") + node("2", "192.0.2.1"),
     "f:9: [[node]] address \"192.0.2.1\" is taken by line 4; expected one of its own"},
    {"AddressOfAnotherFamily", kSecret + kControl + host("192.0.2.1") + node("1", "2001:db8::1"),
     "f:15: [[node]] address \"2001:db8::1\": L4 host \"h\" has no address of that family"},
    {"AddressOfTheHostsSecondFamily",
     kSecret + kControl + host("192.0.2.1", "address_v6 = \"2001:db8::2\"\ncontrol = \"192.0.2.1:7\"\n") +
         node("1", "2001:db8::1"),
     ""},
    {"V4NodeOfAV6Host", kSecret + kControl + host("2001:db8::2") + node("1", "192.0.2.1"),
     "f:1: probe.address \"192.0.0.8\": expected an address of the family of L4 host \"h\" (2001:db8::2)\n"
     "f:15: [[node]] address \"192.0.2.1\": L4 host \"h\" has no address of that family"},
    {"ProbeOfTheHostsFamily",
     kSecret + kControl + host("2001:db8::2") + node("1", "2001:db8::1") +
         "[probe]\naddress = \"2001:db8::8\"\n",
     ""},
    {"AddressOfAnL4Host", kSecret + kControl + host("192.0.2.1") + node("1", "192.0.2.1"),
     "f:15: [[node]] address \"192.0.2.1\" is that of L4 host \"h\""},
    {"NoInterface", "[[node]]\nid = 1\nname = \"n\"\naddress = \"192.0.2.1\"\ninterface = \"\"\n",
     "f:5: [[node]] interface: expected a name such as \"eth0\""},
    {"NoInterfaceOfAHost", kSecret + "[[l4_host]]\nname = \"h\"\naddress = \"192.0.2.1\"\ninterface = \"\"\n",
     "f:6: [[l4_host]] interface: expected a name such as \"eth0\", found \"\""},
    {"NobodyHasWeight", node("1", "192.0.2.1", "weight = 0\n") + node("2", "192.0.2.2", "weight = 0\n"),
     "f:1: [[node]]: every node has weight 0, so nobody could serve"},
    {"OneHasWeight", node("1", "192.0.2.1", "weight = 0\n") + node("2", "192.0.2.2"), ""},
};
INSTANTIATE_TEST_SUITE_P(Nodes, ValidatedConfig, testing::ValuesIn(kNodes), name_of);

const Row kVips[] = {
    {"TakenAddress",
     vip("v", "198.51.100.1") + vip("w", "198.51.100.1") + listener("l", "vips = [\"v\", \"w\"]\n"),
     "f:6: [[vip]] address \"198.51.100.1:443/tcp\" is taken by line 3; expected one of its own"},
    {"SameAddressOtherPort",
     vip("v", "198.51.100.1") + vip("w", "198.51.100.1", "port = 80\n") +
         listener("l", "vips = [\"v\", \"w\"]\n"),
     ""},
    {"SameAddressOtherProtocol",
     vip("v", "198.51.100.1") + vip("w", "198.51.100.1", "protocol = \"udp\"\n") +
         listener("l", "vips = [\"v\"]\n"),
     ""},
    {"Protocol", vip("v", "198.51.100.1", "protocol = \"sctp\"\n"),
     "f:4: [[vip]] protocol: expected \"tcp\" or \"udp\", found \"sctp\""},
    {"AnyAddress", vip("v", "::") + listener("l", "vips = [\"v\"]\n"),
     "f:3: [[vip]] address: expected one address, not \"any\""},
    {"NotServed", vip("v", "198.51.100.1"),
     "f:1: warning: [[vip]] \"v\" is served by no listener: connections to it are refused"},
    {"Nodes",
     node("1", "192.0.2.1") + node("2", "192.0.2.2", "weight = 0\n") +
         vip("v", "198.51.100.1", "protocol = \"udp\"\nnodes = [\"n1\", { name = \"n2\", weight = 5 }]\n") +
         vip("w", "198.51.100.2", "protocol = \"udp\"\nnodes = [{ name = \"n2\", weight = 5 }, \"n1\"]\n"),
     ""},
    {"NodeMisspelled",
     node("1", "192.0.2.1") + vip("v", "198.51.100.1", "protocol = \"udp\"\nnodes = [\"n1\", \"n7\"]\n"),
     "f:10: [[vip]] nodes: node \"n7\" does not exist; did you mean \"n1\"?"},
    {"NodeTwice",
     node("1", "192.0.2.1") + vip("v", "198.51.100.1", "protocol = \"udp\"\nnodes = [\"n1\", \"n1\"]\n"),
     "f:10: [[vip]] nodes: \"n1\" is there twice"},
    {"NodesWithoutWeight",
     node("1", "192.0.2.1") + node("2", "192.0.2.2", "weight = 0\n") +
         vip("v", "198.51.100.1", "protocol = \"udp\"\nnodes = [\"n2\"]\n"),
     "f:16: [[vip]] nodes: every one has weight 0, so nobody could serve"},
    {"UdpNeedsNoListener", vip("v", "198.51.100.1", "protocol = \"udp\"\n"), ""},
};
INSTANTIATE_TEST_SUITE_P(Vips, ValidatedConfig, testing::ValuesIn(kVips), name_of);

const Row kListeners[] = {
    {"Nowhere", listener("l", ""), "f:1: [[listener]] \"l\" needs vips or addresses"},
    {"VipMisspelled", vip("shop-v4", "198.51.100.1") + listener("l", "vips = [\"shop-v4\", \"shop-v6\"]\n"),
     "f:6: [[listener]] vips: VIP \"shop-v6\" does not exist; did you mean \"shop-v4\"?"},
    {"VipUnlikeAny",
     vip("shop", "198.51.100.1") + vip("mail", "198.51.100.2") +
         listener("l", "vips = [\"shop\", \"mail\", \"warehouse\"]\n"),
     "f:9: [[listener]] vips: VIP \"warehouse\" does not exist; known: shop, mail"},
    {"VipsOfNone", listener("l", "vips = [\"v\"]\n"),
     "f:3: [[listener]] vips: VIP \"v\" does not exist; there is none"},
    {"VipOfUdp", vip("v", "198.51.100.1", "protocol = \"udp\"\n") + listener("l", "vips = [\"v\"]\n"),
     "f:7: [[listener]] vips: \"v\" is UDP; a listener takes TCP connections"},
    {"TakenVip",
     vip("v", "198.51.100.1") + listener("l", "vips = [\"v\"]\n") + listener("m", "vips = [\"v\"]\n"),
     "f:7: [[listener]] \"v\" is taken by \"l\""},
    {"TakenAddress",
     listener("l", "addresses = [\"127.0.0.1:1\"]\n") + listener("m", "addresses = [\"127.0.0.1:1\"]\n"),
     "f:4: [[listener]] \"127.0.0.1:1\" is taken by \"l\""},
    {"UriLargerThanHeader", listener("l", "addresses = [\"127.0.0.1:1\"]\nmax_uri = \"17KiB\"\n"),
     "f:4: [[listener]] max_uri: expected at most max_header (16KiB), found 17KiB"},
    {"HeaderSmallerThanUri", listener("l", "addresses = [\"127.0.0.1:1\"]\nmax_header = \"4KiB\"\n"),
     "f:1: [[listener]] max_uri: expected at most max_header (4KiB), found 8KiB"},
};
INSTANTIATE_TEST_SUITE_P(Listeners, ValidatedConfig, testing::ValuesIn(kListeners), name_of);

std::string pool_of(const std::string& backends, const std::string& rest = "health = { path = \"/\" }\n") {
  return route() + "[[pool]]\nname = \"p\"\nbackends = [" + backends + "]\n" +
         rest;  // the pool at 3, backends at 5, health at 6
}
std::string pool_with_health(const std::string& health) {
  return pool_of("\"192.0.2.7:80\"", "health = { " + health + " }\n");
}

const Row kPools[] = {
    {"Empty", pool_of(""), "f:5: [[pool]] \"p\" needs a backend: expected backends or discovery"},
    {"BackendTwice", pool_of("\n\"192.0.2.7:80\",\n\"192.0.2.7:80\""),
     "f:7: [[pool]] backend \"192.0.2.7:80\" is there twice"},
    {"BackendWithoutPort", pool_of("\"192.0.2.7:0\""),
     "f:5: [[pool]] backend \"192.0.2.7:0\": expected a port from 1 to 65535"},
    {"NobodyHasWeight", pool_of("{ address = \"192.0.2.7:80\", weight = 0 }"),
     "f:3: [[pool]] \"p\": every backend has weight 0"},
    {"SeveralUnchecked", pool_of("\"192.0.2.7:80\", \"192.0.2.8:80\"", ""),
     "f:3: warning: [[pool]] \"p\" has no health check: a dead backend stays in rotation"},
    {"OneUnchecked", pool_of("\"192.0.2.7:80\"", ""), ""},
    {"HealthPath", pool_with_health("path = \"up\""),
     "f:6: [[pool]] health.path: expected a path such as \"/healthz\", found \"up\""},
    {"HealthWithoutStatus", pool_with_health("path = \"/\", status = []"),
     "f:6: [[pool]] health.status: expected at least one status code"},
    {"HealthTimeoutLong", pool_with_health("path = \"/\", timeout = \"3s\""),
     "f:6: warning: [[pool]] health.timeout is longer than health.interval: a check is cut off when the next "
     "one starts"},
    {"HealthTakesErrors", pool_with_health("path = \"/\", status = [200, 503]"),
     "f:6: warning: [[pool]] health.status has a 5xx code: a server in trouble counts as healthy"},
    {"UsedByNoRoute", pool(), "f:1: warning: [[pool]] \"p\" is used by no route"},
};
INSTANTIATE_TEST_SUITE_P(Pools, ValidatedConfig, testing::ValuesIn(kPools), name_of);

std::string host_error(const std::string& found) {
  return "f:6: [[route]] hosts: expected a name such as \"shop.example\" or \"*.shop.example\", without "
         "port, found \"" +
         found + "\"";
}
Row bad_host(const char* name, const std::string& found) {
  return {name, pool() + route("hosts = [\"" + found + "\"]\n"), host_error(found)};
}
Row good_host(const char* name, const std::string& found) {
  return {name, pool() + route("hosts = [\"" + found + "\"]\n"), ""};
}

const Row kRoutes[] = {
    {"PoolMisspelled", pool("shop") + route("", "shop") + route("name = \"r\"\nhosts = [\"a\"]\n", "shp"),
     "f:7: [[route]] pool \"shp\" does not exist; did you mean \"shop\"?"},
    {"TakenName", pool() + route("hosts = [\"a\"]\n") + route("hosts = [\"b\"]\n"),
     "f:7: [[route]] name \"p\" is taken by line 4; expected one of its own"},
    {"PathAndPrefix", pool() + route("path = \"/a\"\npath_prefix = \"/a\"\n"),
     "f:4: [[route]] \"p\" has path and path_prefix: expected one of them"},
    {"Path", pool() + route("path = \"a\"\n"),
     "f:6: [[route]] path: expected a path that begins with '/', found \"a\""},
    {"PathWithAQuery", pool() + route("path_prefix = \"/a?b\"\n"),
     "f:6: [[route]] path_prefix: expected a path that begins with '/', found \"/a?b\""},
    bad_host("HostEmpty", ""),
    bad_host("HostWithAPort", "shop.example:443"),
    bad_host("HostWithAStarInside", "a.*.example"),
    bad_host("HostStarAlone", "*."),
    bad_host("HostWithAPath", "shop.example/a"),
    bad_host("HostWithADotAtTheEnd", "shop.example."),
    bad_host("HostWithADotAtTheStart", ".shop.example"),
    good_host("HostSuffix", "*.shop.example"),
    good_host("HostV6", "[2001:db8::1]"),
};
INSTANTIATE_TEST_SUITE_P(Routes, ValidatedConfig, testing::ValuesIn(kRoutes), name_of);

// Two routes, "one" at line 4 and "two" after it.
std::string two_routes(const std::string& one, const std::string& two) {
  return pool() + route("name = \"one\"\n" + one) + route("name = \"two\"\n" + two);
}
const std::string kTwoIsHidden =
    ": warning: [[route]] \"two\" gets no request: \"one\" takes all of them first";

const Row kReachability[] = {
    {"SameMatch", two_routes("path_prefix = \"/a\"\n", "path_prefix = \"/a\"\n"), "f:8" + kTwoIsHidden},
    {"SameHosts", two_routes("hosts = [\"a\", \"b\"]\n", "hosts = [\"b\", \"a\"]\n"), "f:8" + kTwoIsHidden},
    {"WiderIsLater", two_routes("path = \"/a\"\n", ""), ""},
    {"WiderIsEarlier", two_routes("", "path = \"/a\"\n"), ""},
    {"WiderByPriority", two_routes("priority = 1\n", "hosts = [\"a\"]\n"), "f:8" + kTwoIsHidden},
    {"SuffixByPriority", two_routes("hosts = [\"*.a\"]\npriority = 1\n", "hosts = [\"b.a\", \"c.b.a\"]\n"),
     "f:9" + kTwoIsHidden},
    {"SuffixWithoutItsBareName", two_routes("hosts = [\"*.a\"]\npriority = 1\n", "hosts = [\"a\"]\n"), ""},
    {"PrefixByPriority", two_routes("path_prefix = \"/a\"\npriority = 1\n", "path = \"/a/b\"\n"),
     "f:9" + kTwoIsHidden},
    {"PrefixIsWholeSegments", two_routes("path_prefix = \"/a\"\npriority = 1\n", "path = \"/ab\"\n"), ""},
    {"PathDoesNotCoverAPrefix", two_routes("path = \"/a\"\npriority = 1\n", "path_prefix = \"/a\"\n"), ""},
    {"OtherHosts", two_routes("hosts = [\"a\"]\npriority = 1\n", "hosts = [\"a\", \"b\"]\n"), ""},
    {"LaterByPriority", two_routes("path = \"/a\"\n", "priority = 1\n"),
     "f:4: warning: [[route]] \"one\" gets no request: \"two\" takes all of them first"},
};
INSTANTIATE_TEST_SUITE_P(Reachability, ValidatedConfig, testing::ValuesIn(kReachability), name_of);

TEST(Validate, LimitsAreThoseOfTheTables) {
  std::string vips, listeners, addresses, backends;
  for (int i = 0; i < 513; ++i) {
    vips += vip("v" + std::to_string(i), "198.51.100.1",
                "protocol = \"udp\"\nport = " + std::to_string(i + 1) + "\n");
  }
  for (int i = 0; i < 64; ++i) {
    if (i < 61) addresses += "\"127.0.0.1:" + std::to_string(i + 1) + "\",";
    listeners +=
        listener("l" + std::to_string(i), "addresses = [\"127.0.0.1:" + std::to_string(i + 1) + "\"]\n");
  }
  for (int i = 0; i < 4097; ++i) backends += "\"192.0.2.7:" + std::to_string(i + 1) + "\",\n";
  EXPECT_EQ(findings_of(vips), "f:1: [[vip]]: expected at most 512, found 513");
  const std::string sockets =
      "f:1: [[listener]]: expected at most 62 addresses and address families of VIPs in all, found ";
  EXPECT_EQ(findings_of(listeners), "f:1: [[listener]]: expected at most 63, found 64\n" + sockets + "64");
  const std::string web = vip("v", "198.51.100.1") + vip("w", "198.51.100.2"), web6 = vip("x", "2001:db8::1");
  const std::string at = "]\naddresses = [" + addresses + "]\n";
  EXPECT_EQ(findings_of(listener("l", "vips = [\"v\", \"w\"" + at) + web), "");
  EXPECT_EQ(findings_of(listener("l", "vips = [\"v\", \"x\", \"w\"" + at) + web + web6), sockets + "63");
  EXPECT_EQ(findings_of(pool_of(backends, "health.path = \"/\"\n")),
            "f:3: [[pool]]: expected at most 4096 backends, found 4097");
}

TEST(Validate, ReportsAllErrorsThenAllWarningsInFileOrder) {
  const std::string toml = "[[pool]]\nname = \"unused\"\nbackends = []\n" +  // 3: an error; 1: a warning
                           listener("l", "vips = [\"a\", \"b\"]\n") +        // 6: two errors
                           "[ring]\nslots = 252\n" +                         // 8: an error
                           "[probe]\ntimeout = \"20s\"\n";                   // 10: a warning
  std::string lines;
  const Loaded loaded = load_text(toml, "f");
  for (const Finding& finding : loaded.findings) {
    lines += finding.text.substr(2, finding.text.find(':', 2) - 2);
    lines += finding.severity == Finding::Severity::kError ? "E " : "W ";
  }
  EXPECT_EQ(lines, "3E 6E 6E 8E 1W 10W ") << findings_of(toml);
  EXPECT_FALSE(loaded.is_valid());
  EXPECT_EQ(loaded.errors().find("warning"), std::string::npos);
}

TEST(Validate, WarningsAloneLeaveAConfigValid) {
  const Loaded loaded = load_text(pool(), "f");
  EXPECT_EQ(loaded.findings.size(), 1u);
  EXPECT_TRUE(loaded.is_valid());
  EXPECT_EQ(loaded.errors(), "");
}

TEST(Validate, DoesNotRepeatWhatIsWrongWithTheOptionsThemselves) {
  EXPECT_EQ(findings_of(route() + "[[pool]]\nname = 7\nbackends = []\n"),
            "f:4: [[pool]] name: expected a text in quotes, found 7");
}

TEST(Suggest, NamesTheNearestWordWithinReach) {
  const std::vector<std::string> known = {"weight", "height", "id", "name"};
  EXPECT_EQ(nearest("weigth", known), "weight");
  EXPECT_EQ(nearest("eight", known), "weight") << "the first of two that are as near";
  EXPECT_EQ(nearest("nmae", known), "name");
  EXPECT_EQ(nearest("zz", known), "") << "replacing every letter is no likeness";
  EXPECT_EQ(nearest("certificate_file", {"certificate"}), "certificate")
      << "a third of a long word may differ";
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(suggest("zz", {}), "; there is none");
  EXPECT_EQ(suggest("colour", {"a", "b"}), "; known: a, b");
}

}  // namespace
}  // namespace gatehouse::config
