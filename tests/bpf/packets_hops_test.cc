// The node's rows of packets with hops left: what is delivered here, what goes on to an earlier owner; and
// what only the kernel can answer: whether a flow is here.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "tests/bpf/node_rows.h"

namespace gatehouse::test {
namespace {

Build client_v4() { return Build().ipv4("203.0.113.7", "198.51.100.10"); }
Build client_v6() { return Build().ipv6("2001:db8:c::7", "2001:db8:5::10"); }

Outer over_v4(const Hops& hops) { return {.hops = hops}; }
Outer over_v6(const Hops& hops) { return {.is_v4 = false, .hops = hops}; }

// Nothing that an earlier owner could be asked about.
Rows owned() {
  Rows rows;
  const auto here = [&rows](std::string description, const Outer& outer, const Build& inner,
                            const Build& link = Build().ethernet()) {
    rows.push_back(stripped(std::move(description), outer, inner, GH_NODE_OWNED, link));
  };
  here("opens a connection", over_v4({2, 3}), inner_v4(kSyn));
  here("IPv6: opens a connection", over_v6({6}), inner_v6(kSyn));
  here("VLAN: opens a connection", over_v4({2}), inner_v4(kSyn), Build().ethernet().vlan(5));
  here("QinQ: opens a connection", over_v6({6}), inner_v4(kSyn), Build().ethernet().vlan(5, 0x88a8).vlan(6));
  here("UDP", over_v4({2}), client_v4().udp(40000, 53).payload(4));
  here("IPv6 UDP", over_v4({2}), client_v6().udp(40000, 53).payload(4));
  here("echo", over_v4({2}), client_v4().icmp(8, 0).payload(4));
  here("fragment", over_v4({2}), client_v4().fragment(8, true).next(6).payload(40));
  here("first fragment", over_v4({2}), client_v4().fragment(0, true).tcp(40000, 443));
  here("IPv6 fragment", over_v4({2}), client_v6().extension(44, {0, 0, 1, 0, 0, 0, 0}).tcp(40000, 443));
  here("half a TCP header", over_v4({2}), client_v4().next(6).payload(12));
  here("half a TCP header, the rest is padding", over_v4({2}), client_v4().length(32).tcp(40000, 443));
  here("IPv6: no TCP header, padding", over_v4({2}), client_v6().length(0).tcp(40000, 443));
  here("IPv6 to a mapped address", over_v6({6}),
       Build().ipv6("2001:db8:c::7", "::ffff:198.51.100.10").tcp(40000, 443));
  here("IPv6 with a header that is not followed", over_v4({2}),
       client_v6().extension(51, Bytes(7)).tcp(40000, 443));
  here("an error about UDP", over_v4({2}),
       Build()
           .ipv4("192.0.2.200", "198.51.100.10")
           .icmp(3, 4)
           .payload(Build().ipv4("198.51.100.10", "203.0.113.7").udp(53, 40000).build()));
  here("an error about nothing of the VIP's", over_v4({2}),
       Build()
           .ipv4("192.0.2.200", "198.51.100.10")
           .icmp(3, 4)
           .payload(Build().ipv4("198.51.100.99", "203.0.113.7").tcp(443, 40000).build()));
  here("an error that quotes no ports", over_v4({2}),
       Build().ipv4("192.0.2.200", "198.51.100.10").icmp(3, 4).payload(20));
  // Unknown, of the other family, outside the table: whoever is asked must be reachable by this tunnel.
  for (const std::uint16_t hop : {9, 6, GH_MAX_NODES - 1, +GH_MAX_NODES, 0xffff}) {
    for (const Hops& hops : {Hops{hop}, Hops{hop, 9}, Hops{9, hop, 9}}) {
      rows.push_back(
          stripped("unknown hop " + std::to_string(hop), over_v4(hops), inner_v4(), GH_NODE_HOP_UNKNOWN));
    }
  }
  for (const std::uint16_t hop : {9, 2}) {
    rows.push_back(stripped("IPv6: unknown hop " + std::to_string(hop), over_v6({hop}), inner_v6(),
                            GH_NODE_HOP_UNKNOWN));
  }
  return rows;
}
GATEHOUSE_NODE_ROWS(TunnelPacketsOwnedHere, owned);

void add_errors(Rows& rows) {
  const auto about = [](const Build& quoted, std::size_t length) {
    Bytes quote = quoted.build();
    quote.resize(length);
    return Build().ipv4("192.0.2.200", "198.51.100.10").icmp(3, 4).rest(1400).payload(quote);
  };
  const auto about_v6 = [](std::size_t length) {
    Bytes quote = Build().ipv6("2001:db8:5::10", "2001:db8:c::7").tcp(443, 40000).build();
    quote.resize(length);
    return Build().ipv6("2001:db8:2::200", "2001:db8:5::10").icmp(2, 0).rest(1400).payload(quote);
  };
  const Build segment = Build().ipv4("198.51.100.10", "203.0.113.7").tcp(443, 40000);
  for (const std::size_t length : {24, 28, 40}) {
    rows.push_back(sent_on("an error that quotes " + std::to_string(length) + " bytes", over_v4({2}),
                           about(segment, length), onward("10.0.0.2", {})));
    rows.push_back(sent_on("an IPv6 error that quotes " + std::to_string(length + 20) + " bytes",
                           over_v6({6, 7}), about_v6(length + 20), onward("fd00::6", {7})));
  }
}

Rows sent_on_rows() {
  Rows rows;
  rows.push_back(sent_on("unknown flow, one hop", over_v4({2}), inner_v4(), onward("10.0.0.2", {})));
  rows.push_back(sent_on("unknown flow, two hops", over_v4({3, 2}), inner_v4(), onward("10.0.0.3", {2})));
  rows.push_back(
      sent_on("unknown flow, three hops", over_v4({2, 3, 9}), inner_v4(), onward("10.0.0.2", {3, 9})));
  rows.push_back(
      sent_on("a hop that nobody knows is passed over", over_v4({9, 2}), inner_v4(), onward("10.0.0.2", {})));
  rows.push_back(
      sent_on("so is one of the other family", over_v4({6, 2, 3}), inner_v4(), onward("10.0.0.2", {3})));
  rows.push_back(sent_on("and two", over_v4({9, 5000, 3}), inner_v4(), onward("10.0.0.3", {})));
  rows.push_back(
      sent_on("over IPv6: one of the other family", over_v6({2, 6}), inner_v6(), onward("fd00::6", {})));
  rows.push_back(sent_on("IPv6 inside", over_v4({2}), inner_v6(), onward("10.0.0.2", {})));
  rows.push_back(sent_on("over IPv6", over_v6({6, 2}), inner_v6(), onward("fd00::6", {2})));
  rows.push_back(sent_on("IPv4 over IPv6", over_v6({6}), inner_v4(), onward("fd00::6", {})));
  for (const bool has_two : {false, true}) {
    const auto tagged = [has_two](Build link) {
      return has_two ? link.vlan(0x2005, 0x88a8).vlan(7) : link.vlan(0x2005);
    };
    const std::string name = has_two ? "QinQ" : "VLAN";
    rows.push_back(sent_on(name, over_v4({2}), inner_v4(),
                           onward("10.0.0.2", {}, tagged(Build().ethernet(kRouterMac, kHostMac))),
                           tagged(Build().ethernet())));
    rows.push_back(sent_on(name + " over IPv6", over_v6({6}), inner_v4(),
                           onward("fd00::6", {}, tagged(Build().ethernet(kRouterMac, kHostMac))),
                           tagged(Build().ethernet())));
  }
  for (const std::uint8_t flags : {kAck | kSyn, kAck | kFin, +kReset, +kFin, 0}) {
    rows.push_back(
        sent_on("flags " + std::to_string(flags), over_v4({2}), inner_v4(flags), onward("10.0.0.2", {})));
  }
  rows.push_back(sent_on("TCP options", over_v4({2}), client_v4().tcp(40000, 443).options({1, 1, 1, 0}),
                         onward("10.0.0.2", {})));
  rows.push_back(sent_on("inner IPv4 options", over_v4({2}),
                         client_v4().options({1, 1, 1, 0}).tcp(40000, 443), onward("10.0.0.2", {})));
  rows.push_back(sent_on("40 bytes of them", over_v6({6}), client_v4().options(Bytes(40, 1)).tcp(40000, 443),
                         onward("fd00::6", {})));
  rows.push_back(sent_on("an inner extension header", over_v4({2}),
                         client_v6().extension(60, Bytes(7)).tcp(40000, 443), onward("10.0.0.2", {})));
  rows.push_back(sent_on("an inner packet that is an atomic fragment", over_v4({2}),
                         client_v6().extension(44, Bytes(7)).tcp(40000, 443), onward("10.0.0.2", {})));
  add_errors(rows);
  return rows;
}
GATEHOUSE_NODE_ROWS(TunnelPacketsSentOn, sent_on_rows);

// ---- The kernel's answer ----

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

class FlowsOfTheNode : public NodeInTheKernel {
 protected:
  void expect(const Row& row) {
    expect_row(counts_, row, [&](Bytes& packet) { EXPECT_EQ(run(packet), row.action); });
  }
};

TEST_F(FlowsOfTheNode, AreDeliveredThoughHopsAreLeft) {
  const Connection connection = connect_to_self();
  const auto from_port = [&](std::uint16_t port) {
    return Build().ipv4("127.0.0.1", "127.0.0.1").tcp(port, connection.server_port, kAck).payload("x");
  };
  expect(stripped("known flow", over_v4({2}), from_port(connection.client_port), GH_NODE_OWNED));
  // The listener alone does not own the flow of another client port: it has given out no SYN cookie for it.
  const auto unknown = from_port(static_cast<std::uint16_t>(connection.client_port ^ 1));
  expect(sent_on("unknown flow to a listener", over_v4({2}), unknown, onward("10.0.0.2", {})));
}

TEST_F(FlowsOfTheNode, KeepTheErrorsAboutThem) {
  const Connection connection = connect_to_self();
  const auto about = [&](std::uint16_t client_port) {
    Bytes quote = Build().ipv4("127.0.0.1", "127.0.0.1").tcp(connection.server_port, client_port).build();
    quote.resize(28);
    return Build().ipv4("192.0.2.200", "127.0.0.1").icmp(3, 4).rest(1400).payload(quote);
  };
  expect(stripped("about a known flow", over_v4({2}), about(connection.client_port), GH_NODE_OWNED));
  const auto unknown = about(static_cast<std::uint16_t>(connection.client_port ^ 1));
  expect(sent_on("about an unknown flow", over_v4({2}), unknown, onward("10.0.0.2", {})));
}

}  // namespace
}  // namespace gatehouse::test
