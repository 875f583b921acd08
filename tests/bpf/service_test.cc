// Services: who gets a flow, who keeps it, and when it is forgotten. Every test runs over both builds of the
// packet core.
#include <set>

#include "tests/bpf/service_site.h"

namespace gatehouse::test {
namespace {

PacketBuilder tcp(int port, std::uint8_t flags = kAck) {
  return PacketBuilder()
      .ipv4("203.0.113.7", "198.51.100.20")
      .tcp(static_cast<std::uint16_t>(port), 5432, flags);
}
PacketBuilder tcp_v6(int port, std::uint8_t flags = kAck) {
  return PacketBuilder()
      .ipv6("2001:db8:c::7", "2001:db8:5::20")
      .tcp(static_cast<std::uint16_t>(port), 5432, flags);
}
PacketBuilder udp(int port) {
  return PacketBuilder()
      .ipv4("203.0.113.7", "198.51.100.20")
      .udp(static_cast<std::uint16_t>(port), 53)
      .payload("?");
}

class ServiceFlows : public Services {
 protected:
  // One that server 1, 2, 3 and 4 got, in this order.
  std::vector<int> a_port_of_each(PacketBuilder (*packet)(int)) {
    std::vector<int> ports(5);
    for (int port = 40000; port < 40200; ++port) {
      if (int& found = ports[server_of(packet(port))]; !found) found = port;
    }
    return {ports.begin() + 1, ports.end()};
  }
  void only(const std::vector<std::uint16_t>& servers) { set_servers(*plane_, kDatabases, servers); }
  void set_usable(std::uint16_t server, bool is_usable) {
    l4::ServiceWriter(*plane_).set_server(server, kDatabases, 0, 0, is_usable);
  }
};
GATEHOUSE_BOTH_ADAPTERS(ServiceFlows);

TEST_P(ServiceFlows, StayWhereTheyAreWhenTheRingChanges) {
  const std::vector<PacketBuilder (*)(int)> kinds = {[](int port) { return tcp(port); },
                                                     [](int port) { return tcp_v6(port); }, udp};
  for (const auto packet : kinds) {
    only({1, 2, 3, 4});
    const auto ports = a_port_of_each(packet);
    only({4});
    for (std::uint16_t server = 1; server <= 4; ++server)
      EXPECT_EQ(server_of(packet(ports[server - 1])), server) << ports[server - 1];
    EXPECT_EQ(server_of(packet(50000)), 4);
  }
}

TEST_P(ServiceFlows, ASynBeginsAnew) {
  const int port = a_port_of_each([](int p) { return tcp(p); })[0];
  only({4});
  EXPECT_EQ(server_of(tcp(port)), 1);
  EXPECT_EQ(server_of(tcp(port, kSyn)), 4);
  EXPECT_EQ(server_of(tcp(port)), 4);
  only({2});
  EXPECT_EQ(server_of(tcp(port)), 4);
}

TEST_P(ServiceFlows, WithoutACacheTheRingDecidesEachTime) {
  open(GH_HASH_FLOW, false);
  const int port = a_port_of_each(udp)[0];
  only({4});
  EXPECT_EQ(server_of(udp(port)), 4);
  EXPECT_EQ(flows(), 0u);
}

TEST_P(ServiceFlows, AreForgottenWhenTheyRestForTheirIdleTime) {
  const int quiet = a_port_of_each(udp)[0], connection = a_port_of_each([](int p) { return tcp(p); })[1];
  only({4});
  let_pass(kUdpIdle - 1);
  EXPECT_EQ(server_of(udp(quiet)), 1) << "and that made it young again";
  let_pass(kUdpIdle - 1);
  EXPECT_EQ(server_of(udp(quiet)), 1);
  let_pass(kUdpIdle + 2);
  EXPECT_EQ(server_of(udp(quiet)), 4);
  EXPECT_EQ(server_of(tcp(connection)), 2) << "TCP has a time of its own";
  let_pass(kTcpIdle + 2);
  EXPECT_EQ(server_of(tcp(connection)), 4);
}

TEST_P(ServiceFlows, AClosedConnectionIsForgottenEarlier) {
  for (const std::uint8_t flags : {kFin | kAck, +kReset}) {
    only({1, 2, 3, 4});
    const int port = a_port_of_each([](int p) { return tcp(p); })[0];
    only({4});
    EXPECT_EQ(server_of(tcp(port, flags)), 1);
    EXPECT_EQ(server_of(tcp(port)), 1) << "the last acknowledgment goes there too";
    let_pass(GH_FLOW_LINGER - 1);
    EXPECT_EQ(server_of(tcp(port)), 1) << "a half-closed connection goes on as long as it has packets";
    let_pass(GH_FLOW_LINGER + 2);
    EXPECT_EQ(server_of(tcp(port)), 4);
    let_pass(2 * kTcpIdle);
  }
}

TEST_P(ServiceFlows, ADrainingServerKeepsItsOwnAndADeadOneLosesThem) {
  const auto ports = a_port_of_each([](int p) { return tcp(p); });
  only({1, 2});  // 3 drains: it is out of the ring and usable
  set_usable(4, false);
  EXPECT_EQ(server_of(tcp(ports[2])), 3);
  const std::uint16_t other = server_of(tcp(ports[3]));
  EXPECT_TRUE(other == 1 || other == 2);
  EXPECT_EQ(count(kDatabases, GH_COUNT_MOVED), 1u);
  set_usable(4, true);
  only({4});
  EXPECT_EQ(server_of(tcp(ports[3])), other)
      << "its return takes nothing away from the one that has taken over";
}

TEST_P(ServiceFlows, AServerThatIsNowAnotherServicesGetsNoFlowOfThisOne) {
  const auto ports = a_port_of_each([](int p) { return tcp(p); });
  only({1, 2, 3});
  l4::ServiceWriter(*plane_).set_server(4, kWeb, 0, 0, true);
  EXPECT_NE(server_of(tcp(ports[3])), 4);
}

TEST_P(ServiceFlows, AreFoundAcrossTheEndOfTheClock) {
  const int port = a_port_of_each(udp)[0];
  only({4});
  // Whatever the clock says now, these rests cross the end of its sixteen bits several times.
  for (int turn = 0; turn < 1500; ++turn) {
    let_pass(kUdpIdle - 2);
    ASSERT_EQ(server_of(udp(port)), 1) << turn;
  }
}

TEST_P(ServiceFlows, AWayThatIsATickAheadIsNoOldOne) {
  const int port = a_port_of_each(udp)[0];
  only({4});
  let_pass(static_cast<std::uint16_t>(-1));  // another CPU has seen the clock advance already
  EXPECT_EQ(server_of(udp(port)), 1);
}

// One line has room for eight: whatever the flood, it replaces itself.
TEST_P(ServiceFlows, AFloodOfNewFlowsForgetsNoFlowThatGoesOn) {
  open(GH_HASH_FLOW, true, 1);
  std::vector<std::uint16_t> servers;
  for (int port = 40000; port < 40007; ++port) {
    server_of(tcp(port, kSyn));
    servers.push_back(server_of(tcp(port)));
  }
  only({4});
  for (int port = 1; port < 3000; ++port) server_of(tcp(port, port % 3 ? kSyn : kAck));
  for (int port = 40000; port < 40007; ++port)
    EXPECT_EQ(server_of(tcp(port)), servers[static_cast<std::size_t>(port - 40000)]);
  EXPECT_GT(count(kDatabases, GH_COUNT_REPLACED), 2900u);
}

TEST_P(ServiceFlows, WantOfRoomForgetsTheOneThatRestedLongest) {
  open(GH_HASH_FLOW, true, 1);
  only({1});
  for (int port = 40000; port < 40008; ++port) {
    server_of(udp(port)), server_of(udp(port));
    let_pass(1);
  }
  only({2});
  server_of(udp(50000));
  for (int port = 40007; port > 40000; --port) EXPECT_EQ(server_of(udp(port)), 1) << port;
  EXPECT_EQ(server_of(udp(40000)), 2);
}

TEST_P(ServiceFlows, AStrayResetIsNotRemembered) {
  server_of(tcp(40000, kReset));
  EXPECT_EQ(flows(), 0u);
}

TEST_P(ServiceFlows, AreCountedByWhatBecameOfThem) {
  server_of(tcp(40000, kSyn)), server_of(tcp(40000)), server_of(tcp(40000));
  EXPECT_EQ(count(kDatabases, GH_COUNT_CHOSEN), 1u);
  EXPECT_EQ(count(kDatabases, GH_COUNT_REMEMBERED), 2u);
  EXPECT_EQ(count(kWeb, GH_COUNT_REMEMBERED), 0u);
  EXPECT_EQ(flows(), 1u);
}

// ---- What makes a flow ----

TEST_P(ServiceFlows, OfOneClientAreOneWhereOnlyItsAddressCounts) {
  open(GH_HASH_SOURCE);
  const std::uint16_t server = server_of(tcp(40000, kSyn));
  only({static_cast<std::uint16_t>(server % 4 + 1)});
  EXPECT_EQ(server_of(tcp(40001, kSyn)), server) << "a new connection is no new flow";
  EXPECT_EQ(server_of(udp(40002)), server) << "nor is another VIP of the service";
  EXPECT_EQ(server_of(tcp(40000, kFin)), server);
  let_pass(GH_FLOW_LINGER + 2);
  EXPECT_EQ(server_of(tcp(40003)), server);
  EXPECT_EQ(flows(), 1u);
}

TEST_P(ServiceFlows, OfOnePairOfAddressesAreOneWhereOnlyTheseCount) {
  open(GH_HASH_ADDRESSES);
  const auto from = [](int client, int port) {
    return PacketBuilder()
        .ipv4("203.0.113." + std::to_string(client), "198.51.100.20")
        .udp(static_cast<std::uint16_t>(port), 53);
  };
  std::set<std::uint16_t> servers;
  for (int client = 1; client < 60; ++client) {
    const std::uint16_t server = server_of(from(client, 40000));
    for (int port = 1; port < 5; ++port) EXPECT_EQ(server_of(from(client, port)), server);
    servers.insert(server);
  }
  EXPECT_EQ(servers.size(), 4u);
  EXPECT_EQ(flows(), 59u);
}

TEST_P(ServiceFlows, ARingWithoutServersDropsWhatIsNew) {
  const int port = a_port_of_each(udp)[2];
  const Status set =
      l4::TableWriter(*plane_).set_ring(service_group(kDatabases), std::vector<std::uint64_t>(kServiceSlots), 2);
  ASSERT_TRUE(set);
  EXPECT_EQ(server_of(udp(50000)), 0);
  EXPECT_EQ(server_of(udp(port)), 3);
}

}  // namespace
}  // namespace gatehouse::test
