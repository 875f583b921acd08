// Rules about services: every error and every warning, with the line that it is about.
#include <gtest/gtest.h>

#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

std::string findings_but_of_vips(const std::string& toml) { return findings_of(toml, "is served by no listener"); }

// A site with a node, an L4 host of both families and the VIPs dns, dns6 and sql.
std::string site() {
  return R"(site = { secret_file = "s" }
control = { certificate = "c", key = "k", ca = "a" }
l4_host = [{ name = "h", address = "192.0.2.1", address_v6 = "2001:db8:2::1", interface = "e0", control = "192.0.2.1:7" }]
node = [{ id = 1, name = "n1", address = "192.0.2.21", interface = "e0" }]
vip = [
  { name = "dns", address = "198.51.100.1", port = 53, protocol = "udp" },
  { name = "dns6", address = "2001:db8:1::1", port = 53, protocol = "udp" },
  { name = "sql", address = "198.51.100.1", port = 5432 },
]
)";  // 9 lines
}
// From line 10 on.
std::string service(const std::string& rest, const std::string& vips = R"("dns")",
                    const std::string& servers = R"({ id = 11, name = "s1", address = "192.0.2.31" })") {
  return site() + "[[service]]\nname = \"d\"\nvips = [" + vips + "]\nservers = [" + servers + "]\n" +
         rest;  // 4 lines
}

const std::string kTwo = R"({ id = 11, name = "s1", address = "192.0.2.31", port = 5353 }, )"
                         R"({ id = 12, name = "s2", address = "192.0.2.32" })";
std::string quic_server(const std::string& id, const std::string& more = "") {
  return R"({ id = 11, name = "s1", address = "192.0.2.31", quic_id = ")" + id + "\" }" + more;
}

const Row kRows[] = {
    {"Good", service(""), ""},
    {"GoodOfSeveralFamilies", service("", R"("dns", "dns6", "sql")"), ""},
    {"GoodNat", service("encapsulation = \"nat\"\n", R"("dns")", kTwo), ""},
    {"UnknownVip", service("", R"("dsn")"),
     "f:12: [[service]] vips \"dsn\" does not exist; did you mean \"dns\"?"},
    {"NoVip", service("", ""), "f:12: [[service]] vips: expected at least one"},
    {"NoServer", service("", R"("dns")", ""), "f:13: [[service]] servers: expected at least one"},
    {"VipTwice", service("", R"("dns", "dns")"),
     "f:12: [[service]] vips: \"dns\" is that of service \"d\" already"},
    {"UnknownEncapsulation", service("encapsulation = \"gre\"\n"),
     "f:14: [[service]] encapsulation \"gre\" is unknown; did you mean \"gue\"?"},
    {"UnknownHash", service("hash = \"ports\"\n"),
     "f:14: [[service]] hash \"ports\" is unknown; known: flow, addresses, source"},
    {"PortInATunnel", service("", R"("dns")", kTwo),
     "f:13: [[service]] servers: a port is only written with encapsulation \"nat\": through a tunnel the "
     "packet arrives as it was "
     "sent"},
    {"IdOfANode", service("", R"("dns")", R"({ id = 1, name = "s1", address = "192.0.2.31" })"),
     "f:13: [[service]] servers: id \"1\" is taken by node \"n1\""},
    {"NameOfANode", service("", R"("dns")", R"({ id = 11, name = "n1", address = "192.0.2.31" })"),
     "f:13: [[service]] servers: name \"n1\" is taken by a node"},
    {"IdTwice",
     service(
         "", R"("dns")",
         R"({ id = 11, name = "s1", address = "192.0.2.31" }, { id = 11, name = "s2", address = "192.0.2.32" })"),
     "f:13: [[service]] servers: id \"11\" is taken by server \"s1\""},
    {"NoWeight", service("", R"("dns")", R"({ id = 11, name = "s1", address = "192.0.2.31", weight = 0 })"),
     "f:13: [[service]] servers: every one has weight 0, so nobody takes new flows"},
    {"AddressOfAVip", service("", R"("dns")", R"({ id = 11, name = "s1", address = "198.51.100.1" })"),
     "f:13: [[service]] servers: address \"198.51.100.1\" is that of VIP \"dns\": packets would never leave "
     "the L4 hosts"},
    {"AddressOfAnL4Host", service("", R"("dns")", R"({ id = 11, name = "s1", address = "192.0.2.1" })"),
     "f:13: [[service]] servers: address \"192.0.2.1\" is that of L4 host \"h\""},
    {"UdpCheckWithoutARequest", service("check = { kind = \"udp\" }\n"),
     "f:14: [[service]] check: a UDP check needs a request that servers answer; without one it could not "
     "fail"},
    {"CheckWithABadEscape", service("check = { kind = \"udp\", request = '\\q' }\n"),
     "f:14: [[service]] check.request: expected \\xNN, \\r, \\n or \\\\ after a backslash"},
    {"UnknownCheck", service("check = { kind = \"grpc-web\" }\n"),
     "f:14: [[service]] check.kind \"grpc-web\" is unknown; known: tcp, udp, none"},
    {"TunnelCheckOfNat", service("encapsulation = \"nat\"\ncheck = { way = \"tunnel\" }\n"),
     "f:15: [[service]] check.way: with encapsulation \"nat\" there is no tunnel; expected \"direct\""},
    {"LongTimeout", service("check = { timeout = \"2s\" }\n"),
     "f:14: warning: [[service]] check.timeout is longer than check.interval: a check is cut off when the "
     "next one starts"},
    {"NatOfAnotherFamily", service("encapsulation = \"nat\"\n", R"("dns6")"),
     "f:13: [[service]] servers: address \"192.0.2.31\" is not of the family of VIP \"dns6\", and "
     "encapsulation \"nat\" changes no "
     "family"},
    {"NatOfTwoProtocols",
     service("encapsulation = \"nat\"\n") +
         "[[service]]\nname = \"e\"\nvips = [\"sql\"]\nencapsulation = \"nat\"\nservers = [" +
         R"({ id = 12, name = "s2", address = "192.0.2.31" }])" + "\n",
     ""},
    {"IdleTooLong", service("udp_idle = \"9h\"\n"),
     "f:14: [[service]] udp_idle: expected from 1s to 8h, found \"9h\""},
    {"CacheNeitherOnNorOff", service("flow_cache = \"on\"\n"),
     "f:14: [[service]] flow_cache: expected true or false, found \"on\""},
    {"QuicWithoutServerIds", service("quic = [{ key_file = \"k\" }]\n"),
     "f:13: [[service]] servers: quic_id \"\": expected 1 to 15 bytes in hexadecimal, such as \"c4605e\""},
    {"QuicInTheClear", service("quic = [{}]\n", R"("dns")", quic_server("c4605e")),
     "f:14: warning: [[service]] quic: without key_file everybody can read from a connection id which server "
     "it belongs to"},
    {"QuicGood",
     service("quic = [{ key_file = \"k\" }, { config_id = 6, key_file = \"l\" }]\n", R"("dns")",
             quic_server("c4605e")),
     ""},
    {"QuicConfigTwice",
     service("quic = [{ key_file = \"k\" }, { key_file = \"l\" }]\n", R"("dns")", quic_server("c4605e")),
     "f:14: [[service]] quic: config_id 0 is there twice"},
    {"QuicTooLong",
     service("quic = [{ key_file = \"k\", nonce_length = 17 }]\n", R"("dns")", quic_server("c4605e")),
     "f:14: [[service]] quic: nonce_length: expected at most 16 with server ids of 3 bytes"},
    {"QuicServerIdTwice",
     service("quic = [{ key_file = \"k\" }]\n", R"("dns")",
             quic_server("c4", R"(, { id = 12, name = "s2", address = "192.0.2.32", quic_id = "C4" })")),
     "f:13: [[service]] servers: quic_id \"C4\" is taken by another server"},
    {"QuicServerIdsOfTwoLengths",
     service("quic = [{ key_file = \"k\" }]\n", R"("dns")",
             quic_server("c4", R"(, { id = 12, name = "s2", address = "192.0.2.32", quic_id = "c46e" })")),
     "f:13: [[service]] servers: quic_id: expected 1 bytes as of the server before, found 2"},
    {"QuicOverTcp", service("quic = [{ key_file = \"k\" }]\n", R"("sql")", quic_server("c4605e")),
     "f:14: [[service]] quic: VIP \"sql\" is not UDP"},
};

// With one VIP more, "other".
std::string replaced_vips(std::string toml) {
  const std::string end = "port = 5432 },\n";
  return toml.replace(
      toml.find(end), end.size(),
      end + "  { name = \"other\", address = \"198.51.100.2\", port = 53, protocol = \"udp\" },\n");
}

class ServiceConfig : public testing::TestWithParam<Row> {};

TEST_P(ServiceConfig, IsAnsweredWith) {
  EXPECT_EQ(findings_but_of_vips(GetParam().toml), GetParam().findings) << GetParam().toml;
}

INSTANTIATE_TEST_SUITE_P(, ServiceConfig, testing::ValuesIn(kRows),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(ServiceConfigs, AVipBelongsToAListenerOrAService) {
  const std::string toml = service("", R"("sql")") + "[[listener]]\nname = \"l\"\nvips = [\"sql\"]\n" +
                           "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.7:80\"]\n[[route]]\npool = \"p\"\n";
  EXPECT_EQ(findings_but_of_vips(toml),
            "f:12: [[service]] vips: \"sql\" is that of listener \"l\": nodes serve it, or servers do");
}

TEST(ServiceConfigs, OneAddressAndPortStandsBehindOneVip) {
  const std::string toml = replaced_vips(service("encapsulation = \"nat\"\n", R"("dns", "other")"));
  EXPECT_EQ(findings_but_of_vips(toml),
            "f:14: [[service]] servers: 192.0.2.31:53/udp stands behind VIP \"dns\" already: what it sends "
            "could not be told "
            "apart for VIP \"other\"");
}

}  // namespace
}  // namespace gatehouse::config
