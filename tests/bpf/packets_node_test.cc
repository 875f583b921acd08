// One table of tunnel packets for a node, run against the user-space build and against the loaded BPF object,
// and what only the kernel can answer: whether a flow is here.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "tests/bpf/builds.h"

namespace gatehouse::test {
namespace {

using Build = PacketBuilder;

constexpr std::uint16_t kEpoch = 77;
constexpr std::uint16_t kPort = 50000;
constexpr const char* kFrontDoor = "192.0.2.1";
constexpr const char* kFrontDoorV6 = "2001:db8:2::1";
constexpr const char* kSelf = "10.0.0.1";
constexpr const char* kSelfV6 = "fd00::1";

Build tcp_v4(std::uint8_t flags = kAck) {
  return Build().ipv4("203.0.113.7", "198.51.100.10").tcp(40000, 443, flags).payload("hello");
}
Build tcp_v6(std::uint8_t flags = kAck) {
  return Build().ipv6("2001:db8:c::7", "2001:db8:5::10").tcp(40000, 443, flags).payload("hello");
}

using Hops = std::vector<std::uint16_t>;
Build tunnel_v4(const Hops& hops = {}, const char* source = kFrontDoor, Build link = Build().ethernet(),
                std::uint8_t traffic_class = 0x28) {
  link.ipv4(source, kSelf).traffic_class(traffic_class).dont_fragment().ttl(61);
  return link.udp(kPort, 6080).without_checksum().gue(kEpoch, hops);
}
Build tunnel_v6(const Hops& hops = {}, const char* source = kFrontDoorV6, Build link = Build().ethernet(),
                std::uint8_t traffic_class = 0x28) {
  return link.ipv6(source, kSelfV6)
      .traffic_class(traffic_class)
      .ttl(61)
      .udp(kPort, 6080)
      .without_checksum()
      .gue(kEpoch, hops);
}

// What leaves for the next hop: turned around, sent by this node, with its own TTL.
Build sent_on_v4(const char* node, const Hops& hops, Build link = Build().ethernet(kRouterMac, kHostMac)) {
  link.ipv4(kSelf, node).traffic_class(0x28).dont_fragment();
  return link.udp(kPort, 6080).without_checksum().gue(kEpoch, hops);
}
Build sent_on_v6(const char* node, const Hops& hops) {
  Build link = Build().ethernet(kRouterMac, kHostMac).ipv6(kSelfV6, node).traffic_class(0x28);
  return link.udp(kPort, 6080).without_checksum().gue(kEpoch, hops);
}

Row alone(std::string description, const Build& input) {
  return {std::move(description), input.build(), GH_NODE_NOT_TUNNEL, XDP_PASS, input.build()};
}
Row dropped(std::string description, const Bytes& input, gh_verdict verdict) {
  return {std::move(description), input, verdict, XDP_DROP, input};
}
// Stripped: the inner packet in the frame that brought it.
Row stripped(std::string description, Build tunnel, const Build& inner, gh_verdict verdict,
             Build link = Build().ethernet()) {
  return {std::move(description), tunnel.packet(inner.build()).build(), verdict, XDP_PASS,
          link.packet(inner.build()).build()};
}
Row sent_on(std::string description, Build tunnel, const Build& inner, Build output) {
  const Bytes packet = inner.build();
  return {std::move(description), tunnel.packet(packet).build(), GH_NODE_SENT_ON, XDP_TX,
          output.packet(packet).build()};
}

void add_not_tunnel(Rows& rows) {
  const Bytes inner = tcp_v4().build();
  const auto ip = [] { return Build().ethernet().ipv4(kFrontDoor, kSelf); };
  rows.push_back(alone("ARP", Build().ethernet().next(0x0806).payload(28)));
  rows.push_back(alone("TCP for the host", Build().ethernet().packet(inner).payload(40)));
  rows.push_back(alone("IPv6 TCP for the host", Build().ethernet().packet(tcp_v6().build()).payload(40)));
  rows.push_back(alone("UDP to another port", ip().udp(kPort, 6081).gue(kEpoch).packet(inner)));
  rows.push_back(alone("TCP to the tunnel's port", ip().tcp(kPort, 6080).payload(60)));
  rows.push_back(alone("from the tunnel's port", ip().udp(6080, kPort).gue(kEpoch).packet(inner)));
  rows.push_back(
      alone("outer IPv4 options", ip().options({1, 1, 1, 0}).udp(kPort, 6080).gue(kEpoch).packet(inner)));
  rows.push_back(
      alone("outer first fragment", ip().fragment(0, true).udp(kPort, 6080).gue(kEpoch).packet(inner)));
  rows.push_back(
      alone("outer last fragment", ip().fragment(64, false).udp(kPort, 6080).gue(kEpoch).packet(inner)));
  rows.push_back(alone("outer IPv6 extension", Build()
                                                   .ethernet()
                                                   .ipv6(kFrontDoorV6, kSelfV6)
                                                   .extension(60, Bytes(7))
                                                   .udp(kPort, 6080)
                                                   .gue(kEpoch)
                                                   .packet(inner)));
  rows.push_back(alone("two VLAN tags",
                       tunnel_v4({}, kFrontDoor, Build().ethernet().vlan(1, 0x88a8).vlan(2)).packet(inner)));
}

void add_delivered(Rows& rows) {
  for (const Build& inner :
       {tcp_v4(), tcp_v6(), tcp_v4(kSyn), Build().ipv4("203.0.113.7", "198.51.100.10").udp(1, 53)}) {
    rows.push_back(stripped("delivered over IPv4", tunnel_v4(), inner, GH_NODE_DELIVERED));
    rows.push_back(stripped("delivered over IPv6", tunnel_v6(), inner, GH_NODE_DELIVERED));
    const Build link = Build().ethernet().vlan(0x2005);
    rows.push_back(stripped("delivered, VLAN over IPv4", tunnel_v4({}, kFrontDoor, link), inner,
                            GH_NODE_DELIVERED, link));
    rows.push_back(stripped("delivered, VLAN over IPv6", tunnel_v6({}, kFrontDoorV6, link), inner,
                            GH_NODE_DELIVERED, link));
  }
  rows.push_back(
      stripped("delivered from another node", tunnel_v4({}, "10.0.0.3"), tcp_v4(), GH_NODE_DELIVERED));
  rows.push_back(
      stripped("hops after a hole are not looked at", tunnel_v4({0, 2, 3}), tcp_v4(), GH_NODE_DELIVERED));
}

void add_refused(Rows& rows) {
  const Bytes inner = tcp_v4().build();
  rows.push_back(dropped("stranger", tunnel_v4({}, "192.0.2.66").packet(inner).build(), GH_NODE_STRANGER));
  rows.push_back(
      dropped("IPv6 stranger", tunnel_v6({}, "2001:db8:2::66").packet(inner).build(), GH_NODE_STRANGER));
  rows.push_back(
      dropped("stranger with hops", tunnel_v4({2}, "192.0.2.66").packet(inner).build(), GH_NODE_STRANGER));
  const struct {
    const char* name;
    std::size_t at;  // in the GUE header
    std::uint8_t value;
  } changes[] = {
      {"GUE version 1", 0, 0x42},
      {"GUE control message", 0, 0x22},
      {"GUE without the private field", 0, 0x00},
      {"GUE, longer header", 0, 0x03},
      {"GUE with a high flag", 2, 0x80},
      {"GUE with a low flag", 3, 0x01},
      {"GUE with GRE inside", 1, 47},
      {"GUE with nothing inside", 1, 59},
      {"GUE with TCP inside", 1, 6},
  };
  for (const auto& change : changes) {
    for (const Hops& hops : {Hops{}, Hops{2}}) {
      Bytes v4 = tunnel_v4(hops).packet(inner).build(), v6 = tunnel_v6(hops).packet(inner).build();
      v4[14 + 28 + change.at] = v6[14 + 48 + change.at] = change.value;
      rows.push_back(dropped(change.name, v4, GH_NODE_BAD_TUNNEL));
      rows.push_back(dropped(std::string("over IPv6: ") + change.name, v6, GH_NODE_BAD_TUNNEL));
    }
  }
  rows.push_back(dropped("nothing inside", tunnel_v4().next(4).build(), GH_NODE_BAD_TUNNEL));
  rows.push_back(dropped("three bytes inside", tunnel_v6().next(41).payload(3).build(), GH_NODE_BAD_TUNNEL));
}

// The table holds IPv4 addresses in this form; on the wire nobody has them.
void add_mapped(Rows& rows) {
  for (const Hops& hops : {Hops{}, Hops{6}}) {
    const Bytes input = tunnel_v6(hops, "::ffff:192.0.2.1").packet(tcp_v4().build()).build();
    rows.push_back(dropped("from the mapped form of a member's address", input, GH_NODE_STRANGER));
  }
}

void add_truncated(Rows& rows) {
  const Build vlan = Build().ethernet().vlan(5);
  for (const Build& tunnel :
       {tunnel_v4().next(4), tunnel_v6().next(41), tunnel_v4({2}, kFrontDoor, vlan).next(4)}) {
    const Bytes whole = tunnel.build();
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      rows.push_back({"cut to " + std::to_string(length), cut, GH_NODE_NOT_TUNNEL, XDP_PASS, cut});
    }
  }
}

// With hops left, but nothing to ask an earlier owner about.
void add_owned(Rows& rows) {
  rows.push_back(stripped("opens a connection", tunnel_v4({2, 3}), tcp_v4(kSyn), GH_NODE_OWNED));
  rows.push_back(stripped("IPv6: opens a connection", tunnel_v6({6}), tcp_v6(kSyn), GH_NODE_OWNED));
  const Build link = Build().ethernet().vlan(5);
  rows.push_back(stripped("VLAN: opens a connection", tunnel_v4({2}, kFrontDoor, link), tcp_v4(kSyn),
                          GH_NODE_OWNED, link));
  const auto client = [] { return Build().ipv4("203.0.113.7", "198.51.100.10"); };
  rows.push_back(stripped("UDP", tunnel_v4({2}), client().udp(40000, 53).payload(4), GH_NODE_OWNED));
  rows.push_back(stripped("ICMP", tunnel_v4({2}), client().icmp(8, 0).payload(4), GH_NODE_OWNED));
  rows.push_back(
      stripped("fragment", tunnel_v4({2}), client().fragment(8, true).next(6).payload(40), GH_NODE_OWNED));
  rows.push_back(stripped("inner IPv4 options", tunnel_v4({2}),
                          client().options({1, 1, 1, 0}).tcp(40000, 443), GH_NODE_OWNED));
  rows.push_back(stripped("half a TCP header", tunnel_v4({2}), client().next(6).payload(12), GH_NODE_OWNED));
  rows.push_back(stripped("half a TCP header, the rest is padding", tunnel_v4({2}),
                          client().length(32).tcp(40000, 443), GH_NODE_OWNED));
  rows.push_back(stripped("IPv6: no TCP header, padding", tunnel_v4({2}),
                          Build().ipv6("2001:db8:c::7", "2001:db8:5::10").length(0).tcp(40000, 443),
                          GH_NODE_OWNED));
  rows.push_back(stripped("IPv6 to a mapped address", tunnel_v6({6}),
                          Build().ipv6("2001:db8:c::7", "::ffff:198.51.100.10").tcp(40000, 443),
                          GH_NODE_OWNED));
  rows.push_back(
      stripped("IPv6 extension header", tunnel_v4({2}),
               Build().ipv6("2001:db8:c::7", "2001:db8:5::10").extension(60, Bytes(7)).tcp(40000, 443),
               GH_NODE_OWNED));
  // Unknown, of the other family, outside the table: whoever is asked must be reachable by this tunnel.
  for (const std::uint16_t hop : {9, 6, GH_MAX_NODES - 1, +GH_MAX_NODES, 0xffff}) {
    rows.push_back(
        stripped("unknown hop " + std::to_string(hop), tunnel_v4({hop, 2}), tcp_v4(), GH_NODE_HOP_UNKNOWN));
  }
  for (const std::uint16_t hop : {9, 2}) {
    rows.push_back(stripped("IPv6: unknown hop " + std::to_string(hop), tunnel_v6({hop}), tcp_v6(),
                            GH_NODE_HOP_UNKNOWN));
  }
}

void add_sent_on(Rows& rows) {
  rows.push_back(sent_on("unknown flow, one hop", tunnel_v4({2}), tcp_v4(), sent_on_v4("10.0.0.2", {})));
  rows.push_back(sent_on("unknown flow, two hops", tunnel_v4({3, 2}), tcp_v4(), sent_on_v4("10.0.0.3", {2})));
  rows.push_back(
      sent_on("unknown flow, three hops", tunnel_v4({2, 3, 9}), tcp_v4(), sent_on_v4("10.0.0.2", {3, 9})));
  rows.push_back(sent_on("IPv6 inside", tunnel_v4({2}), tcp_v6(), sent_on_v4("10.0.0.2", {})));
  rows.push_back(sent_on("over IPv6", tunnel_v6({6, 2}), tcp_v6(), sent_on_v6("fd00::6", {2})));
  rows.push_back(sent_on("IPv4 over IPv6", tunnel_v6({6}), tcp_v4(), sent_on_v6("fd00::6", {})));
  rows.push_back(sent_on("VLAN", tunnel_v4({2}, kFrontDoor, Build().ethernet().vlan(0x2005)), tcp_v4(),
                         sent_on_v4("10.0.0.2", {}, Build().ethernet(kRouterMac, kHostMac).vlan(0x2005))));
  for (const std::uint8_t flags : {kAck | kSyn, kAck | kFin, +kReset, +kFin, 0}) {
    rows.push_back(sent_on("flags " + std::to_string(flags), tunnel_v4({2}),
                           tcp_v4(static_cast<std::uint8_t>(flags)), sent_on_v4("10.0.0.2", {})));
  }
  const Build options = Build().ipv4("203.0.113.7", "198.51.100.10").tcp(40000, 443).options({1, 1, 1, 0});
  rows.push_back(sent_on("TCP options", tunnel_v4({2}), options, sent_on_v4("10.0.0.2", {})));
}

// RFC 6040 §4.2, figure 4: the inner mark after the tunnel by inner and outer mark; -1: the packet is
// dropped.
constexpr int kMarkAfter[4][4] = {{0, 0, 0, -1}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};

Build marked(bool is_v4, std::uint8_t traffic_class, std::uint8_t flags) {
  Build builder =
      is_v4 ? Build().ipv4("203.0.113.7", "198.51.100.10") : Build().ipv6("2001:db8:c::7", "2001:db8:5::10");
  return builder.traffic_class(traffic_class).tcp(40000, 443, flags);
}

Row with_marks(const std::string& where, Build tunnel, const Build& inner, const Build& after,
               bool is_dropped, gh_verdict verdict) {
  const Bytes input = tunnel.packet(inner.build()).build();
  if (is_dropped) return dropped("marks " + where, input, GH_NODE_CONGESTED);
  return {"marks " + where, input, verdict, XDP_PASS, Build().ethernet().packet(after.build()).build()};
}

void add_congestion(Rows& rows) {
  for (int i = 0; i < 64; ++i) {
    const int inner = i & 3, outer = i >> 2 & 3, after = kMarkAfter[inner][outer];
    const bool is_v4 = i >> 4 & 1, is_over_v4 = i >> 5 & 1;
    const auto mark = [](int value) { return static_cast<std::uint8_t>(0xb8 | value); };
    const std::string where = std::to_string(inner) + " in " + std::to_string(outer) +
                              (is_v4 ? ", IPv4" : ", IPv6") + (is_over_v4 ? " over IPv4" : " over IPv6");
    const auto tunnel = [&](const Hops& hops) {
      return is_over_v4 ? tunnel_v4(hops, kFrontDoor, Build().ethernet(), mark(outer))
                        : tunnel_v6(hops, kFrontDoorV6, Build().ethernet(), mark(outer));
    };
    const std::uint16_t hop = is_over_v4 ? 2 : 6;
    const auto row = [&](const Hops& hops, std::uint8_t flags, gh_verdict verdict) {
      rows.push_back(with_marks(where, tunnel(hops), marked(is_v4, mark(inner), flags),
                                marked(is_v4, mark(after), flags), after < 0, verdict));
    };
    row({}, kAck, GH_NODE_DELIVERED);
    row({hop}, kSyn, GH_NODE_OWNED);
    row({9}, kAck, GH_NODE_HOP_UNKNOWN);
  }
  const Build met = tunnel_v4({2}, kFrontDoor, Build().ethernet(), 3);
  Build onward =
      Build().ethernet(kRouterMac, kHostMac).ipv4(kSelf, "10.0.0.2").traffic_class(3).dont_fragment();
  onward.udp(kPort, 6080).without_checksum().gue(kEpoch);
  rows.push_back(sent_on("the mark goes on with the packet", met, tcp_v4(), onward));
  rows.push_back(dropped("marked, and half an IP header inside",
                         tunnel_v4({}, kFrontDoor, Build().ethernet(), 3).next(4).payload(19).build(),
                         GH_NODE_BAD_TUNNEL));
}

Rows all_rows() {
  Rows rows;
  for (const auto add : {add_not_tunnel, add_delivered, add_refused, add_mapped, add_truncated, add_owned,
                         add_sent_on, add_congestion})
    add(rows);
  return rows;
}

TEST(NodePackets, UserSpaceTreatsEachAsTheTableSays) {
  l4::MemoryPlane plane(251, 1);
  l4::Tables tables = plane.tables();
  fill_node(tables);
  for (const Row& row : all_rows()) {
    expect_row(tables, row,
               [&](Bytes& packet) { EXPECT_EQ(run_here(l4::decapsulate, tables, packet, 0), row.verdict); });
  }
}

using NodePacketsInTheKernel = NodeInTheKernel;

TEST_F(NodePacketsInTheKernel, AreTreatedAsTheTableSays) {
  for (const Row& row : all_rows()) {
    if (row.input.size() < kLeastKernelFrame) continue;
    expect_row(counts_, row, [&](Bytes& packet) { EXPECT_EQ(run(packet), row.action); });
  }
}

TEST(NodePackets, AMarkLeavesARightChecksumInEveryHeader) {
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
    Bytes packet = tunnel_v4({}, kFrontDoor, Build().ethernet(), 3).packet(inner(mark)).build();
    ASSERT_EQ(run_here(l4::decapsulate, tables, packet, 0), GH_NODE_DELIVERED);
    ASSERT_EQ(to_hex(packet), to_hex(Build().ethernet().packet(inner(3)).build()));
  }
}

struct Connection {
  Fd listener, client;
  std::uint16_t server_port = 0, client_port = 0;
};

std::uint16_t port_of(const Fd& socket) {
  sockaddr_in name{};
  socklen_t length = sizeof name;
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length);
  return ntohs(name.sin_port);
}

// A connection over loopback; nobody needs to accept it for the kernel to know it.
Connection connect_to_self() {
  Connection connection{Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                        Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* generic = reinterpret_cast<const sockaddr*>(&name);
  EXPECT_EQ(bind(connection.listener.get(), generic, sizeof name), 0);
  EXPECT_EQ(listen(connection.listener.get(), 1), 0);
  connection.server_port = port_of(connection.listener);
  name.sin_port = htons(connection.server_port);
  EXPECT_EQ(connect(connection.client.get(), generic, sizeof name), 0);
  connection.client_port = port_of(connection.client);
  return connection;
}

TEST_F(NodePacketsInTheKernel, AnEstablishedFlowIsDeliveredThoughHopsAreLeft) {
  const Connection connection = connect_to_self();
  const auto from_port = [&](std::uint16_t port) {
    return Build().ipv4("127.0.0.1", "127.0.0.1").tcp(port, connection.server_port, kAck).payload("x");
  };
  const Build known = from_port(connection.client_port);
  expect_row(counts_, stripped("known flow", tunnel_v4({2}), known, GH_NODE_OWNED),
             [&](Bytes& packet) { EXPECT_EQ(run(packet), XDP_PASS); });
  // The listener alone does not own the flow of another client port: it has given out no SYN cookie for it.
  const Build unknown = from_port(static_cast<std::uint16_t>(connection.client_port ^ 1));
  expect_row(counts_,
             sent_on("unknown flow to a listener", tunnel_v4({2}), unknown, sent_on_v4("10.0.0.2", {})),
             [&](Bytes& packet) { EXPECT_EQ(run(packet), XDP_TX); });
}

}  // namespace
}  // namespace gatehouse::test
