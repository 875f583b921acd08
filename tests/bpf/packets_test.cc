// One table of packets for the front door, run against the user-space build and against the loaded BPF
// object. What is not tunnelled must leave as it came, byte for byte.
#include "tests/bpf/builds.h"

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

namespace gatehouse::test {
namespace {

using Build = PacketBuilder;

constexpr std::uint32_t kSlots = 251;
constexpr std::uint32_t kMtu = 1500;
constexpr std::uint16_t kEpoch = 0x1234;
constexpr std::chrono::seconds kUnderTraffic{1}, kAtMost{30};
constexpr std::uint8_t kTcp = 6, kUdp = 17;
constexpr const char* kClient = "203.0.113.7";
constexpr const char* kClientV6 = "2001:db8:c::7";
constexpr const char* kVip = "198.51.100.10";
constexpr const char* kVipV6 = "2001:db8:5::10";
constexpr const char* kVipOnNodeV6 = "2001:db8:5::13";
constexpr const char* kOther = "198.51.100.99";  // no VIP
constexpr const char* kOtherV6 = "2001:db8:5::99";

// Group n has the hop list kGroups[n] in every slot; group 5 has no ring.
constexpr int kGroupWithoutRing = 5;
const std::uint64_t kGroups[] = {
    gh_slot(1, 0, 0, 0), gh_slot(1, 2, 0, 0), gh_slot(1, 2, 3, 0),
    gh_slot(1, 2, 3, 4), gh_slot(6, 0, 0, 0), 0,
    gh_slot(0, 0, 0, 0), gh_slot(9, 0, 0, 0),  // nobody has the id 9
};

// 198.51.100.11 to 16 belong to groups 2 to 7.
std::vector<l4::VipEntry> site_vips() {
  std::vector<l4::VipEntry> vips = {{ip(kVip), 443, kTcp, 0, 0},
                                    {ip(kVip), 53, kUdp, 1, 1},
                                    {ip(kVipV6), 443, kTcp, 8, 0},
                                    {ip(kVipV6), 53, kUdp, 9, 1},
                                    {ip(kVipOnNodeV6), 443, kTcp, 10, 4}};
  for (std::uint16_t group = 2; group <= 7; ++group) {
    vips.push_back({ip("198.51.100." + std::to_string(9 + group)), 443, kTcp, group, group});
  }
  return vips;
}

Site site() {
  Site site{kMtu, site_vips(), {}, kEpoch};
  for (const std::uint64_t slot : kGroups) site.rings.emplace_back(kSlots, slot);
  site.rings[kGroupWithoutRing].clear();
  return site;
}

// Passed and dropped: `inner` in a plain frame, left as it is.
Row passed_frame(std::string description, const Build& input, gh_verdict verdict) {
  return {std::move(description), input.build(), verdict, XDP_PASS, input.build()};
}
Row passed(std::string description, const Build& inner, gh_verdict verdict) {
  return passed_frame(std::move(description), Build().ethernet().packet(inner.build()), verdict);
}
Row dropped(std::string description, const Build& inner, gh_verdict verdict) {
  const Bytes input = Build().ethernet().packet(inner.build()).build();
  return {std::move(description), input, verdict, XDP_DROP, input};
}
Row forwarded(std::string description, const Build& input, const Build& output) {
  return {std::move(description), input.build(), GH_FORWARDED, XDP_TX, output.build()};
}

// In a plain frame, and as it comes out of `tunnel`.
Row tunnelled(std::string description, const Build& inner, Build tunnel) {
  const Bytes packet = inner.build();
  return forwarded(std::move(description), Build().ethernet().packet(packet), tunnel.packet(packet));
}

// The frame that leaves: turned around. Source ports are literals, calculated apart from the code under test.
Build back() { return Build().ethernet(kRouterMac, kHostMac); }
Build tunnel_v4(Build link, std::uint16_t source_port, std::vector<std::uint16_t> hops = {},
                std::uint8_t traffic_class = 0) {
  link.ipv4("192.0.2.1", "10.0.0.1").traffic_class(traffic_class).dont_fragment();
  return link.udp(source_port, 6080).without_checksum().gue(kEpoch, hops);
}
Build tunnel_v6(Build link, std::uint16_t source_port, std::uint8_t traffic_class = 0) {
  link.ipv6("2001:db8:2::1", "fd00::6").traffic_class(traffic_class);
  return link.udp(source_port, 6080).without_checksum().gue(kEpoch);
}

Build from_client(const char* vip = kVip) { return Build().ipv4(kClient, vip); }
Build from_client_v6(const char* vip = kVipV6) { return Build().ipv6(kClientV6, vip); }
Build frame(const Build& inner) { return Build().ethernet().packet(inner.build()); }
Build segment(const char* vip = kVip) { return from_client(vip).tcp(40000, 443).payload("hello"); }
Build segment_v6(const char* vip = kVipV6) { return from_client_v6(vip).tcp(40000, 443).payload("hello"); }

// Padding is no part of the outer packet either: its length, checksum and UDP length are as without.
void take_padding_off(Bytes& frame, std::uint8_t length) {
  frame[17] -= length;
  frame[25] += length;
  frame[39] -= length;
}

void add_forwarded(Rows& rows) {
  // Written out: it also tells whether the builder itself is right.
  const std::string inner_hex =
      "4500002d0000000040061486cb007107c633640a 9c4001bb10203040000000005010ffff275c0000 68656c6c6f";
  rows.push_back({"IPv4 TCP, all bytes written out", from_hex("020000000001 0200000000fe 0800" + inner_hex),
                  GH_FORWARDED, XDP_TX,
                  from_hex("0200000000fe 020000000001 0800 450000550000400040116e96c00002010a000001"
                           "f46d17c000410000 020400001234000000000000" +
                           inner_hex)});
  EXPECT_EQ(to_hex(rows.back().input), to_hex(frame(segment()).build()));
  const Bytes inner = segment().build(), inner_v6 = segment_v6().build();
  rows.push_back(tunnelled("IPv4 TCP", segment(), tunnel_v4(back(), 62573)));
  rows.push_back(tunnelled("IPv6 TCP", segment_v6(), tunnel_v4(back(), 59240)));
  rows.push_back(tunnelled("another port", from_client().tcp(40001, 443, kSyn), tunnel_v4(back(), 63208)));
  rows.push_back(tunnelled("IPv4 UDP", from_client().udp(40000, 53), tunnel_v4(back(), 53953, {2})));
  rows.push_back(tunnelled("IPv6 UDP", from_client_v6().udp(40000, 53), tunnel_v4(back(), 50815, {2})));
  for (const std::uint16_t tag_type : {0x8100, 0x88a8}) {
    rows.push_back(forwarded("VLAN tag of type " + std::to_string(tag_type),
                             Build().ethernet().vlan(0x6123, tag_type).packet(inner),
                             tunnel_v4(back().vlan(0x6123, tag_type), 62573).packet(inner)));
  }
  rows.push_back(forwarded("VLAN, IPv6", Build().ethernet().vlan(5).packet(inner_v6),
                           tunnel_v4(back().vlan(5), 59240).packet(inner_v6)));
  rows.push_back(forwarded("padding stays behind", frame(segment()).payload(7),
                           tunnel_v4(back(), 62573).packet(inner).payload(7)));
  take_padding_off(rows.back().output, 7);
}

void add_hop_lists(Rows& rows) {
  const Build two = segment("198.51.100.11"), three = segment("198.51.100.12");
  rows.push_back(tunnelled("two earlier owners", two, tunnel_v4(back(), 59227, {2, 3})));
  rows.push_back(tunnelled("three earlier owners", three, tunnel_v4(back(), 59140, {2, 3, 4})));
  const Build to_v6 = segment("198.51.100.13"), both_v6 = segment_v6(kVipOnNodeV6);
  rows.push_back(tunnelled("IPv4 to an IPv6 node", to_v6, tunnel_v6(back(), 61924)));
  rows.push_back(tunnelled("IPv6 to an IPv6 node", both_v6, tunnel_v6(back(), 49698)));
  rows.push_back(forwarded("VLAN to an IPv6 node", Build().ethernet().vlan(7).packet(both_v6.build()),
                           tunnel_v6(back().vlan(7), 49698).packet(both_v6.build())));
}

void add_odd_headers(Rows& rows) {
  const auto to_v4 = [&rows](const char* description, Build ip_layer, std::uint8_t traffic_class = 0) {
    rows.push_back(
        tunnelled(description, ip_layer.tcp(40000, 443), tunnel_v4(back(), 62573, {}, traffic_class)));
  };
  to_v4("DSCP and ECN are copied", from_client().traffic_class(0xb9), 0xb9);
  to_v4("TTL 1: the tunnel's own is 64", from_client().ttl(1));
  to_v4("DF is no fragment", from_client().dont_fragment());
  to_v4("IPv4 options", from_client().options({1, 1, 1, 0}));
  to_v4("IPv4 with 40 bytes of options", from_client().options(Bytes(40, 1)));
  const Build tcp_options = from_client().tcp(40000, 443).options({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0});
  rows.push_back(tunnelled("TCP options", tcp_options, tunnel_v4(back(), 62573)));
  const Build marked_v6 = from_client_v6(kVipOnNodeV6).traffic_class(0xb9).tcp(40000, 443);
  rows.push_back(tunnelled("IPv6: DSCP and ECN are copied", marked_v6, tunnel_v6(back(), 49698, 0xb9)));
}

void add_left_alone(Rows& rows) {
  rows.push_back(passed("TCP to another address", segment(kOther), GH_NOT_VIP));
  rows.push_back(passed("IPv6 to another address", segment_v6(kOtherV6), GH_NOT_VIP));
  rows.push_back(passed("another port of a VIP's address", from_client().tcp(40000, 80), GH_NOT_VIP));
  rows.push_back(passed("IPv6: another port", from_client_v6().tcp(40000, 80), GH_NOT_VIP));
  rows.push_back(passed("UDP to a TCP VIP", from_client().udp(40000, 443), GH_NOT_VIP));
  rows.push_back(passed("TCP to a UDP VIP", from_client().tcp(40000, 53), GH_NOT_VIP));
  rows.push_back(passed("TCP to port 0 of a VIP's address", from_client().tcp(40000, 0), GH_NOT_VIP));
  rows.push_back(passed("from a VIP", Build().ipv4(kVip, kClient).tcp(443, 40000), GH_NOT_VIP));
  rows.push_back(passed_frame("ARP", Build().ethernet().next(0x0806).payload(28), GH_NOT_VIP));
  rows.push_back(passed_frame("LLDP", Build().ethernet().next(0x88cc).payload(60), GH_NOT_VIP));
  rows.push_back(passed_frame("two VLAN tags", Build().ethernet().vlan(5).vlan(6).packet(segment().build()),
                              GH_NOT_VIP));
  rows.push_back(passed("ICMP to another address", from_client(kOther).icmp(8, 0), GH_NOT_VIP));
  rows.push_back(passed("fragment to another address", from_client(kOther).fragment(0, true).udp(40000, 53),
                        GH_NOT_VIP));
  rows.push_back(passed("extension header to another address",
                        from_client_v6(kOtherV6).extension(60, Bytes(7)).tcp(40000, 443), GH_NOT_VIP));
}

// The tables hold IPv4 addresses in this form; on the wire nobody has them.
void add_mapped(Rows& rows) {
  const auto to_mapped = [] { return Build().ipv6(kClientV6, "::ffff:198.51.100.10"); };
  rows.push_back(passed("mapped VIP, TCP", to_mapped().tcp(40000, 443).payload("hello"), GH_NOT_VIP));
  rows.push_back(passed("mapped VIP, UDP", to_mapped().udp(40000, 53), GH_NOT_VIP));
  rows.push_back(passed("mapped VIP, ICMPv6", to_mapped().icmp(128, 0), GH_NOT_VIP));
  rows.push_back(
      passed("mapped VIP, fragment", to_mapped().extension(44, Bytes(7)).udp(40000, 53), GH_NOT_VIP));
  rows.push_back(
      passed("mapped VIP, extension", to_mapped().extension(60, Bytes(7)).udp(40000, 53), GH_NOT_VIP));
}

void add_vip_without_ports(Rows& rows) {
  rows.push_back(passed("ICMP to a VIP", from_client().icmp(8, 0).payload(8), GH_VIP_NO_PORTS));
  rows.push_back(passed("ICMPv6 to a VIP", from_client_v6().icmp(128, 0).payload(8), GH_VIP_NO_PORTS));
  rows.push_back(passed("ESP to a VIP", from_client().next(50).payload(20), GH_VIP_NO_PORTS));
  rows.push_back(passed("IPv6 without a next header", from_client_v6(), GH_VIP_NO_PORTS));
  rows.push_back(dropped("fragment", from_client().fragment(0, true).tcp(40000, 443), GH_VIP_FRAGMENT));
  rows.push_back(dropped("middle piece", from_client().fragment(1480, true).next(kTcp), GH_VIP_FRAGMENT));
  rows.push_back(dropped("last piece", from_client().fragment(1480, false).next(kUdp), GH_VIP_FRAGMENT));
  rows.push_back(dropped("fragment of ICMP", from_client().fragment(0, true).icmp(8, 0), GH_VIP_FRAGMENT));
  rows.push_back(
      dropped("IPv6 fragment", from_client_v6().extension(44, Bytes(7)).tcp(40000, 443), GH_VIP_FRAGMENT));
  for (const std::uint8_t protocol : {0, 43, 51, 60, 135}) {
    rows.push_back(dropped("IPv6 extension header " + std::to_string(protocol),
                           from_client_v6().extension(protocol, Bytes(7)).tcp(40000, 443), GH_VIP_EXTENSION));
  }
}

Row sized(std::string description, Build inner, std::size_t ip_length, Build (*tunnel)(const Bytes&)) {
  inner.payload(ip_length - inner.build().size());
  if (!tunnel) return dropped(std::move(description), inner, GH_VIP_TOO_BIG);
  return forwarded(std::move(description), frame(inner), tunnel(inner.build()));
}

void add_limits(Rows& rows) {
  const auto over_v4 = [](const Bytes& inner) { return tunnel_v4(back(), 62573).packet(inner); };
  const auto over_v6 = [](const Bytes& inner) { return tunnel_v6(back(), 49698).packet(inner); };
  const Build small = from_client().tcp(40000, 443);
  const Build small_v6 = from_client_v6(kVipOnNodeV6).tcp(40000, 443);
  rows.push_back(sized("fits the MTU over IPv4", small, kMtu - 40, over_v4));
  rows.push_back(sized("one byte too big over IPv4", small, kMtu - 39, nullptr));
  rows.push_back(sized("fits the MTU over IPv6", small_v6, kMtu - 60, over_v6));
  rows.push_back(sized("one byte too big over IPv6", small_v6, kMtu - 59, nullptr));
  rows.push_back(dropped("group without a ring", segment("198.51.100.14"), GH_VIP_NO_RING));
  rows.push_back(dropped("slot without an owner", segment("198.51.100.15"), GH_VIP_NO_RING));
  rows.push_back(dropped("owner without an address", segment("198.51.100.16"), GH_VIP_NO_RING));
}

Row changed(std::string description, const Build& input, std::size_t at, std::uint8_t value) {
  Row row = passed(std::move(description), input, GH_TRUNCATED);
  row.input.at(at) = row.output.at(at) = value;
  return row;
}

// Every prefix of a packet to a VIP ends before its headers say that it does.
void add_truncated(Rows& rows) {
  const struct {
    const char* name;
    Bytes whole;
  } packets[] = {
      {"IPv4 TCP", frame(segment()).build()},
      {"IPv6 TCP", frame(segment_v6()).build()},
      {"IPv4 UDP", frame(from_client().udp(40000, 53)).build()},
      {"IPv4 with options", frame(from_client().options(Bytes(8, 1)).tcp(40000, 443)).build()},
      {"VLAN IPv4", Build().ethernet().vlan(5).packet(segment().build()).build()},
      {"VLAN IPv6", Build().ethernet().vlan(5).packet(segment_v6().build()).build()},
  };
  for (const auto& packet : packets) {
    for (std::size_t length = 0; length < packet.whole.size(); ++length) {
      const Bytes cut(packet.whole.begin(), packet.whole.begin() + length);
      rows.push_back({packet.name + (" cut to " + std::to_string(length)), cut, GH_TRUNCATED, XDP_PASS, cut});
    }
  }
  rows.push_back(passed("IPv4 header and nothing else", from_client().next(kTcp), GH_TRUNCATED));
  rows.push_back(passed("IPv4 with half of the ports", from_client().next(kTcp).payload(2), GH_TRUNCATED));
  rows.push_back(passed("IPv4 with most of a UDP header", from_client().next(kUdp).payload(7), GH_TRUNCATED));
  rows.push_back(passed("IPv6 with half of the ports", from_client_v6().next(kTcp).payload(2), GH_TRUNCATED));
  rows.push_back(changed("IPv4 of another version", segment(), 14, 0x55));
  rows.push_back(changed("IPv4 with a header shorter than itself", segment(), 14, 0x44));
  rows.push_back(changed("IPv4 with too long a header", from_client().tcp(40000, 443), 14, 0x4f));
  rows.push_back(changed("IPv4 shorter than its header", segment(), 17, 19));
  rows.push_back(changed("IPv6 of another version", segment_v6(), 14, 0x40));
  rows.push_back(changed("IPv6 longer than the frame", segment_v6(), 19, 26));
}

// What stands behind the end of the IP packet is padding, whatever it looks like.
void add_padded(Rows& rows) {
  const auto cut_v4 = [&rows](const char* description, Build ip_layer, std::uint16_t length) {
    rows.push_back(passed(description, ip_layer.length(length).tcp(40000, 443), GH_TRUNCATED));
  };
  cut_v4("IPv4 without a payload", from_client(), 20);
  cut_v4("IPv4 with half of the ports", from_client(), 22);
  cut_v4("IPv4 that ends a byte too early", from_client(), 27);
  cut_v4("IPv4 options without a payload", from_client().options(Bytes(8, 1)), 28);
  cut_v4("IPv4 options, a byte too early", from_client().options(Bytes(8, 1)), 35);
  cut_v4("IPv4 that is longer than the frame", from_client(), 41);
  cut_v4("IPv4 that is much longer than the frame", from_client(), 0xffff);
  for (const std::uint16_t length : {0, 2, 7, 21, 0xffff}) {
    rows.push_back(passed("IPv6 of payload length " + std::to_string(length),
                          from_client_v6().length(length).tcp(40000, 443), GH_TRUNCATED));
  }
  const auto whole = [&rows](const char* description, const Build& inner, std::uint16_t source_port) {
    rows.push_back(forwarded(description, frame(inner).payload(9),
                             tunnel_v4(back(), source_port, {2}).packet(inner.build()).payload(9)));
    take_padding_off(rows.back().output, 9);
  };
  whole("ports at the end of IPv4", from_client().udp(40000, 53), 53953);
  whole("ports at the end of IPv6", from_client_v6().udp(40000, 53), 50815);
}

Rows all_rows() {
  Rows rows;
  add_forwarded(rows), add_hop_lists(rows), add_odd_headers(rows), add_left_alone(rows), add_mapped(rows);
  add_vip_without_ports(rows), add_limits(rows), add_truncated(rows), add_padded(rows);
  return rows;
}

int xdp_action_of(gh_verdict verdict) {
  constexpr int kXdpActions[] = {XDP_PASS, XDP_TX, XDP_DROP};  // by gh_action
#define GH_TEST_ACTION(name, action, text, help) kXdpActions[action],
  static constexpr int kActions[] = {GH_VERDICTS(GH_TEST_ACTION)};
#undef GH_TEST_ACTION
  return kActions[verdict];
}

class Packets : public testing::Test {
 protected:
  void SetUp() override { fill_front_door(plane_, site()); }

  l4::MemoryPlane plane_{kSlots, 8};
  l4::Tables tables_ = plane_.tables();
};

TEST_F(Packets, UserSpaceTreatsEachAsTheTableSays) {
  for (const Row& row : all_rows()) {
    expect_row(tables_, row, [&](Bytes& packet) {
      const gh_verdict verdict = run_here(l4::balance, tables_, packet);
      EXPECT_EQ(verdict, row.verdict);
      EXPECT_EQ(xdp_action_of(verdict), row.action);
    });
  }
}

TEST_F(Packets, WithoutRoomForTheOuterHeaderTheyAreDropped) {
  const struct {
    const char* vip;
    std::size_t outer_length;
  } rows[] = {{kVip, 40}, {"198.51.100.13", 60}};
  for (const auto& row : rows) {
    const Bytes input = frame(segment(row.vip)).build();
    Bytes packet = input;
    EXPECT_EQ(run_here(l4::balance, tables_, packet, row.outer_length - 2), GH_NO_HEADROOM);
    EXPECT_EQ(to_hex(packet), to_hex(input));
    EXPECT_EQ(run_here(l4::balance, tables_, packet, row.outer_length), GH_FORWARDED);
    EXPECT_EQ(packet.size(), input.size() + row.outer_length);
  }
}

TEST_F(Packets, TrafficIsCountedForVipAndNode) {
  const std::size_t ip_length = segment_v6(kVipOnNodeV6).build().size();
  Bytes counted = frame(segment_v6(kVipOnNodeV6)).payload(9).build();
  Bytes dropped_one = frame(from_client().fragment(0, true).tcp(40000, 443)).build();
  run_here(l4::balance, tables_, counted);
  run_here(l4::balance, tables_, dropped_one);
  EXPECT_EQ(l4::verdict_counts(tables_)[GH_FORWARDED], 1u);
  EXPECT_EQ(l4::vip_traffic(tables_, 10).packets, 1u);
  EXPECT_EQ(l4::vip_traffic(tables_, 10).bytes, ip_length);
  EXPECT_EQ(l4::node_traffic(tables_, 6).packets, 1u);
  EXPECT_EQ(l4::node_traffic(tables_, 6).bytes, ip_length);
}

class PacketsInTheKernel : public FrontDoorInTheKernel {
 protected:
  void SetUp() override { open(kSlots, site()); }
};

TEST_F(PacketsInTheKernel, AreTreatedAsTheTableSays) {
  for (const Row& row : all_rows()) {
    if (row.input.size() < kLeastKernelFrame) continue;
    expect_row(plane_->tables(), row, [&](Bytes& packet) { EXPECT_EQ(run(packet), row.action); });
  }
}

// One thread changes the address of the VIP's only node as fast as it can, also from one family to the other.
TEST_F(PacketsInTheKernel, SeeAnAddressOfANodeThatIsWholeAndAreNeverLost) {
  const Bytes inner = segment().build(), input = frame(segment()).build();
  const auto towards = [&inner](Build tunnel) {
    return tunnel.udp(62573, 6080).without_checksum().gue(kEpoch).packet(inner).build();
  };
  const auto over_v4 = [&](const char* node) {
    return towards(back().ipv4("192.0.2.1", node).dont_fragment());
  };
  const auto over_v6 = [&](const char* node) { return towards(back().ipv6("2001:db8:2::1", node)); };
  const char* const kAddresses[] = {"10.0.0.1", "2001:db8:aaaa::1", "10.255.255.2", "fd00:bbbb::2:2"};
  const std::set<Bytes> wanted = {over_v4(kAddresses[0]), over_v6(kAddresses[1]), over_v4(kAddresses[2]),
                                  over_v6(kAddresses[3])};
  std::atomic<bool> is_over = false;
  std::thread change([&] {
    l4::TableWriter writer(*plane_);
    for (int i = 0; !is_over; ++i) writer.set_node(1, ip(kAddresses[i % 4]));
  });
  std::set<Bytes> seen;
  int lost = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto is_before = [start](auto end) { return std::chrono::steady_clock::now() - start < end; };
  while (is_before(kUnderTraffic) || (seen.size() < wanted.size() && is_before(kAtMost))) {
    Bytes packet = input;
    if (run(packet) != XDP_TX) ++lost;
    seen.insert(packet);
  }
  is_over = true;
  change.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(seen, wanted);
}

}  // namespace
}  // namespace gatehouse::test
