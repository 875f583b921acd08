// What an L4 host says of itself: explain is what balance() does, status is what the director knows.
#include "l4/site_status.h"

#include <gtest/gtest.h>

#include "tests/l4/director_site.h"
#include "tests/support/packet_builder.h"

namespace gatehouse::l4 {
namespace {

using Json = nlohmann::json;

// Where balance() sends a packet, read from the bytes that it wrote.
struct Sent {
  gh_verdict verdict;
  IpAddress destination;
  std::uint16_t epoch = 0;
  std::vector<std::uint16_t> hops;  // the earlier owners
};

Sent send_packet(MemoryPlane& plane, const test::Bytes& packet) {
  constexpr std::size_t kHeadroom = 256, kEthernet = 14, kUdp = 8;
  test::Bytes memory(kHeadroom);
  memory.insert(memory.end(), packet.begin(), packet.end());
  PacketBuffer buffer{memory, kHeadroom, packet.size()};
  Tables tables = plane.tables();
  Sent sent{balance(tables, buffer), {}, 0, {}};
  const std::uint8_t* start = memory.data() + buffer.start;
  const auto number_at = [start](std::size_t offset) {
    return static_cast<std::uint16_t>(start[offset] << 8 | start[offset + 1]);
  };
  const bool is_v4 = number_at(12) == 0x0800;
  if (is_v4) {
    const std::uint8_t* address = start + kEthernet + 16;
    sent.destination = IpAddress::from_v4({address[0], address[1], address[2], address[3]});
  } else {
    std::copy_n(start + kEthernet + 24, 16, sent.destination.bytes.begin());
  }
  const std::size_t gue = kEthernet + (is_v4 ? 20 : 40) + kUdp;
  const auto* header = reinterpret_cast<const gh_gue*>(start + gue);
  sent.epoch = number_at(gue + offsetof(gh_gue, epoch));
  for (std::size_t place = 0; place < std::size(header->hops); ++place) {
    if (const auto hop = number_at(gue + offsetof(gh_gue, hops) + 2 * place)) sent.hops.push_back(hop);
  }
  return sent;
}

// Three nodes, one of them reached over IPv6; node 2 was drained, so that slots have earlier owners.
class StatusTest : public testing::Test {
 protected:
  StatusTest() {
    site_.config.nodes[2].address = ip("2001:db8::23");
    config::Pool& shop = site_.config.pools.emplace_back();
    shop.name = "shop";
    shop.backends = {{Endpoint::parse("192.0.2.40:80").value(), 1}};
    site_.remember(
        {DirectorSite::all_active(),
         {{1, 100, MemberState::kActive}, {2, 100, MemberState::kDraining}, {3, 100, MemberState::kActive}}});
    const Status started = site_.start();
    EXPECT_TRUE(started);
  }
  Json explain(const std::string& source, const std::string& vip, const std::string& protocol = "tcp") {
    const auto answer =
        explain_flow(*site_.director, {{"source", source}, {"vip", vip}, {"protocol", protocol}});
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? *answer : Json();
  }
  Json status(const std::vector<std::uint16_t>& connected = {}) {
    return site_status(*site_.director, "l4a", connected);
  }
  DirectorSite site_;
};
using SiteStatus = StatusTest;
using ExplainFlow = StatusTest;

void expect_agreement(const Json& explained, const Sent& sent, const std::string& what) {
  ASSERT_FALSE(explained["hops"].empty()) << what;
  EXPECT_EQ(explained["hops"][0]["address"], to_string(sent.destination)) << what;
  EXPECT_EQ(explained["node"], explained["hops"][0]["name"]) << what;
  EXPECT_EQ(explained["epoch"], sent.epoch) << what;
  std::vector<std::uint16_t> earlier;
  for (std::size_t i = 1; i < explained["hops"].size(); ++i) earlier.push_back(explained["hops"][i]["id"]);
  EXPECT_EQ(earlier, sent.hops) << what;
}

TEST_F(ExplainFlow, AgreesWithWhatBalanceDoes) {
  std::set<std::string> nodes;
  std::size_t with_earlier_owner = 0;
  for (std::uint16_t port = 1024; port < 1024 + 400; ++port) {
    const std::string number = std::to_string(port), v4 = "203.0.113." + std::to_string(port % 250),
                      v6 = "2001:db8:7::" + number;
    const struct {
      Json explained;
      test::Bytes packet;
    } rows[] = {
        {explain(v4 + ":" + number, "198.51.100.10:443"),
         test::PacketBuilder().ethernet().ipv4(v4, "198.51.100.10").tcp(port, 443, test::kSyn).build()},
        {explain("[" + v6 + "]:" + number, "[2001:db8:1::10]:443"),
         test::PacketBuilder().ethernet().ipv6(v6, "2001:db8:1::10").tcp(port, 443).payload("x").build()},
        {explain(v4 + ":" + number, "198.51.100.10:53", "udp"),
         test::PacketBuilder().ethernet().ipv4(v4, "198.51.100.10").udp(port, 53).payload("x").build()},
    };
    for (const auto& row : rows) {
      expect_agreement(row.explained, send_packet(site_.plane, row.packet),
                       number + " " + row.explained.dump());
      nodes.insert(row.explained["node"].get<std::string>());
      with_earlier_owner += row.explained["hops"].size() > 1 ? 1 : 0;
    }
  }
  EXPECT_EQ(nodes, (std::set<std::string>{"n1", "n3"}));
  EXPECT_GT(with_earlier_owner, 100u);
}

TEST_F(ExplainFlow, SaysWhy) {
  bool has_seen_one = false, has_seen_two = false;
  for (int port = 1024; port < 1100; ++port) {
    const Json answer = explain("203.0.113.7:" + std::to_string(port), "198.51.100.10:443");
    const std::string start = "slot " + std::to_string(answer["slot"].get<int>()) + " belongs to " +
                              answer["node"].get<std::string>();
    const bool is_alone = answer["hops"].size() == 1;
    (is_alone ? has_seen_one : has_seen_two) = true;
    EXPECT_EQ(answer["vip"], "web");
    EXPECT_EQ(answer["group"], 0);
    EXPECT_EQ(
        answer["why"],
        start +
            (is_alone ? "" : "; packets of connections that it does not know go on to the owners before it"));
  }
  EXPECT_TRUE(has_seen_one && has_seen_two);
}

TEST_F(ExplainFlow, CountsNothing) {
  const auto before = vip_traffic(site_.plane.tables(), 0).packets;
  explain("203.0.113.7:4000", "198.51.100.10:443");
  EXPECT_EQ(vip_traffic(site_.plane.tables(), 0).packets, before);
  EXPECT_EQ(status()["verdicts"], Json::object());
}

TEST_F(ExplainFlow, ErrorsSayWhatIsExpected) {
  const std::string source = ": expected address:port such as 203.0.113.7:40000 or [2001:db8::7]:40000";
  const struct {
    Json params;
    std::string error;
  } rows[] = {
      {Json::object(), "source" + source},
      {{{"source", 7}, {"vip", "198.51.100.10:443"}}, "source" + source},
      {{{"source", "203.0.113.7"}, {"vip", "198.51.100.10:443"}}, "source" + source},
      {{{"source", "203.0.113.7:1"}}, "vip" + source},
      {{{"source", "203.0.113.7:1"}, {"vip", "web"}}, "vip" + source},
      {{{"source", "203.0.113.7:1"}, {"vip", "198.51.100.10:443"}, {"protocol", 17}},
       "protocol: expected tcp or udp"},
      {{{"source", "203.0.113.7:1"}, {"vip", "198.51.100.10:443"}, {"protocol", "sctp"}},
       "protocol: expected tcp or udp"},
      {{{"source", "203.0.113.7:1"}, {"vip", "198.51.100.10:80"}},
       "198.51.100.10:80/tcp is not a VIP: such packets are left to this host untouched"},
      {{{"source", "203.0.113.7:1"}, {"vip", "198.51.100.10:443"}, {"protocol", "udp"}},
       "198.51.100.10:443/udp is not a VIP: such packets are left to this host untouched"},
  };
  for (const auto& row : rows) {
    const auto answer = explain_flow(*site_.director, row.params);
    ASSERT_FALSE(answer) << row.params;
    EXPECT_EQ(answer.error().message, row.error) << row.params;
  }
}

TEST(ExplainFlowWithoutARing, SaysSo) {
  DirectorSite site;
  ASSERT_TRUE(site.start());
  const auto answer =
      explain_flow(*site.director, {{"source", "203.0.113.7:1"}, {"vip", "198.51.100.10:443"}});
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["vip"], "web");
  EXPECT_TRUE((*answer)["node"].is_null());
  EXPECT_EQ((*answer)["hops"], Json::array());
  EXPECT_EQ((*answer)["why"], "the VIP has no ring: no node has been up yet");
}

TEST_F(SiteStatus, ShowsTheRingAndTheHost) {
  const Json answer = status();
  EXPECT_EQ(answer["host"], "l4a");
  EXPECT_EQ(answer["tier"], "l4");
  EXPECT_EQ(answer["l4_hosts"], (Json{{{"name", "l4a"}, {"address", "192.0.2.11"}, {"is_self", true}}}));
  EXPECT_EQ(answer["ring"]["epoch"], 2);
  EXPECT_EQ(answer["ring"]["generations"], 2);
  EXPECT_EQ(answer["ring"]["slots"], DirectorSite::kSlots);
  EXPECT_EQ(answer["ring"]["digest"], site_.digest());
  EXPECT_EQ(answer["ring"]["rings"], 1);
}

TEST_F(SiteStatus, CountsPacketsByVipNodeAndVerdict) {
  std::map<std::string, int> by_node;
  for (std::uint16_t port = 2000; port < 2060; ++port) {
    const auto packet =
        test::PacketBuilder().ethernet().ipv4("203.0.113.7", "198.51.100.10").tcp(port, 443).build();
    ++by_node[to_string(send_packet(site_.plane, packet).destination)];
  }
  const Json answer = status();
  EXPECT_EQ(answer["vips"][0]["name"], "web");
  EXPECT_EQ(answer["vips"][0]["packets"], 60);
  EXPECT_GE(answer["vips"][0]["bytes"], 60 * 40);
  EXPECT_EQ(answer["vips"][1]["packets"], 0);
  for (const Json& node : answer["nodes"])
    EXPECT_EQ(node["packets"], by_node[node["address"].get<std::string>()]) << node;
  ASSERT_EQ(answer["verdicts"].size(), 1u) << "those that were met";
  EXPECT_EQ(answer["verdicts"].begin().value(), 60);
}

TEST_F(SiteStatus, ShowsNodesWithStateShareAndReason) {
  control::NodeReport report = site_.report(1, false, 12);
  report.workers = {{0, 4711, 1, 12, 100, 90, 3}};
  report.workers[0].state = "serving";
  report.workers[0].version = "0.1.0";
  report.config_digest = 77;
  site_.director->on_report(report);
  site_.loop.turn(Duration(0));
  const Json nodes = status({1, 3})["nodes"];
  ASSERT_EQ(nodes.size(), 3u);
  EXPECT_EQ(nodes[0]["name"], "n1");
  EXPECT_EQ(nodes[0]["state"], "active");
  EXPECT_EQ(nodes[0]["is_connected"], true);
  EXPECT_EQ(nodes[0]["connections"], 12);
  EXPECT_EQ(nodes[0]["config_digest"], 77);
  EXPECT_EQ(nodes[0]["workers"], (Json{{{"index", 0},
                                        {"pid", 4711},
                                        {"restarts", 1},
                                        {"connections", 12},
                                        {"accepted", 100},
                                        {"requests", 90},
                                        {"responses_5xx", 3},
                                        {"handshakes", 0},
                                        {"resumed", 0},
                                        {"handshakes_failed", 0},
                                        {"state", "serving"},
                                        {"version", "0.1.0"}}}));
  EXPECT_NEAR(nodes[0]["share"].get<double>(), 0.5, 0.02);
  EXPECT_EQ(nodes[1]["state"], "draining");
  EXPECT_EQ(nodes[1]["is_connected"], false);
  EXPECT_EQ(nodes[1]["share"], 0.0);
  EXPECT_EQ(nodes[1]["connections"], 0) << "it has not reported yet";
  EXPECT_EQ(nodes[2]["address"], "2001:db8::23");
  for (const Json& node : nodes)
    EXPECT_TRUE(node["reason"].get<std::string>().starts_with("probe: ")) << node;
}

TEST_F(SiteStatus, ShowsWhatEachNodeSaysOfTheBackends) {
  control::BackendReport backend{
      "shop", Endpoint::parse("192.0.2.40:80").value(), false, "answered 500", 9, 2, 1},
      other = backend;
  other.pool = "no pool of ours";
  control::NodeReport report = site_.report(3, false, 0);
  report.backends = {backend, other};
  site_.director->on_report(report);
  EXPECT_EQ(status()["pools"], (Json{{{"name", "shop"},
                                      {"backends",
                                       {{{"address", "192.0.2.40:80"},
                                         {"is_healthy", false},
                                         {"reason", "answered 500"},
                                         {"requests", 9},
                                         {"failures", 2},
                                         {"in_flight", 1},
                                         {"weight", 1},
                                         {"state", "enabled"},
                                         {"node", "n3"}}}}}}));
}

TEST(SiteStatusOfANewSite, SaysWhatIsMissing) {
  DirectorSite site;
  ASSERT_TRUE(site.start());
  const Json answer = site_status(*site.director, "l4a", {});
  EXPECT_EQ(answer["ring"]["epoch"], 0);
  EXPECT_EQ(answer["ring"]["generations"], 0);
  for (const Json& node : answer["nodes"]) {
    EXPECT_EQ(node["state"], "down");
    EXPECT_EQ(node["reason"], "has not said hello");
  }
}

}  // namespace
}  // namespace gatehouse::l4
