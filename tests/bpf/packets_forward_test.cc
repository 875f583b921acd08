// The front door's rows of what is forwarded: both families inside and outside, VLAN tags, any-port VIPs, hop
// lists, encapsulations, marks, the fields of the hash, who gets nothing.
#include "tests/bpf/front_door_rows.h"

namespace gatehouse::test {
namespace {

void add_families(Rows& rows) {
  // Written out, the source port calculated by hand: it also tells whether the builders are right.
  const std::string inner =
      "4500002d0000000040061486cb007107c633640a 9c4001bb10203040000000005010ffff275c0000 68656c6c6f";
  rows.push_back({"IPv4 TCP, all bytes written out", from_hex("020000000001 0200000000fe 0800" + inner),
                  GH_FORWARDED, XDP_TX,
                  from_hex("0200000000fe 020000000001 0800 450000550000400040116e96c00002010a000001"
                           "c75917c000410000 020400001234000000000000" +
                           inner)});
  EXPECT_EQ(to_hex(rows.back().input), to_hex(in_frame(segment_of({v4(10)})).build()));
  EXPECT_EQ(to_hex(rows.back().output),
            to_hex(tunnel(frame_back(), {v4(10)}, {}).packet(segment_of({v4(10)}).build()).build()));

  for (const auto& vip : {v4(10), v6(10)}) {
    const Flow tcp{vip}, udp{vip, 53, kUdp};
    rows.push_back(forwarded("TCP to " + vip, segment_of(tcp), tcp));
    rows.push_back(forwarded("UDP to " + vip, segment_of(udp), udp, {.hops = {2}}));
    rows.push_back(forwarded("UDP without a payload to " + vip, packet_of(udp), udp, {.hops = {2}}));
    rows.push_back(padded(rows.back(), 9));
    rows.push_back(padded(forwarded("TCP to " + vip, segment_of(tcp), tcp), 7));
    for (const std::uint8_t flags : {+kSyn, kSyn | kAck, kFin | kAck, +kReset, 0, 0xff}) {
      rows.push_back(forwarded("TCP flags " + std::to_string(flags) + " to " + vip,
                               packet_of(tcp, static_cast<std::uint8_t>(flags)), tcp));
    }
  }
  for (const auto& vip : {v4(13), v6(13)}) {
    rows.push_back(forwarded("to an IPv6 node: " + vip, segment_of({vip}), {vip}, {.node = 6}));
  }
  for (const std::uint16_t port : {1, 1023, 40001, 65535}) {
    const Flow flow{v4(10), 443, kTcp, port}, flow_v6{v6(13), 443, kTcp, port};
    rows.push_back(forwarded("from port " + std::to_string(port), segment_of(flow), flow));
    rows.push_back(
        forwarded("IPv6: from port " + std::to_string(port), segment_of(flow_v6), flow_v6, {.node = 6}));
  }
}
Rows families() {
  Rows rows;
  add_families(rows);
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(ForwardedPackets, families);

// The tags stay before the outer header, whatever is in them.
Rows tagged() {
  Rows rows;
  const struct {
    const char* name;
    Tags tags;
  } links[] = {{"VLAN", {{0x6123}}},
               {"service tag alone", {{5, 0x88a8}}},
               {"QinQ", {{0x2064, 0x88a8}, {0x0007}}},
               {"two plain tags", {{1}, {2}}},
               {"two service tags", {{1, 0x88a8}, {2, 0x88a8}}}};
  for (const auto& link : links) {
    for (const auto& vip : {v4(10), v6(10)}) {
      rows.push_back(forwarded(link.name + (" to " + vip), segment_of({vip}), {vip}, {}, link.tags));
      rows.push_back(padded(rows.back(), 5));
    }
    for (const auto& vip : {v4(33), v6(31), v6(14)}) {
      const Way way = vip == v4(33)   ? Way{.node = 6, .encapsulation = GH_ENCAPSULATE_IPIP}
                      : vip == v6(31) ? Way{.node = 6, .encapsulation = GH_ENCAPSULATE_GUE}
                                      : Way{.node = 6, .hops = {7, 8}};
      rows.push_back(
          forwarded(link.name + (" to an IPv6 node: " + vip), segment_of({vip}), {vip}, way, link.tags));
    }
    rows.push_back(passed_frame(link.name + std::string(" to no VIP"),
                                in_frame(segment_of({v4(99)}), link.tags), GH_NOT_VIP));
    rows.push_back(passed_frame(link.name + std::string(", ARP"), frame(link.tags).next(0x0806).payload(46),
                                GH_NOT_VIP));
  }
  rows.push_back(passed_frame("three tags are one too many",
                              in_frame(segment_of({v4(10)}), {{1, 0x88a8}, {2}, {3}}), GH_NOT_VIP));
  rows.push_back(passed_frame("a tag in the old way of QinQ", in_frame(segment_of({v4(10)}), {{1, 0x9100}}),
                              GH_NOT_VIP));
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(TaggedPackets, tagged);

Rows any_port() {
  Rows rows;
  for (const auto& of : {v4, v6}) {
    for (const std::uint16_t port : {0, 1, 443, 8080, 65535}) {
      const std::string where = of(20) + ", port " + std::to_string(port);
      const Flow tcp{of(20), port}, udp{of(20), port, kUdp};
      rows.push_back(forwarded("any TCP port: " + where, segment_of(tcp), tcp));
      rows.push_back(forwarded("any UDP port: " + where, segment_of(udp), udp, {.hops = {2}}));
    }
    const Flow of_another{of(20), 22}, udp_there{of(20), 22, kUdp};
    rows.push_back(forwarded("the port of a VIP of its own: " + of(20), segment_of(of_another), of_another,
                             {.node = 6}));
    rows.push_back(
        forwarded("the same port of UDP: " + of(20), segment_of(udp_there), udp_there, {.hops = {2}}));
    rows.push_back(
        passed("UDP where any port is TCP's: " + of(21), segment_of({of(21), 53, kUdp}), GH_NOT_VIP));
    rows.push_back(passed("SCTP where any port is a VIP's: " + of(20), ip_of({of(20)}).next(132).payload(24),
                          GH_VIP_NO_PORTS));
  }
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(AnyPortPackets, any_port);

// Only GUE has room for the owners before; the others go to the owner alone.
Rows ways() {
  Rows rows;
  const struct {
    int vip;
    Way way;
  } vips[] = {{10, {}},
              {11, {.hops = {2, 3}}},
              {12, {.hops = {2, 3, 4}}},
              {13, {.node = 6}},
              {14, {.node = 6, .hops = {7, 8}}},
              {30, {.encapsulation = GH_ENCAPSULATE_GUE}},
              {31, {.node = 6, .encapsulation = GH_ENCAPSULATE_GUE}},
              {32, {.encapsulation = GH_ENCAPSULATE_IPIP}},
              {33, {.node = 6, .encapsulation = GH_ENCAPSULATE_IPIP}},
              {34, {.encapsulation = GH_ENCAPSULATE_GUE}},
              {35, {.encapsulation = GH_ENCAPSULATE_IPIP}}};
  for (const auto& row : vips) {
    for (const auto& vip : {v4(row.vip), v6(row.vip)}) {
      for (const std::uint16_t port : {40000, 40001}) {
        const Flow flow{vip, 443, kTcp, port};
        const std::string name = vip + " from " + std::to_string(port);
        rows.push_back(forwarded(name, segment_of(flow), flow, row.way));
        rows.push_back(forwarded(name + ", TTL 1: the tunnel has its own", ip_of(flow).ttl(1).tcp(port, 443),
                                 flow, row.way));
      }
      // RFC 6040 §4.1, normal mode: as inside, DSCP as well.
      for (const std::uint8_t marks : {0x01, 0x02, 0x03, 0xb8, 0xb9, 0xff}) {
        Way way = row.way;
        way.traffic_class = marks;
        rows.push_back(forwarded(vip + " with DSCP and ECN " + std::to_string(marks),
                                 ip_of({vip}).traffic_class(marks).tcp(40000, 443), {vip}, way));
      }
    }
  }
  rows.push_back(forwarded("the flow label of the client is not the tunnel's",
                           ip_of({v6(13)}).flow_label(0xabcde).tcp(40000, 443), {v6(13)}, {.node = 6}));
  rows.push_back(forwarded("DF inside", ip_of({v4(10)}).dont_fragment().tcp(40000, 443), {v4(10)}));
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(EncapsulatedPackets, ways);

// Who owns a packet, and the entropy outside, follow from the same fields.
Rows chosen_fields() {
  Rows rows;
  const struct {
    int vip;
    gh_hash_fields fields;
  } vips[] = {{40, GH_HASH_FLOW}, {41, GH_HASH_ADDRESSES}, {42, GH_HASH_SOURCE}};
  for (const auto& row : vips) {
    for (const auto& of : {v4, v6}) {
      for (const char* source : {"", "203.0.113.8", "2001:db8:c::8"}) {
        Flow flow{of(row.vip)};
        if (*source && (std::string_view(source).find(':') == std::string_view::npos) != flow.is_v4())
          continue;
        flow.source = source;
        for (const std::uint16_t port : {40000, 40001, 40002}) {
          flow.source_port = port;
          for (const bool is_udp : {false, true}) {
            flow.protocol = is_udp ? kUdp : kTcp;
            flow.destination_port = is_udp ? 53 : 443;
            const Way way{.node = mixed_owner_of(flow, row.fields), .fields = row.fields};
            rows.push_back(forwarded("fields " + std::to_string(row.fields) + ", " + flow.client() + " to " +
                                         flow.vip + ":" + std::to_string(flow.destination_port) + " from " +
                                         std::to_string(port),
                                     segment_of(flow), flow, way));
          }
        }
      }
    }
  }
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(PacketsOfChosenFields, chosen_fields);

TEST(ChosenFields, AreOfOneOwnerWhateverElseDiffers) {
  Flow first{v4(42)}, second{v4(42), 53, kUdp, 1};
  EXPECT_EQ(mixed_owner_of(first, GH_HASH_SOURCE), mixed_owner_of(second, GH_HASH_SOURCE));
  second.vip = v4(41);
  EXPECT_EQ(hash_of(first, GH_HASH_SOURCE), hash_of(second, GH_HASH_SOURCE));
  EXPECT_NE(hash_of(first, GH_HASH_ADDRESSES), hash_of(second, GH_HASH_ADDRESSES));
}

Rows nobody_gets() {
  Rows rows;
  for (const auto& of : {v4, v6}) {
    rows.push_back(dropped("group without a ring: " + of(15), segment_of({of(15)}), GH_VIP_NO_RING));
    rows.push_back(dropped("slot without an owner: " + of(16), segment_of({of(16)}), GH_VIP_NO_RING));
    rows.push_back(dropped("owner without an address: " + of(17), segment_of({of(17)}), GH_VIP_NO_RING));
    rows.push_back(passed("no VIP: " + of(99), segment_of({of(99)}), GH_NOT_VIP));
    rows.push_back(passed("no VIP, UDP: " + of(99), segment_of({of(99), 53, kUdp}), GH_NOT_VIP));
    rows.push_back(passed("another port: " + of(10), segment_of({of(10), 80}), GH_NOT_VIP));
    rows.push_back(passed("port 0: " + of(10), segment_of({of(10), 0}), GH_NOT_VIP));
    rows.push_back(passed("UDP to the TCP port: " + of(10), segment_of({of(10), 443, kUdp}), GH_NOT_VIP));
    rows.push_back(passed("TCP to the UDP port: " + of(10), segment_of({of(10), 53}), GH_NOT_VIP));
    rows.push_back(
        passed("the other way round: " + of(10), segment_of({of(99), 40000, kTcp, 443, of(10)}), GH_NOT_VIP));
    rows.push_back(passed("ICMP to no VIP: " + of(99), ip_of({of(99)}).icmp(8, 0).payload(8), GH_NOT_VIP));
    rows.push_back(passed("ESP to a VIP: " + of(10), ip_of({of(10)}).next(50).payload(20), GH_VIP_NO_PORTS));
    rows.push_back(passed("GRE to a VIP: " + of(10), ip_of({of(10)}).next(47).payload(20), GH_VIP_NO_PORTS));
    rows.push_back(passed("nothing behind the header: " + of(10), ip_of({of(10)}).next(59), GH_VIP_NO_PORTS));
  }
  rows.push_back(passed_frame("ARP", frame().next(0x0806).payload(28), GH_NOT_VIP));
  rows.push_back(passed_frame("LLDP", frame().next(0x88cc).payload(60), GH_NOT_VIP));
  rows.push_back(passed_frame("IPv4 called IPv6", frame().next(0x86dd).payload(segment_of({v4(10)}).build()),
                              GH_NOT_VIP));
  rows.push_back(passed_frame("IPv6 called IPv4", frame().next(0x0800).payload(segment_of({v6(10)}).build()),
                              GH_NOT_VIP));
  // The tables hold IPv4 addresses in this form; on the wire nobody has them (RFC 4942 §2.2).
  const auto mapped = [] { return Build().ipv6(kClientV6, "::ffff:198.51.100.10"); };
  rows.push_back(passed("mapped VIP, TCP", mapped().tcp(40000, 443).payload("hello"), GH_NOT_VIP));
  rows.push_back(passed("mapped VIP, UDP", mapped().udp(40000, 53), GH_NOT_VIP));
  rows.push_back(passed("mapped VIP, ICMPv6", mapped().icmp(128, 0), GH_NOT_VIP));
  rows.push_back(passed("mapped VIP, fragment", mapped().extension(44, Bytes(7)).udp(40000, 53), GH_NOT_VIP));
  rows.push_back(
      passed("mapped VIP, extension", mapped().extension(60, Bytes(7)).udp(40000, 53), GH_NOT_VIP));
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(PacketsThatNobodyGets, nobody_gets);

}  // namespace
}  // namespace gatehouse::test
