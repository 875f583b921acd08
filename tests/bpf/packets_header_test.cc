// The front door's rows of odd headers: IP options, IPv6 extension headers, fragments by policy, lengths that
// lie.
#include "tests/bpf/front_door_rows.h"

namespace gatehouse::test {
namespace {

constexpr std::uint8_t kHopOptions = 0, kRouting = 43, kFragment = 44, kDestinationOptions = 60;

Bytes sized(std::uint8_t units) {
  Bytes body(7 + std::size_t{8} * units);
  body[0] = units;
  return body;
}

Rows options() {
  Rows rows;
  const Flow tcp{v4(10)}, udp{v4(10), 53, kUdp};
  for (std::size_t length = 4; length <= 40; length += 4) {
    const std::string name = std::to_string(length) + " bytes of IPv4 options";
    rows.push_back(forwarded(name, ip_of(tcp).options(Bytes(length, 1)).tcp(40000, 443), tcp));
    rows.push_back(
        forwarded(name + ", UDP", ip_of(udp).options(Bytes(length, 1)).udp(40000, 53), udp, {.hops = {2}}));
    rows.push_back(
        passed(name + " to no VIP", ip_of({v4(99)}).options(Bytes(length, 1)).tcp(40000, 443), GH_NOT_VIP));
  }
  rows.push_back(
      forwarded("options in a VLAN", ip_of(tcp).options(Bytes(8, 1)).tcp(40000, 443), tcp, {}, {{5}}));
  rows.push_back(forwarded("options in QinQ", ip_of(tcp).options(Bytes(40, 1)).tcp(40000, 443), tcp, {},
                           {{5, 0x88a8}, {6}}));
  rows.push_back(forwarded("options to an IPv6 node", ip_of({v4(13)}).options(Bytes(40, 1)).tcp(40000, 443),
                           {v4(13)}, {.node = 6}));
  for (const auto& vip : {v4(10), v6(10)}) {
    const Bytes timestamps = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0};
    rows.push_back(forwarded("TCP options to " + vip, packet_of({vip}).options(timestamps), {vip}));
  }
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(PacketsWithOptions, options);

Rows extensions() {
  Rows rows;
  const Flow tcp{v6(10)}, udp{v6(10), 53, kUdp};
  for (const std::uint8_t kind : {kHopOptions, kRouting, kDestinationOptions}) {
    for (const std::uint8_t units : {0, 1, 5}) {
      const std::string name =
          "extension " + std::to_string(kind) + " of " + std::to_string(8 + 8 * units) + " bytes";
      rows.push_back(forwarded(name, ip_of(tcp).extension(kind, sized(units)).tcp(40000, 443), tcp));
      rows.push_back(forwarded(name + ", UDP", ip_of(udp).extension(kind, sized(units)).udp(40000, 53), udp,
                               {.hops = {2}}));
    }
    rows.push_back(passed("extension " + std::to_string(kind) + " to no VIP",
                          ip_of({v6(99)}).extension(kind, sized(0)).tcp(40000, 443), GH_NOT_VIP));
    rows.push_back(passed("extension " + std::to_string(kind) + " and nothing behind it",
                          ip_of(tcp).extension(kind, sized(0)).next(59), GH_VIP_NO_PORTS));
    rows.push_back(dropped("extension " + std::to_string(kind) + " that ends behind the packet",
                           ip_of(tcp).extension(kind, {9, 0, 0, 0, 0, 0, 0}).tcp(40000, 443), GH_TRUNCATED));
  }
  const auto chain = [&tcp](int length) {
    Build packet = ip_of(tcp).extension(kHopOptions, sized(0));
    while (--length > 0) packet.extension(kDestinationOptions, sized(1));
    return packet.tcp(40000, 443);
  };
  rows.push_back(forwarded("two extensions", chain(2), tcp));
  rows.push_back(forwarded("six extensions", chain(6), tcp));
  rows.push_back(dropped("seven extensions are too many to follow", chain(7), GH_VIP_EXTENSION));
  rows.push_back(forwarded("extensions in QinQ", chain(3), tcp, {}, {{5, 0x88a8}, {6}}));
  rows.push_back(forwarded("extensions to an IPv6 node",
                           ip_of({v6(13)}).extension(kHopOptions, sized(0)).tcp(40000, 443), {v6(13)},
                           {.node = 6}));
  rows.push_back(dropped("a route that goes on from here",
                         ip_of(tcp).extension(kRouting, {0, 0, 1, 0, 0, 0, 0}).tcp(40000, 443),
                         GH_VIP_EXTENSION));
  // RFC 7045: what has more to it than a length is not followed.
  for (const std::uint8_t kind : {51, 135, 139, 140}) {
    const std::string name = "header " + std::to_string(kind);
    rows.push_back(dropped(name, ip_of(tcp).extension(kind, sized(0)).tcp(40000, 443), GH_VIP_EXTENSION));
    rows.push_back(
        dropped(name + " behind another",
                ip_of(tcp).extension(kHopOptions, sized(0)).extension(kind, sized(0)).tcp(40000, 443),
                GH_VIP_EXTENSION));
    rows.push_back(
        passed(name + " to no VIP", ip_of({v6(99)}).extension(kind, sized(0)).tcp(40000, 443), GH_NOT_VIP));
  }
  rows.push_back(passed("ESP behind an extension",
                        ip_of(tcp).extension(kHopOptions, sized(0)).next(50).payload(20), GH_VIP_NO_PORTS));
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(PacketsWithExtensions, extensions);

// ---- Fragments ----

// Behind an IPv6 fragment header; a first piece has the ports, a later one has bytes.
Build piece_v6(const std::string& vip, std::uint16_t offset, bool has_more, std::uint8_t protocol,
               std::uint16_t port) {
  const auto word = static_cast<std::uint16_t>(offset | has_more);
  Build piece = ip_of({vip}).extension(
      kFragment, {0, static_cast<std::uint8_t>(word >> 8), static_cast<std::uint8_t>(word), 1, 2, 3, 4});
  if (offset > 0) return piece.next(protocol).payload(24);
  return protocol == kTcp ? piece.tcp(40000, port).payload(8) : piece.udp(40000, port).payload(8);
}
Build piece(const std::string& vip, std::uint16_t offset, bool has_more, std::uint8_t protocol,
            std::uint16_t port) {
  if (vip.find(':') != std::string::npos) return piece_v6(vip, offset, has_more, protocol, port);
  Build piece = ip_of({vip}).fragment(offset, has_more);
  if (offset > 0) return piece.next(protocol).payload(24);
  return protocol == kTcp ? piece.tcp(40000, port).payload(8) : piece.udp(40000, port).payload(8);
}

const struct {
  const char* name;
  std::uint16_t offset;
  bool has_more;
} kPieces[] = {{"first piece", 0, true}, {"middle piece", 1480, true}, {"last piece", 1480, false}};

Rows fragments() {
  Rows rows;
  for (const auto& of : {v4, v6}) {
    for (const auto& row : kPieces) {
      for (const std::uint8_t protocol : {kTcp, kUdp}) {
        const std::uint16_t port = protocol == kTcp ? 443 : 53;
        const auto name = [&](int vip) {
          return row.name + (", protocol " + std::to_string(protocol)) + " to " + of(vip);
        };
        rows.push_back(
            dropped(name(10), piece(of(10), row.offset, row.has_more, protocol, port), GH_VIP_FRAGMENT));
        rows.push_back(
            dropped(name(20), piece(of(20), row.offset, row.has_more, protocol, port), GH_VIP_FRAGMENT));
        rows.push_back(passed(name(99), piece(of(99), row.offset, row.has_more, protocol, port), GH_NOT_VIP));
        // By the addresses alone, so that all pieces and all whole packets meet at one node.
        const Flow flow{of(50), port, protocol};
        const Way way{.node = mixed_owner_of(flow, GH_HASH_ADDRESSES), .fields = GH_HASH_ADDRESSES};
        rows.push_back(
            forwarded(name(50), piece(of(50), row.offset, row.has_more, protocol, port), flow, way));
        rows.push_back(forwarded("whole packet beside: " + name(50), segment_of(flow), flow, way));
        rows.push_back(forwarded(name(50) + " in QinQ",
                                 piece(of(50), row.offset, row.has_more, protocol, port), flow, way,
                                 {{1, 0x88a8}, {2}}));
      }
    }
    rows.push_back(dropped("first piece to a VIP that takes none, beside one that does: " + of(50),
                           piece(of(50), 0, true, kTcp, 80), GH_VIP_FRAGMENT));
    rows.push_back(dropped("first piece to no VIP of the address: " + of(50),
                           piece(of(50), 0, true, kTcp, 81), GH_VIP_FRAGMENT));
  }
  rows.push_back(dropped("first piece of ICMP", ip_of({v4(50)}).fragment(0, true).icmp(8, 0).payload(8),
                         GH_VIP_FRAGMENT));
  rows.push_back(
      dropped("first piece of GRE", ip_of({v4(50)}).fragment(0, true).next(47).payload(24), GH_VIP_FRAGMENT));
  rows.push_back(dropped("later piece of ICMP", ip_of({v4(50)}).fragment(64, false).next(1).payload(8),
                         GH_VIP_FRAGMENT));
  // RFC 1858 §3: ports that come in two pieces pass no filter.
  rows.push_back(dropped("first piece with half a TCP header",
                         ip_of({v4(50)}).fragment(0, true).next(kTcp).payload(8), GH_TRUNCATED));
  rows.push_back(dropped("first piece with half a UDP header",
                         ip_of({v4(50)}).fragment(0, true).next(kUdp).payload(7), GH_TRUNCATED));
  // RFC 6946: a fragment header on a packet that is whole.
  rows.push_back(forwarded("atomic fragment", piece(v6(10), 0, false, kTcp, 443), {v6(10)}));
  rows.push_back(forwarded(
      "atomic fragment behind options",
      ip_of({v6(10)}).extension(kHopOptions, sized(0)).extension(kFragment, Bytes(7)).tcp(40000, 443),
      {v6(10)}));
  rows.push_back(dropped("first piece behind options",
                         ip_of({v6(10)})
                             .extension(kHopOptions, sized(0))
                             .extension(kFragment, {0, 0, 1, 0, 0, 0, 0})
                             .tcp(40000, 443),
                         GH_VIP_FRAGMENT));
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(Fragments, fragments);

// ---- Malformed ----

Row changed(std::string description, const Build& inner, std::size_t at, std::uint8_t value) {
  Bytes input = in_frame(inner).build();
  input.at(at) = value;
  return dropped_bytes(std::move(description), input, GH_TRUNCATED);
}

Rows malformed() {
  Rows rows;
  const Flow tcp{v4(10)}, udp{v4(10), 53, kUdp}, tcp_v6{v6(10)}, udp_v6{v6(10), 53, kUdp};
  rows.push_back(dropped("IPv4 header and nothing else", ip_of(tcp).next(kTcp), GH_TRUNCATED));
  rows.push_back(dropped("IPv4 with half of the ports", ip_of(tcp).next(kTcp).payload(2), GH_TRUNCATED));
  rows.push_back(dropped("IPv4 with most of a TCP header", ip_of(tcp).next(kTcp).payload(19), GH_TRUNCATED));
  rows.push_back(dropped("IPv4 with most of a UDP header", ip_of(udp).next(kUdp).payload(7), GH_TRUNCATED));
  rows.push_back(dropped("IPv6 with half of the ports", ip_of(tcp_v6).next(kTcp).payload(2), GH_TRUNCATED));
  rows.push_back(
      dropped("IPv6 with most of a UDP header", ip_of(udp_v6).next(kUdp).payload(7), GH_TRUNCATED));
  rows.push_back(changed("IPv4 of another version", segment_of(tcp), 14, 0x55));
  rows.push_back(changed("IPv4 with a header shorter than itself", segment_of(tcp), 14, 0x44));
  rows.push_back(changed("IPv4 without a header by its own account", segment_of(tcp), 14, 0x40));
  rows.push_back(changed("IPv4 with too long a header", packet_of(tcp), 14, 0x4f));
  rows.push_back(changed("IPv4 shorter than its header", segment_of(tcp), 17, 19));
  rows.push_back(changed("IPv6 of another version", segment_of(tcp_v6), 14, 0x40));
  rows.push_back(changed("IPv6 longer than the frame", segment_of(tcp_v6), 19, 26));
  // What stands behind the end of the IP packet is padding, whatever it looks like.
  for (const std::uint16_t length : {20, 22, 27, 39, 41, 60, 0xffff}) {
    rows.push_back(dropped("IPv4 of length " + std::to_string(length),
                           ip_of(tcp).length(length).tcp(40000, 443), GH_TRUNCATED));
    rows.push_back(dropped("IPv4 UDP of length " + std::to_string(length),
                           ip_of(udp).length(length == 39 ? 26 : length).udp(40000, 53), GH_TRUNCATED));
  }
  for (const std::uint16_t length : {28, 35, 47, 0xffff}) {
    rows.push_back(dropped("IPv4 with options, of length " + std::to_string(length),
                           ip_of(tcp).options(Bytes(8, 1)).length(length).tcp(40000, 443), GH_TRUNCATED));
  }
  for (const std::uint16_t length : {0, 2, 7, 19, 21, 0xffff}) {
    rows.push_back(dropped("IPv6 of payload length " + std::to_string(length),
                           ip_of(tcp_v6).length(length).tcp(40000, 443), GH_TRUNCATED));
  }
  for (const std::uint16_t length : {0, 4, 7, 8, 27}) {
    rows.push_back(dropped("IPv6 with an extension, of payload length " + std::to_string(length),
                           ip_of(tcp_v6).length(length).extension(kHopOptions, sized(0)).tcp(40000, 443),
                           GH_TRUNCATED));
  }
  for (const Tags& tags : {Tags{{5}}, Tags{{5, 0x88a8}, {6}}}) {
    const Bytes input = in_frame(ip_of(tcp).length(39).tcp(40000, 443), tags).build();
    rows.push_back(
        dropped_bytes("too short in " + std::to_string(tags.size()) + " tags", input, GH_TRUNCATED));
  }
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(MalformedPackets, malformed);

// Before the addresses are whole nobody can tell whose the packet is: it is the host's. From there on it is
// dropped.
TEST(CutPackets, AreDroppedFromWhereTheirAddressIsKnown) {
  l4::MemoryPlane plane(kRowSlots, kRowGroups);
  fill_front_door(plane, row_site());
  l4::Tables tables = plane.tables();
  for (const Tags& tags : {Tags{}, Tags{{5}}, Tags{{5, 0x88a8}, {6}}}) {
    for (const Flow& flow : {Flow{v4(10)}, Flow{v6(10)}, Flow{v4(10), 53, kUdp}, Flow{v6(20), 7, kUdp}}) {
      const Bytes whole = in_frame(segment_of(flow), tags).build();
      const std::size_t known = 14 + 4 * tags.size() + (flow.is_v4() ? 20 : 40);
      for (std::size_t length = 0; length < whole.size(); ++length) {
        Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_EQ(run_here(l4::balance, tables, cut), length < known ? GH_NOT_VIP : GH_TRUNCATED)
            << flow.vip << " cut to " << length;
      }
    }
  }
}

}  // namespace
}  // namespace gatehouse::test
