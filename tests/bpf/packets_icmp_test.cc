// The front door's rows of ICMP and ICMPv6: errors about a VIP's flows find the flow's owner, echo requests
// and packets that are too long are answered within a budget, everything else is the host's.
#include "tests/bpf/front_door_rows.h"

namespace gatehouse::test {
namespace {

constexpr const char* kRouter = "192.0.2.200";
constexpr const char* kRouterV6 = "2001:db8:2::200";

// ---- Errors ----

Build from_router(const std::string& vip) {
  return vip.find(':') == std::string::npos ? Build().ipv4(kRouter, vip) : Build().ipv6(kRouterV6, vip);
}
// What the VIP sent to the client and a router could not forward: the flow's packet the other way round.
Build sent_by_vip(const Flow& flow) {
  const Build ip_header =
      flow.is_v4() ? Build().ipv4(flow.vip, flow.client()) : Build().ipv6(flow.vip, flow.client());
  return flow.protocol == kTcp ? Build(ip_header).tcp(flow.destination_port, flow.source_port)
                               : Build(ip_header).udp(flow.destination_port, flow.source_port);
}
Bytes first(const Build& packet, std::size_t length) {
  Bytes bytes = packet.build();
  bytes.resize(length);
  return bytes;
}
std::size_t ip_header_length(const Flow& flow) { return flow.is_v4() ? 20 : 40; }

// All that there is to quote, or the IP header and `length` bytes of what follows.
Build error_about(const Flow& flow, std::uint8_t type, std::uint8_t code, std::size_t length = 40) {
  return from_router(flow.vip)
      .icmp(type, code)
      .rest(1400)
      .payload(first(sent_by_vip(flow).payload(64), ip_header_length(flow) + length));
}

Rows errors() {
  Rows rows;
  const struct {
    const char* name;
    bool is_v4;
    std::uint8_t type, code;
  } kinds[] = {{"fragmentation needed", true, 3, 4},
               {"network unreachable", true, 3, 0},
               {"port unreachable", true, 3, 3},
               {"time exceeded", true, 11, 0},
               {"parameter problem", true, 12, 0},
               {"too big", false, 2, 0},
               {"no route", false, 1, 0},
               {"port unreachable", false, 1, 4},
               {"hop limit exceeded", false, 3, 0},
               {"parameter problem", false, 4, 1}};
  for (const auto& kind : kinds) {
    const auto of = kind.is_v4 ? v4 : v6;
    // Its owner, and the owners before it.
    const struct {
      Flow flow;
      Way way;
    } flows[] = {
        {{of(10)}, {}},
        {{of(10), 53, kUdp}, {.hops = {2}}},
        {{of(12)}, {.hops = {2, 3, 4}}},
        {{of(14)}, {.node = 6, .hops = {7, 8}}},
        {{of(20), 7777}, {}},
        {{of(20), 22}, {.node = 6}},
        {{of(31)}, {.node = 6, .encapsulation = GH_ENCAPSULATE_GUE}},
        {{of(32)}, {.encapsulation = GH_ENCAPSULATE_IPIP}},
        {{of(40)}, {.node = mixed_owner_of({of(40)}, GH_HASH_FLOW)}},
        {{of(41)}, {.node = mixed_owner_of({of(41)}, GH_HASH_ADDRESSES), .fields = GH_HASH_ADDRESSES}},
        {{of(42)}, {.node = mixed_owner_of({of(42)}, GH_HASH_SOURCE), .fields = GH_HASH_SOURCE}},
        {{of(50), 53, kUdp},
         {.node = mixed_owner_of({of(50)}, GH_HASH_ADDRESSES), .fields = GH_HASH_ADDRESSES}}};
    for (const auto& row : flows) {
      const std::string name =
          kind.name + (" about " + row.flow.vip) + ":" + std::to_string(row.flow.destination_port);
      rows.push_back(forwarded(name, error_about(row.flow, kind.type, kind.code), row.flow, row.way));
      rows.push_back(forwarded(name + ", eight bytes quoted", error_about(row.flow, kind.type, kind.code, 8),
                               row.flow, row.way));
    }
    const Flow flow{of(10)};
    rows.push_back(forwarded(kind.name + std::string(", the ports alone quoted"),
                             error_about(flow, kind.type, kind.code, 4), flow));
    rows.push_back(forwarded(kind.name + std::string(" in QinQ"), error_about(flow, kind.type, kind.code),
                             flow, {}, {{1, 0x88a8}, {2}}));
    rows.push_back(passed(kind.name + std::string(", half of the ports quoted"),
                          error_about(flow, kind.type, kind.code, 2), GH_VIP_NO_PORTS));
    rows.push_back(passed(kind.name + std::string(", no ports quoted"),
                          error_about(flow, kind.type, kind.code, 0), GH_VIP_NO_PORTS));
    rows.push_back(passed(kind.name + std::string(" about no VIP"),
                          error_about({of(99)}, kind.type, kind.code), GH_NOT_VIP));
    rows.push_back(passed(kind.name + std::string(" about another port"),
                          error_about({of(10), 81}, kind.type, kind.code), GH_NOT_VIP));
    rows.push_back(dropped(kind.name + std::string(" about a VIP without a ring"),
                           error_about({of(15)}, kind.type, kind.code), GH_VIP_NO_RING));
  }
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(IcmpErrors, errors);

Rows odd_quotes() {
  Rows rows;
  const auto quoting = [](const std::string& vip, const Bytes& quote) {
    return vip.find(':') == std::string::npos ? from_router(vip).icmp(3, 4).rest(1400).payload(quote)
                                              : from_router(vip).icmp(2, 0).rest(1400).payload(quote);
  };
  const auto back_v4 = [] { return Build().ipv4(v4(10), kClient); };
  const auto back_v6 = [] { return Build().ipv6(v6(10), kClientV6); };
  const Flow tcp{v4(10)}, tcp_v6{v6(10)};
  rows.push_back(forwarded("a quote with IPv4 options",
                           quoting(v4(10), back_v4().options(Bytes(40, 1)).tcp(443, 40000).build()), tcp));
  rows.push_back(forwarded("a quote of a first piece",
                           quoting(v4(10), back_v4().fragment(0, true).tcp(443, 40000).build()), tcp));
  rows.push_back(passed("a quote of a later piece",
                        quoting(v4(10), back_v4().fragment(64, true).next(kTcp).payload(20).build()),
                        GH_VIP_NO_PORTS));
  rows.push_back(forwarded("a quote with an extension header",
                           quoting(v6(10), back_v6().extension(60, Bytes(7)).tcp(443, 40000).build()),
                           tcp_v6));
  rows.push_back(forwarded(
      "a quote of a first IPv6 piece",
      quoting(v6(10), back_v6().extension(44, {0, 0, 1, 0, 0, 0, 0}).tcp(443, 40000).build()), tcp_v6));
  rows.push_back(
      passed("a quote of a later IPv6 piece",
             quoting(v6(10), back_v6().extension(44, {0, 1, 0, 0, 0, 0, 0}).next(kTcp).payload(20).build()),
             GH_VIP_NO_PORTS));
  rows.push_back(passed("a quote of IPv6 with a header that is not followed",
                        quoting(v6(10), back_v6().extension(51, Bytes(7)).tcp(443, 40000).build()),
                        GH_VIP_NO_PORTS));
  rows.push_back(passed("a quote of what another address sent",
                        quoting(v4(10), Build().ipv4(v4(11), kClient).tcp(443, 40000).build()),
                        GH_VIP_NO_PORTS));
  rows.push_back(
      passed("a quote of what the client sent", quoting(v4(10), segment_of(tcp).build()), GH_VIP_NO_PORTS));
  rows.push_back(passed("IPv6: a quote of what the client sent", quoting(v6(10), segment_of(tcp_v6).build()),
                        GH_VIP_NO_PORTS));
  rows.push_back(
      passed("a quote of ICMP", quoting(v4(10), back_v4().icmp(0, 0).payload(8).build()), GH_VIP_NO_PORTS));
  rows.push_back(
      passed("a quote of GRE", quoting(v4(10), back_v4().next(47).payload(20).build()), GH_VIP_NO_PORTS));
  rows.push_back(passed("a quote of the other family", quoting(v4(10), back_v6().tcp(443, 40000).build()),
                        GH_VIP_NO_PORTS));
  rows.push_back(passed("IPv6: a quote of the other family",
                        quoting(v6(10), back_v4().tcp(443, 40000).build()), GH_VIP_NO_PORTS));
  for (const std::size_t length : {0, 1, 19}) {
    rows.push_back(passed("a quote of " + std::to_string(length) + " bytes",
                          quoting(v4(10), Bytes(length, 0x45)), GH_VIP_NO_PORTS));
  }
  rows.push_back(passed("a quote of 39 bytes", quoting(v6(10), Bytes(39, 0x60)), GH_VIP_NO_PORTS));
  Bytes short_header = back_v4().tcp(443, 40000).build();
  short_header[0] = 0x44;
  rows.push_back(passed("a quote whose header is too short", quoting(v4(10), short_header), GH_VIP_NO_PORTS));
  short_header[0] = 0x4f;
  rows.push_back(passed("a quote whose header is longer than the quote", quoting(v4(10), short_header),
                        GH_VIP_NO_PORTS));
  rows.push_back(padded(passed("a quote that ends before its ports do",
                               quoting(v4(10), first(back_v4().tcp(443, 40000), 22)), GH_VIP_NO_PORTS),
                        30));
  rows.push_back(passed("an error behind IPv4 options",
                        Build()
                            .ipv4(kRouter, v4(10))
                            .options(Bytes(4, 1))
                            .icmp(3, 4)
                            .payload(back_v4().tcp(443, 40000).build()),
                        GH_VIP_NO_PORTS));
  rows.push_back(passed("an error behind an extension header",
                        Build()
                            .ipv6(kRouterV6, v6(10))
                            .extension(60, Bytes(7))
                            .icmp(2, 0)
                            .payload(back_v6().tcp(443, 40000).build()),
                        GH_VIP_NO_PORTS));
  rows.push_back(
      dropped("an error of seven bytes", Build().ipv4(kRouter, v4(10)).next(1).payload(7), GH_TRUNCATED));
  rows.push_back(dropped("an IPv6 error of seven bytes", Build().ipv6(kRouterV6, v6(10)).next(58).payload(7),
                         GH_TRUNCATED));
  rows.push_back(
      passed("ICMPv6 within IPv4", Build().ipv4(kRouter, v4(10)).next(58).payload(40), GH_VIP_NO_PORTS));
  rows.push_back(
      passed("ICMP within IPv6", Build().ipv6(kRouterV6, v6(10)).next(1).payload(40), GH_VIP_NO_PORTS));
  for (const std::uint8_t type : {0, 5, 9, 13, 17, 40}) {
    rows.push_back(
        passed("ICMP type " + std::to_string(type),
               Build().ipv4(kRouter, v4(10)).icmp(type, 0).payload(back_v4().tcp(443, 40000).build()),
               GH_VIP_NO_PORTS));
  }
  for (const std::uint8_t type : {0, 5, 129, 130, 133, 134, 135, 136, 137}) {
    rows.push_back(
        passed("ICMPv6 type " + std::to_string(type),
               Build().ipv6(kRouterV6, v6(10)).icmp(type, 0).payload(back_v6().tcp(443, 40000).build()),
               GH_VIP_NO_PORTS));
  }
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(IcmpErrorsWithOddQuotes, odd_quotes);

}  // namespace
}  // namespace gatehouse::test
