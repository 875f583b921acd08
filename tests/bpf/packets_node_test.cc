// The node's rows of what is taken out of the tunnel, and what is not: every encapsulation over both
// families, strangers, headers that are not ours, the marks of congestion.
#include "tests/bpf/node_rows.h"

namespace gatehouse::test {
namespace {

const struct {
  const char* name;
  gh_encapsulation kind;
} kEncapsulations[] = {{"GUE with hop list", GH_ENCAPSULATE_GUE_HOPS},
                       {"GUE", GH_ENCAPSULATE_GUE},
                       {"IPIP", GH_ENCAPSULATE_IPIP}};
const Build kLinks[] = {Build().ethernet(), Build().ethernet().vlan(0x2005),
                        Build().ethernet().vlan(0x2005, 0x88a8).vlan(7)};

std::string over(bool is_v4) { return is_v4 ? " over IPv4" : " over IPv6"; }

Rows delivered() {
  Rows rows;
  const Build inners[] = {
      inner_v4(),
      inner_v6(),
      inner_v4(kSyn),
      inner_v6(kSyn),
      Build().ipv4("203.0.113.7", "198.51.100.10").udp(1, 53),
      Build().ipv6("2001:db8:c::7", "2001:db8:5::10").udp(1, 53).payload(3),
      Build().ipv4("203.0.113.7", "198.51.100.10").fragment(64, false).next(17).payload(8),
      Build().ipv6("2001:db8:c::7", "2001:db8:5::10").extension(60, Bytes(7)).tcp(40000, 443)};
  for (const auto& encapsulation : kEncapsulations) {
    for (const bool is_v4 : {true, false}) {
      for (const Build& inner : inners) {
        for (const Build& link : kLinks) {
          rows.push_back(stripped(encapsulation.name + over(is_v4), {is_v4, encapsulation.kind}, inner,
                                  GH_NODE_DELIVERED, link));
        }
      }
    }
  }
  rows.push_back(stripped("from another node", {.source = "10.0.0.3"}, inner_v4(), GH_NODE_DELIVERED));
  rows.push_back(
      stripped("hops after a hole are not looked at", {.hops = {0, 2, 3}}, inner_v4(), GH_NODE_DELIVERED));
  // IPIP comes from the site's prefix, whatever the flow's hash put in its host bits.
  for (const char* source : {"10.99.7.0", "10.99.7.1", "10.99.7.255"}) {
    rows.push_back(stripped(source, {true, GH_ENCAPSULATE_IPIP, {}, source}, inner_v6(), GH_NODE_DELIVERED));
  }
  for (const char* source : {"2001:db8:99::", "2001:db8:99::1", "2001:db8:99:0:ffff:ffff:ffff:ffff"}) {
    rows.push_back(stripped(source, {false, GH_ENCAPSULATE_IPIP, {}, source}, inner_v4(), GH_NODE_DELIVERED));
  }
  return rows;
}
GATEHOUSE_NODE_ROWS(DeliveredTunnelPackets, delivered);

Rows not_tunnel() {
  Rows rows;
  const Bytes inner = inner_v4().build();
  const auto ip = [] { return Build().ethernet().ipv4(kFrontDoor, kSelf); };
  rows.push_back(alone("ARP", Build().ethernet().next(0x0806).payload(28)));
  rows.push_back(alone("TCP for the host", Build().ethernet().packet(inner).payload(40)));
  rows.push_back(alone("IPv6 TCP for the host", Build().ethernet().packet(inner_v6().build()).payload(40)));
  rows.push_back(alone("UDP to another port", ip().udp(kTunnelSource, 6081).gue(kTunnelEpoch).packet(inner)));
  rows.push_back(alone("TCP to the tunnel's port", ip().tcp(kTunnelSource, 6080).payload(60)));
  rows.push_back(
      alone("from the tunnel's port", ip().udp(6080, kTunnelSource).gue(kTunnelEpoch).packet(inner)));
  rows.push_back(alone("GRE", ip().next(47).payload(60)));
  rows.push_back(alone("outer IPv4 options",
                       ip().options({1, 1, 1, 0}).udp(kTunnelSource, 6080).gue(kTunnelEpoch).packet(inner)));
  rows.push_back(alone("outer first fragment",
                       ip().fragment(0, true).udp(kTunnelSource, 6080).gue(kTunnelEpoch).packet(inner)));
  rows.push_back(alone("outer last fragment",
                       ip().fragment(64, false).udp(kTunnelSource, 6080).gue(kTunnelEpoch).packet(inner)));
  rows.push_back(alone("outer first fragment of IPIP", ip().fragment(0, true).packet(inner).payload(20)));
  rows.push_back(alone("outer IPv6 extension", Build()
                                                   .ethernet()
                                                   .ipv6(kFrontDoorV6, kSelfV6)
                                                   .extension(60, Bytes(7))
                                                   .udp(kTunnelSource, 6080)
                                                   .gue(kTunnelEpoch)
                                                   .packet(inner)));
  rows.push_back(
      alone("three VLAN tags", tunnel({}, Build().ethernet().vlan(1, 0x88a8).vlan(2).vlan(3)).packet(inner)));
  for (const auto& encapsulation : kEncapsulations) {
    rows.push_back(
        alone(encapsulation.name + std::string(" to another host"), Build()
                                                                        .ethernet()
                                                                        .ipv4(kFrontDoor, "10.0.0.2")
                                                                        .udp(kTunnelSource, 6080)
                                                                        .gue(kTunnelEpoch)
                                                                        .packet(inner)));
  }
  // The host may have tunnels of its own.
  rows.push_back(
      alone("IPIP of a stranger", tunnel({true, GH_ENCAPSULATE_IPIP, {}, "192.0.2.66"}).packet(inner)));
  rows.push_back(
      alone("IPIP beside the prefix", tunnel({true, GH_ENCAPSULATE_IPIP, {}, "10.99.8.1"}).packet(inner)));
  rows.push_back(alone("IP6IP6 of a stranger",
                       tunnel({false, GH_ENCAPSULATE_IPIP, {}, "2001:db8:2::66"}).packet(inner)));
  rows.push_back(alone("IP6IP6 beside the prefix",
                       tunnel({false, GH_ENCAPSULATE_IPIP, {}, "2001:db8:99:1::1"}).packet(inner)));
  return rows;
}
GATEHOUSE_NODE_ROWS(PacketsOfNoTunnel, not_tunnel);

Rows refused_rows() {
  Rows rows;
  const Bytes inner = inner_v4().build();
  for (const gh_encapsulation kind : {GH_ENCAPSULATE_GUE_HOPS, GH_ENCAPSULATE_GUE}) {
    rows.push_back(
        refused("stranger", tunnel({true, kind, {}, "192.0.2.66"}).packet(inner).build(), GH_NODE_STRANGER));
    rows.push_back(refused("IPv6 stranger", tunnel({false, kind, {}, "2001:db8:2::66"}).packet(inner).build(),
                           GH_NODE_STRANGER));
    rows.push_back(refused("GUE from the prefix of IPIP",
                           tunnel({true, kind, {}, "10.99.7.1"}).packet(inner).build(), GH_NODE_STRANGER));
    // The table holds IPv4 addresses in this form; on the wire nobody has them.
    rows.push_back(refused("the mapped form of a member's address",
                           tunnel({false, kind, {}, "::ffff:192.0.2.1"}).packet(inner).build(),
                           GH_NODE_STRANGER));
  }
  rows.push_back(refused("stranger with hops",
                         tunnel({.hops = {2}, .source = "192.0.2.66"}).packet(inner).build(),
                         GH_NODE_STRANGER));
  rows.push_back(
      refused("mapped, with hops",
              tunnel({.is_v4 = false, .hops = {6}, .source = "::ffff:192.0.2.1"}).packet(inner).build(),
              GH_NODE_STRANGER));
  const struct {
    const char* name;
    std::size_t at;  // in the GUE header
    std::uint8_t value;
  } changes[] = {
      {"GUE version 1", 0, 0x42},
      {"GUE control message", 0, 0x22},
      {"GUE, header of two words", 0, 0x01},
      {"GUE, longer header", 0, 0x03},
      {"GUE with a high flag", 2, 0x80},
      {"GUE with a low flag", 3, 0x01},
      {"GUE with GRE inside", 1, 47},
      {"GUE with nothing inside", 1, 59},
      {"GUE with TCP inside", 1, 6},
  };
  for (const auto& change : changes) {
    for (const Hops& hops : {Hops{}, Hops{2}}) {
      Bytes v4 = tunnel({.hops = hops}).packet(inner).build(),
            v6 = tunnel({.is_v4 = false, .hops = hops}).packet(inner).build();
      v4[14 + 28 + change.at] = v6[14 + 48 + change.at] = change.value;
      rows.push_back(refused(change.name, v4, GH_NODE_BAD_TUNNEL));
      rows.push_back(refused(std::string("over IPv6: ") + change.name, v6, GH_NODE_BAD_TUNNEL));
    }
  }
  for (const bool is_v4 : {true, false}) {
    const Bytes whole = tunnel({.is_v4 = is_v4}).packet(inner).build();
    const std::size_t length_at = is_v4 ? 17 : 19, udp_length_at = is_v4 ? 39 : 59;
    for (const int change : {-1, 1}) {
      Bytes other = whole;
      other[udp_length_at] = static_cast<std::uint8_t>(other[udp_length_at] + change);
      rows.push_back(refused("UDP's length is not IP's" + over(is_v4), other, GH_NODE_BAD_TUNNEL));
    }
    for (const gh_encapsulation kind : {GH_ENCAPSULATE_GUE_HOPS, GH_ENCAPSULATE_GUE, GH_ENCAPSULATE_IPIP}) {
      Bytes longer = tunnel({is_v4, kind}).packet(inner).build();
      ++longer[length_at];
      rows.push_back(refused("longer than the frame" + over(is_v4), longer, GH_NODE_BAD_TUNNEL));
    }
  }
  rows.push_back(refused("nothing inside", tunnel({}).next(4).build(), GH_NODE_BAD_TUNNEL));
  rows.push_back(refused("three bytes inside", tunnel({.is_v4 = false}).next(41).payload(3).build(),
                         GH_NODE_BAD_TUNNEL));
  rows.push_back(refused("nothing in GUE without hop list",
                         tunnel({true, GH_ENCAPSULATE_GUE}).next(4).payload(8).build(), GH_NODE_BAD_TUNNEL));
  rows.back().input[17] = 32, rows.back().input[39] = 12;  // the lengths that the headers alone have
  rows.back().output = rows.back().input;
  return rows;
}
GATEHOUSE_NODE_ROWS(RefusedTunnelPackets, refused_rows);

// ---- Marks of congestion ----

// RFC 6040 §4.2, figure 4: the inner mark after the tunnel by inner and outer mark; -1: the packet is
// dropped.
constexpr int kMarkAfter[4][4] = {{0, 0, 0, -1}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};

Build marked(bool is_v4, std::uint8_t traffic_class, std::uint8_t flags) {
  Build builder =
      is_v4 ? Build().ipv4("203.0.113.7", "198.51.100.10") : Build().ipv6("2001:db8:c::7", "2001:db8:5::10");
  return builder.traffic_class(traffic_class).tcp(40000, 443, flags);
}

std::uint8_t with_mark(int mark) { return static_cast<std::uint8_t>(0xb8 | mark); }

void add_marks(Rows& rows, int inner, int outer, bool is_v4, Outer tunnelled, std::uint8_t flags,
               gh_verdict verdict) {
  const int after = kMarkAfter[inner][outer];
  tunnelled.traffic_class = with_mark(outer);
  const std::string name = "marks " + std::to_string(inner) + " in " + std::to_string(outer) +
                           (is_v4 ? ", IPv4" : ", IPv6") + over(tunnelled.is_v4) + ", encapsulation " +
                           std::to_string(tunnelled.encapsulation);
  const Bytes input = tunnel(tunnelled).packet(marked(is_v4, with_mark(inner), flags).build()).build();
  if (after < 0) {
    rows.push_back(refused(name, input, GH_NODE_CONGESTED));
  } else {
    const Bytes output = Build().ethernet().packet(marked(is_v4, with_mark(after), flags).build()).build();
    rows.push_back({name, input, verdict, XDP_PASS, output});
  }
}

Rows marks() {
  Rows rows;
  for (int i = 0; i < 64; ++i) {
    const int inner = i & 3, outer = i >> 2 & 3;
    const bool is_v4 = i >> 4 & 1, is_over_v4 = i >> 5 & 1;
    const std::uint16_t hop = is_over_v4 ? 2 : 6;
    for (const auto& encapsulation : kEncapsulations) {
      add_marks(rows, inner, outer, is_v4, {is_over_v4, encapsulation.kind}, kAck, GH_NODE_DELIVERED);
    }
    add_marks(rows, inner, outer, is_v4, {.is_v4 = is_over_v4, .hops = {hop}}, kSyn, GH_NODE_OWNED);
    add_marks(rows, inner, outer, is_v4, {.is_v4 = is_over_v4, .hops = {9}}, kAck, GH_NODE_HOP_UNKNOWN);
  }
  rows.push_back(sent_on("the mark goes on with the packet", {.hops = {2}, .traffic_class = 3}, inner_v4(),
                         onward("10.0.0.2", {}, Build().ethernet(kRouterMac, kHostMac), 3)));
  rows.push_back(refused("marked, and half an IP header inside",
                         tunnel({.traffic_class = 3}).next(4).payload(19).build(), GH_NODE_BAD_TUNNEL));
  return rows;
}
GATEHOUSE_NODE_ROWS(MarkedTunnelPackets, marks);

TEST(MarkedTunnelPacket, HasARightChecksumWhateverIsInIt) {
  l4::MemoryPlane plane(251, 1);
  l4::Tables tables = plane.tables();
  fill_node(tables);
  for (int i = 0; i < 256 * 64; ++i) {
    const std::string client = "203.0.113." + std::to_string(i % 256);
    const auto inner = [&](std::uint8_t mark) {
      return Build()
          .ipv4(client, "198.51.100.10")
          .ttl(static_cast<std::uint8_t>(i / 256))
          .traffic_class(mark)
          .build();
    };
    const auto mark = static_cast<std::uint8_t>(1 + i % 2);
    Bytes packet = tunnel({.traffic_class = 3}).packet(inner(mark)).build();
    ASSERT_EQ(run_here(l4::decapsulate, tables, packet, 0), GH_NODE_DELIVERED);
    ASSERT_EQ(to_hex(packet), to_hex(Build().ethernet().packet(inner(3)).build()));
  }
}

// Before the outer header is whole the packet is the host's.
TEST(CutTunnelPackets, AreNobodysUntilTheirHeadersAreWhole) {
  l4::MemoryPlane plane(251, 1);
  l4::Tables tables = plane.tables();
  fill_node(tables);
  for (const Build& link : kLinks) {
    for (const bool is_v4 : {true, false}) {
      const Bytes whole = tunnel({.is_v4 = is_v4}, link).packet(inner_v4().build()).build();
      const std::size_t headers = tunnel({.is_v4 = is_v4}, link).next(4).build().size();
      for (std::size_t length = 0; length < whole.size(); ++length) {
        Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_EQ(run_here(l4::decapsulate, tables, cut),
                  length < headers ? GH_NODE_NOT_TUNNEL : GH_NODE_BAD_TUNNEL)
            << "cut to " << length;
      }
    }
  }
}

}  // namespace
}  // namespace gatehouse::test
