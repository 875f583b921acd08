// Rules about BGP, and what [bgp] comes to with its defaults.
#include <gtest/gtest.h>

#include "common/config/announcement.h"
#include "tests/common/config_findings.h"
#include "tests/support/source_tree.h"

namespace gatehouse::config {
namespace {

class BgpConfig : public testing::TestWithParam<Row> {};

TEST_P(BgpConfig, IsAnsweredWith) {
  EXPECT_EQ(text_of(load_text(GetParam().toml, "f").findings), GetParam().findings) << GetParam().toml;
}

// 10 lines: `rest` begins at line 11
std::string site(const std::string& rest) {
  return "[site]\nsecret_file = \"s\"\n"
         "[[vip]]\nname = \"v\"\naddress = \"198.51.100.1\"\nport = 53\nprotocol = \"udp\"\n"
         "[[l4_host]]\nname = \"a\"\naddress = \"192.0.2.1\"\ninterface = \"eth0\"\n" +
         rest;
}
std::string anchor(const std::string& rest) { return site("[[bgp.anchor]]\n" + rest); }
std::string with_router(const std::string& router, const std::string& rest = "") {
  return site("[bgp]\nas = 65010\n" + rest + "neighbours = [{ address = \"192.0.2.254\", " + router +
              " }]\n");
}

const Row kRows[] = {
    {"Empty", site("[bgp]\n"), ""},
    {"Router", with_router("as = 64500"), ""},
    {"FourByteAs", with_router("as = 4200000000, multihop = 3, local_address = \"192.0.2.1\""), ""},
    {"NoAsOfTheRouter", with_router("multihop = 1"), "f:14: [bgp].neighbours needs \"as\": Its AS number."},
    {"AsOutOfBounds", with_router("as = 4294967296"),
     "f:14: [bgp].neighbours as: expected a number from 1 to 4294967295, found 4294967296"},
    {"OtherFamily", with_router("as = 1, local_address = \"2001:db8::1\""),
     "f:14: [bgp].neighbours local_address: expected an address of the family of 192.0.2.254, found "
     "\"2001:db8::1\""},
    {"TtlOfAFarRouter",
     with_router("as = 1, multihop = 2, ttl_security = true, local_address = \"192.0.2.1\""),
     "f:14: [bgp].neighbours: ttl_security is for routers on a link of ours, multihop for others"},
    {"BfdWithAFarRouter", with_router("as = 1, multihop = 2"),
     "f:14: [bgp].neighbours: BFD with 192.0.2.254, which is on no link of ours, needs local_address"},
    {"FarRouterWithoutBfd", with_router("as = 1, multihop = 2", "bfd = false\n"), ""},
    {"NoAsOfOurs", site("[bgp]\nneighbours = [{ address = \"192.0.2.254\", as = 1 }]\n"),
     "f:8: [[l4_host]] \"a\" has neighbours and no AS number: give it bgp.as, or give [bgp] one"},
    {"RouterTwice",
     site("[bgp]\nas = 1\nneighbours = [{ address = \"192.0.2.254\", as = 1 },\n{ address = \"192.0.2.254\", "
          "as = 2 }]\n"),
     "f:15: [bgp].neighbours: 192.0.2.254 is there twice"},
    {"VipsThatNoRouterHearsOf", site("[bgp]\nas = 1\nneighbours = [{ address = \"2001:db8::1\", as = 2 }]\n"),
     "f:8: warning: [[l4_host]] \"a\" announces \"v\" to nobody: none of its neighbours has an address of "
     "that "
     "family"},
    {"HostWithoutTheSection", site("[l4_host.bgp]\nas = 1\n"),
     "f:12: [[l4_host]] bgp needs a section [bgp], which may be empty"},
    {"RouterIdOfIpv6", with_router("as = 1") + "[l4_host.bgp]\nrouter_id = \"2001:db8::1\"\n",
     "f:15: [[l4_host]] \"a\" bgp.router_id: expected an IPv4 address, found \"2001:db8::1\""},
    {"UnknownDrain", site("[bgp]\ndrain = \"slowly\"\n"),
     "f:13: [bgp] drain: expected \"withdraw\", \"med\" or \"prepend\", found \"slowly\""},
    {"Communities", site("[bgp]\ncommunities = [\"1:2\", \"4200000000:1:2\"]\n"), ""},
    {"OneNumber", site("[bgp]\ncommunities = [\"100\"]\n"),
     "f:13: [bgp] communities: expected two numbers up to 65535 such as \"64500:100\", or three such as "
     "\"64500:1:2\", found \"100\""},
    {"LongCommunity", site("[bgp]\ncommunities = [\"65536:1\"]\n"),
     "f:13: [bgp] communities: expected two numbers up to 65535 such as \"64500:100\", or three such as "
     "\"64500:1:2\", found \"65536:1\""},
    {"ShortestWait", site("[bgp]\nwithdraw_after = \"1s\"\n"),
     "f:13: [bgp] withdraw_after: expected from 2s to 1h, found \"1s\""},
    {"Anchor", anchor("interface = \"gh-a\"\nvips = [\"v\"]\nmin_healthy = 50\ncommunities = [\"1:2\"]\n"),
     ""},
    {"AnchorOfUnknownVip", anchor("interface = \"gh-a\"\nvips = [\"w\", \"v\"]\n"),
     "f:14: [bgp].anchor vips: VIP \"w\" does not exist; known: v"},
    {"AnchorNobodyIsAt", anchor("interface = \"gh-a\"\nvips = []\n"),
     "f:3: warning: [[vip]] \"v\" is of no [[bgp.anchor]]: nobody announces it"},
    {"LongInterface", anchor("interface = \"gh-interface-x\"\nvips = [\"v\"]\n"),
     "f:13: [bgp].anchor interface: expected 1 to 13 letters, digits, '-' or '_', found \"gh-interface-x\""},
    {"InterfaceThatIsThere", anchor("interface = \"eth0\"\nvips = [\"v\"]\n"),
     "f:13: [bgp].anchor interface \"eth0\": expected a new one, found an interface of L4 host \"a\""},
    {"InterfaceOfADrain",
     anchor("interface = \"gh\"\nvips = [\"v\"]\n[[bgp.anchor]]\ninterface = \"gh-d\"\nvips = []\n"),
     "f:16: [bgp].anchor interface \"gh-d\" is taken by another anchor (each has one more interface, with "
     "\"-d\", "
     "for drains)"},
    {"AddressOfTwoAnchors",
     anchor("interface = \"gh\"\nvips = [\"v\"]\n[[bgp.anchor]]\ninterface = \"gh2\"\nvips = [\"v\"]\n"),
     "f:17: [bgp].anchor vips: the address of \"v\", 198.51.100.1, is on gh already; an address is announced "
     "by one "
     "anchor"},
    {"NodeOfTheHostsName",
     site("[bgp]\n") + "[[node]]\nid = 1\nname = \"a\"\naddress = \"192.0.2.9\"\ninterface = \"eth0\"\n",
     "f:9: [[l4_host]] name \"a\" is that of a node or a server: which of them `gatehouse drain` means could "
     "not be told\n"
     "f:8: warning: [[l4_host]] \"a\" has no control address: no node can join it"}};

INSTANTIATE_TEST_SUITE_P(Rules, BgpConfig, testing::ValuesIn(kRows),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Announcement, WithoutAnchorsEveryAddressIsOnOne) {
  const Loaded loaded =
      load_text(site("[[vip]]\nname = \"t\"\naddress = \"198.51.100.1\"\n"
                     "[[vip]]\nname = \"w\"\naddress = \"2001:db8::1\"\n[bgp]\nmin_healthy = 30\n"),
                "f");
  const auto anchors = anchors_of(loaded.config);
  ASSERT_EQ(anchors.size(), 1u);
  EXPECT_EQ(anchors[0].interface, "gh-vip0");
  EXPECT_EQ(anchors[0].min_healthy, 30u);
  ASSERT_EQ(anchors[0].addresses.size(), 2u);
  for (const AnnouncedAddress& each : anchors[0].addresses)
    EXPECT_EQ(each.vips.size(), each.address.is_v4() ? 2u : 1u);
}

TEST(Announcement, HostsAndAnchorsTakeWhatTheyLeaveOut) {
  const Loaded loaded = load_file(test::kSourceRoot / "config/examples/bgp.toml");
  ASSERT_TRUE(loaded.is_valid()) << loaded.errors();
  const auto anchors = anchors_of(loaded.config);
  ASSERT_EQ(anchors.size(), 2u);
  EXPECT_EQ(anchors[0].min_healthy, 50u);
  EXPECT_EQ(anchors[1].min_healthy, 1u);
  EXPECT_EQ(anchors[1].communities, (std::vector<std::string>{"65010:100", "65010:53", "65010:1:53"}));
  EXPECT_EQ(anchors[1].drain_interface(), "gh-dns-d");
  const HostBgp first = bgp_of(loaded.config, loaded.config.l4_hosts[0]);
  EXPECT_EQ(first.as, 65010u);
  EXPECT_EQ(to_string(*first.router_id), "192.0.2.11");
  const HostBgp second = bgp_of(loaded.config, loaded.config.l4_hosts[1]);
  EXPECT_EQ(second.as, 65011u);
  EXPECT_EQ(to_string(*second.router_id), "192.0.2.213");
}

}  // namespace
}  // namespace gatehouse::config
