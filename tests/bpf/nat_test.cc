// Translation to servers and back: a table of packets with what must leave, byte for byte, checksums as the
// packet builder calculates them anew. Every test runs over both builds.
#include "tests/bpf/service_site.h"

namespace gatehouse::test {
namespace {

using Build = PacketBuilder;

class Translation : public Services {
 protected:
  void SetUp() override {
    open();
    // One server for each, so that the table can name it.
    set_servers(*plane_, kWeb, {12});
    set_servers(*plane_, kWeb6, {13});
  }
  void expect(const std::string& description, const Bytes& input, const Bytes& output,
              gh_verdict verdict = GH_FORWARDED) {
    SCOPED_TRACE(description);
    auto expected = verdict_counts(tables());
    ++expected[verdict];
    Bytes packet = input;
    run(packet);
    EXPECT_EQ(verdict_counts(tables()), expected) << "wanted verdict " << verdict;
    EXPECT_EQ(to_hex(packet), to_hex(output));
  }
  void expect_translated(const std::string& description, const Build& inner, const Build& outer) {
    expect(description, frame(inner), turned(outer));
  }
  void expect_back(const std::string& description, const Build& inner, const Build& outer) {
    expect(description, frame(inner), turned(outer), GH_TRANSLATED_BACK);
  }
  void expect_untouched(const std::string& description, const Build& inner, gh_verdict verdict = GH_NOT_VIP) {
    expect(description, frame(inner), frame(inner), verdict);
  }
  static Bytes frame(const Build& inner) { return Build().ethernet().packet(inner.build()).build(); }
  static Bytes turned(const Build& inner) {
    return Build().ethernet(kRouterMac, kHostMac).packet(inner.build()).build();
  }
};
GATEHOUSE_BOTH_ADAPTERS(Translation);

Build to_vip() { return Build().ipv4("203.0.113.7", "198.51.100.21"); }
Build to_server() { return Build().ipv4("203.0.113.7", "10.0.1.12"); }
Build to_vip_v6() { return Build().ipv6("2001:db8:c::7", "2001:db8:5::21"); }
Build to_server_v6() { return Build().ipv6("2001:db8:c::7", "fd00:1::13"); }
Build from_server(const char* address = "10.0.1.12") { return Build().ipv4(address, "203.0.113.7"); }
Build from_vip() { return Build().ipv4("198.51.100.21", "203.0.113.7"); }
Build from_server_v6() { return Build().ipv6("fd00:1::13", "2001:db8:c::7"); }
Build from_vip_v6() { return Build().ipv6("2001:db8:5::21", "2001:db8:c::7"); }

TEST_P(Translation, WritesTheServersAddressAndPort) {
  for (const std::size_t payload : {0, 1, 10, 1400}) {
    const std::string size = " with " + std::to_string(payload) + " bytes";
    expect_translated("IPv4 TCP" + size, to_vip().tcp(40000, 80).payload(payload),
                      to_server().tcp(40000, 8080).payload(payload));
    expect_translated("IPv4 UDP" + size, to_vip().udp(40000, 80).payload(payload),
                      to_server().udp(40000, 8080).payload(payload));
    expect_translated("IPv6 TCP" + size, to_vip_v6().tcp(40000, 80).payload(payload),
                      to_server_v6().tcp(40000, 8080).payload(payload));
    expect_translated("IPv6 UDP" + size, to_vip_v6().udp(40000, 80).payload(payload),
                      to_server_v6().udp(40000, 8080).payload(payload));
  }
}

TEST_P(Translation, LeavesTheRestOfTheHeadersAsTheyAre) {
  const Bytes options = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0};
  expect_translated("TCP options", to_vip().tcp(40000, 80, kSyn).options(options),
                    to_server().tcp(40000, 8080, kSyn).options(options));
  expect_translated("IP options", to_vip().options({1, 1, 1, 0}).tcp(40000, 80),
                    to_server().options({1, 1, 1, 0}).tcp(40000, 8080));
  expect_translated("DSCP, ECN, TTL, DF", to_vip().traffic_class(0xb9).ttl(3).dont_fragment().tcp(40000, 80),
                    to_server().traffic_class(0xb9).ttl(3).dont_fragment().tcp(40000, 8080));
  expect_translated("IPv6 class", to_vip_v6().traffic_class(0xb9).tcp(40000, 80),
                    to_server_v6().traffic_class(0xb9).tcp(40000, 8080));
  expect("VLAN", Build().ethernet().vlan(5).packet(to_vip().tcp(40000, 80).build()).build(),
         Build().ethernet(kRouterMac, kHostMac).vlan(5).packet(to_server().tcp(40000, 8080).build()).build());
  expect(
      "padding", Build().ethernet().packet(to_vip().udp(40000, 80).build()).payload(9).build(),
      Build().ethernet(kRouterMac, kHostMac).packet(to_server().udp(40000, 8080).build()).payload(9).build());
}

TEST_P(Translation, GivesTheVipsAddressBack) {
  expect_back("IPv4 TCP", from_server().tcp(8080, 40000, kSyn | kAck).payload(7),
              from_vip().tcp(80, 40000, kSyn | kAck).payload(7));
  expect_back("IPv4 UDP", from_server().udp(8080, 40000).payload(7), from_vip().udp(80, 40000).payload(7));
  expect_back("IPv6 TCP", from_server_v6().tcp(8080, 40000).payload(7),
              from_vip_v6().tcp(80, 40000).payload(7));
  expect_back("IPv6 UDP", from_server_v6().udp(8080, 40000).payload(7),
              from_vip_v6().udp(80, 40000).payload(7));
  expect_back("a server that is out of the ring", from_server("10.0.1.11").tcp(8080, 40000),
              from_vip().tcp(80, 40000));
  EXPECT_EQ(count(kWeb, GH_COUNT_TRANSLATED_BACK), 3u);
  EXPECT_EQ(count(kWeb6, GH_COUNT_TRANSLATED_BACK), 2u);
}

TEST_P(Translation, LeavesAloneWhatNoServiceSends) {
  expect_untouched("another port of a server", from_server().tcp(22, 40000));
  expect_untouched("another address", from_server("10.0.1.99").tcp(8080, 40000));
  expect_untouched("to a server, from a client", Build().ipv4("203.0.113.7", "10.0.1.12").tcp(40000, 8080));
  expect_untouched("what a server answers to this host's checks",
                   Build().ipv4("10.0.1.12", "192.0.2.1").tcp(8080, 40000));
  expect_untouched("what it answers to another L4 host's",
                   Build().ipv4("10.0.1.12", "192.0.2.3").tcp(8080, 40000));
  expect_untouched("the same over IPv6", Build().ipv6("fd00:1::13", "2001:db8:2::1").tcp(8080, 40000));
  expect_untouched("IPv4 in the form that tables have",
                   Build().ipv6("::ffff:10.0.1.12", "2001:db8:c::7").tcp(8080, 40000));
  expect_untouched("ICMP of a server", from_server().icmp(8, 0));
  expect_untouched("a fragment of a server", from_server().fragment(0, true).udp(8080, 40000));
}

TEST_P(Translation, AChecksumThatTheSenderDidNotMakeStaysAway) {
  expect_translated("IPv4 UDP", to_vip().udp(40000, 80).without_checksum().payload(7),
                    to_server().udp(40000, 8080).without_checksum().payload(7));
  expect_back("back", from_server().udp(8080, 40000).without_checksum().payload(7),
              from_vip().udp(80, 40000).without_checksum().payload(7));
}

// RFC 768: a sum of 0 is sent as 0xffff; and one that was wrong stays wrong by as much.
TEST_P(Translation, ChecksumsFollowForEverySum) {
  for (unsigned word = 0; word < 0x10000; word += GetParam() == Adapter::kKernel ? 251 : 1) {
    const Bytes payload = {static_cast<std::uint8_t>(word >> 8), static_cast<std::uint8_t>(word)};
    Bytes packet = frame(to_vip().udp(40000, 80).payload(payload));
    run(packet);
    ASSERT_EQ(to_hex(packet), to_hex(turned(to_server().udp(40000, 8080).payload(payload)))) << word;
  }
  Bytes wrong = frame(to_vip().tcp(40000, 80));
  Bytes right = wrong;
  wrong[14 + 20 + 4] ^= 0x40;  // a bit of the sequence number
  run(wrong), run(right);
  right[14 + 20 + 4] ^= 0x40;
  EXPECT_EQ(to_hex(wrong), to_hex(right));
}

TEST_P(Translation, APacketWithoutAWholeHeaderIsNotWritten) {
  Bytes whole = to_vip().tcp(40000, 80).build();
  for (std::uint16_t length = 28; length < 40; ++length) {
    const Build cut =
        to_vip().length(length).next(6).payload(Bytes(whole.begin() + 20, whole.begin() + length));
    expect_untouched("TCP of " + std::to_string(length), cut, GH_TRUNCATED);
  }
}

TEST_P(Translation, WithoutATranslatedServiceNothingIsAskedFor) {
  l4::ServiceSet set = service_set();
  set.backs.clear();
  ASSERT_TRUE(l4::ServiceWriter(*plane_).set(set));
  expect_untouched("a server", from_server().tcp(8080, 40000));
}

TEST_P(Translation, AVipOfAnyPortKeepsThePort) {
  l4::ServiceSet set = service_set();
  for (auto& back : set.backs) back.port = back.vip_port = 0;
  ASSERT_TRUE(l4::ServiceWriter(*plane_).set(set));
  l4::ServiceWriter(*plane_).set_server(12, kWeb, 0, 0, true);
  expect_translated("there", to_vip().tcp(40000, 80), to_server().tcp(40000, 80));
  for (const std::uint16_t port : {22, 80, 8080}) {
    expect_back("back", from_server().tcp(port, 40000), from_vip().tcp(port, 40000));
  }
}

}  // namespace
}  // namespace gatehouse::test
