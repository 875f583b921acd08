// Services by evidence: checks that succeed or fail, drains, reloads. Servers are loopback addresses of this
// process; checks go to them directly.
#include "l4/service_director.h"

#include <netinet/in.h>

#include "bpf/flow_cache.h"
#include "tests/l4/director_site.h"

namespace gatehouse::l4 {
namespace {

using Ids = std::set<std::uint16_t>;

// Servers 11, 12, ... are 127.0.1.11, 127.0.1.12, ...; whoever stands in `listening` accepts connections
// there.
class Servers {
 public:
  void listen_at(std::uint16_t id) {
    Fd& server = listening_[id];
    server = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    setsockopt(server.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_storage storage;
    socklen_t length = to_sockaddr({address(id), port}, storage);
    GH_CHECK(bind(server.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
    GH_CHECK(listen(server.get(), 64) == 0);
    if (port == 0) {
      GH_CHECK(getsockname(server.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0);
      port = Endpoint::from_sockaddr(storage).port;
    }
  }
  void only(const Ids& ids) {
    for (auto at = listening_.begin(); at != listening_.end();)
      at = ids.contains(at->first) ? std::next(at) : listening_.erase(at);
    for (const std::uint16_t id : ids) {
      if (!listening_.contains(id)) listen_at(id);
    }
  }
  static IpAddress address(std::uint16_t id) { return ip("127.0.1." + std::to_string(id)); }
  std::uint16_t port = 0;

 private:
  std::map<std::uint16_t, Fd> listening_;
};

class ServiceDirectors : public testing::Test {
 protected:
  ServiceDirectors() : site_(1) {
    servers_.only({11, 12, 13});
    site_.host.address = ip("127.0.0.1");
    site_.config.nodes.clear();
    site_.config.services = {service("dns", "dns", {11, 12, 13})};
  }
  config::Service service(const std::string& name, const std::string& vip, const Ids& ids) {
    config::Service service;
    service.name = name;
    service.vips = {vip};
    for (const std::uint16_t id : ids) {
      config::Server server;
      server.id = id;
      server.name = "s" + std::to_string(id);
      server.address = Servers::address(id);
      service.servers.push_back(server);
    }
    service.check.way = "direct";
    service.check.port = servers_.port;
    service.check.interval = Duration(30);
    service.check.timeout = Duration(2'000);  // a slow machine is no failure here
    return service;
  }
  config::Service& first() { return site_.config.services.front(); }

  void start() {
    const Status started = site_.start();
    ASSERT_TRUE(started) << started.error().message;
  }
  void start_complete() {
    start();
    turn_until(site_.loop, [&] { return owners() == Ids{11, 12, 13}; });
    prove_the_path();
  }
  // Long enough for the others' evidence to count.
  void prove_the_path() {
    const auto& check = first().check;
    turn_for(site_.loop, check.interval * (check.rise + check.fall + 4));
  }
  Status reload() { return site_.director->set_config(site_.config); }
  ServiceDirector& services() { return site_.director->services(); }
  std::string states(const std::string& name = "dns") {
    std::string text;
    const auto& service = services().services().at(name);
    for (const auto& [id, server] : service.servers)
      text += (text.empty() ? "" : " ") + std::string(to_string(services().state_of(service, server)));
    return text;
  }
  std::uint16_t number(const std::string& name = "dns") { return services().services().at(name).number; }
  Ids owners(const std::string& name = "dns") {
    const Tables& tables = plane().tables();
    const std::uint64_t ring = tables.groups[GH_SERVICE_GROUPS + number(name)].ring;
    Ids ids;
    if (!gh_ring_is_set(ring)) return ids;
    for (const std::uint64_t slot : tables.slots.subspan(gh_ring_base(ring), DirectorSite::kSlots))
      ids.insert(gh_slot_hop(slot, 0));
    return ids;
  }
  Ids usable() {
    Ids ids;
    const auto table = plane().tables().services.servers;
    for (std::uint16_t id = 0; id < table.size(); ++id) {
      if (table[id].flags & GH_SERVER_USABLE) ids.insert(id);
    }
    return ids;
  }
  std::optional<gh_vip> entry(const std::string& address, std::uint16_t port, std::uint8_t protocol) {
    return find_exact_vip(plane().tables(), {ip(address), port}, protocol);
  }
  DataPlane& plane() { return plane_; }

  DirectorSite site_;
  Servers servers_;
  MemoryPlane& plane_ = site_.plane;
};

TEST_F(ServiceDirectors, ServersGetFlowsOnceTheirCheckHasSucceeded) {
  servers_.only({11});
  start();
  EXPECT_EQ(owners(), Ids{});
  turn_until(site_.loop, [&] { return owners() == Ids{11}; });
  servers_.only({11, 12, 13});
  turn_until(site_.loop, [&] { return owners() == Ids{11, 12, 13}; });
  EXPECT_EQ(usable(), (Ids{11, 12, 13}));
  EXPECT_EQ(states(), "active active active");
  const auto vip = entry("198.51.100.10", 53, IPPROTO_UDP);
  ASSERT_TRUE(vip);
  EXPECT_EQ(vip->group, GH_SERVICE_GROUPS + number());
  EXPECT_EQ(vip->service, number());
  EXPECT_EQ(vip->flags, GH_VIP_SERVICE);
  EXPECT_EQ(vip->encapsulation, GH_ENCAPSULATE_IPIP);
  EXPECT_EQ(entry("198.51.100.10", 443, IPPROTO_TCP)->flags, 0) << "the nodes' VIPs are as before";
}

TEST_F(ServiceDirectors, AServerThatFailsLeavesAndComesBack) {
  start_complete();
  servers_.only({11, 13});
  turn_until(site_.loop, [&] { return owners() == Ids{11, 13}; });
  EXPECT_EQ(states(), "active down active");
  EXPECT_EQ(usable(), (Ids{11, 13})) << "nobody is there who could go on with a flow";
  servers_.only({11, 12, 13});
  turn_until(site_.loop, [&] { return owners() == Ids{11, 12, 13}; });
  EXPECT_EQ(usable(), (Ids{11, 12, 13}));
}

TEST_F(ServiceDirectors, AllFailingAtOnceChangeNothing) {
  start_complete();
  servers_.only({});
  turn_until(site_.loop, [&] {
    for (const auto& [id, server] : services().services().at("dns").servers) {
      if (server.check->is_up()) return false;
    }
    return true;
  });
  prove_the_path();
  EXPECT_EQ(owners(), (Ids{11, 12, 13}));
  EXPECT_EQ(usable(), (Ids{11, 12, 13}));
}

TEST_F(ServiceDirectors, ADrainingServerKeepsItsFlowsAndGetsNoNewOnes) {
  start_complete();
  EXPECT_TRUE(services().has_server("s12"));
  EXPECT_FALSE(services().has_server("n1"));
  ASSERT_TRUE(services().drain("s12", true));
  EXPECT_EQ(owners(), (Ids{11, 13}));
  EXPECT_EQ(usable(), (Ids{11, 12, 13}));
  EXPECT_EQ(states(), "active draining active");
  start();
  EXPECT_EQ(states(), "active draining active")
      << "a restarted daemon remembers, and goes on before any check";
  EXPECT_EQ(owners(), (Ids{11, 13}));
  ASSERT_TRUE(services().drain("s12", false));
  EXPECT_EQ(owners(), (Ids{11, 12, 13}));
}

TEST_F(ServiceDirectors, ADrainEndsAtItsDeadline) {
  first().drain_timeout = Duration(0);
  start_complete();
  ASSERT_TRUE(services().drain("s12", true));
  EXPECT_EQ(states(), "active drained active");
  EXPECT_EQ(usable(), (Ids{11, 13}));
  ASSERT_TRUE(services().drain("s12", false));
  EXPECT_EQ(usable(), (Ids{11, 12, 13}));
}

TEST_F(ServiceDirectors, ServersWithoutWeightKeepTheirFlows) {
  start_complete();
  first().servers[0].weight = 0;
  first().servers[1].weight = 300;
  ASSERT_TRUE(reload());
  EXPECT_EQ(owners(), (Ids{12, 13}));
  EXPECT_EQ(usable(), (Ids{11, 12, 13}));
  const auto& servers = services().services().at("dns").servers;
  EXPECT_NEAR(servers.at(12).share, 0.75, 0.01);
}

TEST_F(ServiceDirectors, DrainingServersServeOnWhenTheyAreAllThatIsThere) {
  start_complete();
  for (const char* name : {"s11", "s12", "s13"}) ASSERT_TRUE(services().drain(name, true));
  EXPECT_EQ(owners(), (Ids{11, 12, 13}));
}

TEST_F(ServiceDirectors, ARemovedServerIsGoneAtOnce) {
  start_complete();
  first().servers.pop_back();
  ASSERT_TRUE(reload());
  EXPECT_EQ(owners(), (Ids{11, 12}));
  EXPECT_EQ(usable(), (Ids{11, 12}));
  EXPECT_EQ(site_.destination(13), IpAddress());
  EXPECT_EQ(site_.destination(12), Servers::address(12));
}

TEST_F(ServiceDirectors, AServiceKeepsItsNumberWhateverTheOrder) {
  site_.config.services.push_back(service("web", "web", {21}));
  servers_.only({11, 12, 13, 21});
  start();
  turn_until(site_.loop, [&] { return owners("web") == Ids{21} && owners() == Ids{11, 12, 13}; });
  const std::uint16_t dns = number("dns"), web = number("web");
  std::swap(site_.config.services[0], site_.config.services[1]);
  ASSERT_TRUE(reload());
  EXPECT_EQ(number("dns"), dns);
  EXPECT_EQ(number("web"), web);
  start();
  EXPECT_EQ(number("dns"), dns) << "the tables tell";
  EXPECT_EQ(number("web"), web);
  EXPECT_EQ(owners("web"), Ids{21});
}

TEST_F(ServiceDirectors, AServiceThatGoesLeavesItsVipToTheNodes) {
  start_complete();
  site_.config.services.clear();
  ASSERT_TRUE(reload());
  EXPECT_EQ(entry("198.51.100.10", 53, IPPROTO_UDP)->flags, 0);
  EXPECT_EQ(usable(), Ids{});
}

TEST_F(ServiceDirectors, WhatCannotBeChangesNothing) {
  start_complete();
  const std::uint64_t ring = plane().tables().groups[GH_SERVICE_GROUPS + number()].ring;
  first().servers.pop_back();
  for (auto& server : first().servers) server.quic_id = "c4";
  first().quic = {{0, 8, "/nowhere/key"}};
  const Status refused = reload();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("/nowhere/key"), std::string::npos) << refused.error().message;
  EXPECT_EQ(plane().tables().groups[GH_SERVICE_GROUPS + number()].ring, ring);
  EXPECT_EQ(usable(), (Ids{11, 12, 13}));
  for (int i = 0; i < 40; ++i)
    site_.config.services.push_back(
        service("more" + std::to_string(i), "web6", {static_cast<std::uint16_t>(100 + i)}));
  first().quic.clear();
  EXPECT_NE(reload().error().message.find("no room"), std::string::npos);
}

TEST_F(ServiceDirectors, TranslatedServersStandBehindTheirVip) {
  first().encapsulation = "nat";
  first().check.way.clear();
  first().servers[0].port = 5353;
  start_complete();
  const Tables& tables = plane().tables();
  EXPECT_EQ(tables.state->services & GH_SERVICES_TRANSLATE, static_cast<__u32>(GH_SERVICES_TRANSLATE));
  EXPECT_EQ(tables.services.servers[11].port, htons(5353));
  EXPECT_EQ(tables.services.servers[12].port, 0);
  const std::size_t half = tables.state->services & GH_SERVICES_HALF;
  const auto vip = site_.director->vip_number(site_.config.vips[2]);
  const gh_vip_place& place = tables.services.places[half * GH_MAX_VIPS + vip];
  EXPECT_EQ(from_table_address(place.address), ip("198.51.100.10"));
  EXPECT_EQ(place.port, htons(53));
  first().encapsulation = "ipip";
  first().check.way = "direct";
  first().servers[0].port = 0;
  ASSERT_TRUE(reload());
  EXPECT_EQ(tables.state->services & GH_SERVICES_TRANSLATE, 0u);
}

// ---- Checks ----

// Answers every datagram with `answer`.
class Responder {
 public:
  explicit Responder(EventLoop& loop)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_storage storage;
    socklen_t length = to_sockaddr({ip("127.0.1.11"), 0}, storage);
    GH_CHECK(bind(socket_.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
    GH_CHECK(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0);
    endpoint = Endpoint::from_sockaddr(storage);
    watch_.start<&Responder::on_ready>(loop, socket_.get(), EPOLLIN, this);
  }
  Endpoint endpoint;
  std::string answer = "yes";
  std::string asked;

 private:
  void on_ready(std::uint32_t) {
    char text[256];
    sockaddr_storage from;
    socklen_t length = sizeof from;
    const ssize_t count =
        recvfrom(socket_.get(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (count < 0) return;
    asked.assign(text, static_cast<std::size_t>(count));
    if (!answer.empty())
      sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
  }
  Fd socket_;
  Watch watch_;
};

TEST(ServerChecks, OverUdpGoByTheAnswer) {
  EventLoop loop;
  Responder responder(loop);
  config::ServerCheck check{"udp", "", 0, "ask\\x00\\n", "es", Duration(20), Duration(2'000), 1, 1};
  int changes = 0;
  ServerCheck checked(loop, check, {responder.endpoint, ip("127.0.0.1"), 0}, false, [&] { ++changes; });
  turn_until(loop, [&] { return checked.is_up(); });
  EXPECT_EQ(responder.asked, std::string("ask\0\n", 5));
  responder.answer = "no";
  turn_until(loop, [&] { return !checked.is_up(); });
  EXPECT_EQ(checked.reason(), "the answer is not what was expected");
  EXPECT_EQ(changes, 2);
}

TEST(ServerChecks, OverUdpNoticeAClosedPort) {
  EventLoop loop;
  auto responder = std::make_unique<Responder>(loop);
  const Endpoint endpoint = responder->endpoint;
  ServerCheck checked(loop, {"udp", "", 0, "?", "", Duration(20), Duration(2'000), 1, 1},
                      {endpoint, ip("127.0.0.1"), 0}, false, [] {});
  turn_until(loop, [&] { return checked.is_up(); });
  responder.reset();
  turn_until(loop, [&] { return !checked.is_up(); });
  EXPECT_EQ(checked.reason(), "Connection refused");
}

TEST(ServerChecks, WithoutAnAnswerFailInTime) {
  EventLoop loop;
  Responder responder(loop);
  responder.answer.clear();
  ServerCheck checked(loop, {"udp", "", 0, "?", "", Duration(200), Duration(50), 1, 1},
                      {responder.endpoint, ip("127.0.0.1"), 0}, true, [] {});
  turn_until(loop, [&] { return !checked.is_up(); });
  EXPECT_EQ(checked.reason(), "no answer within 50ms");
}

TEST(ServerChecks, OfKindNoneAlwaysSucceed) {
  EventLoop loop;
  config::ServerCheck check;
  check.kind = "none";
  ServerCheck checked(loop, check, {{ip("192.0.2.1"), 1}, IpAddress(), 0}, false, [] {});
  EXPECT_TRUE(checked.is_up());
  EXPECT_EQ(checked.reason(), "");
}

// ---- The walk through the flow cache ----

TEST(FlowSweeps, TakeAwayWhatRestedTooLongAndCountTheRest) {
  EventLoop loop;
  MemoryPlane plane(251, 2, 64);
  plane.set_seconds(100'000);  // beyond sixteen bits
  ServiceWriter writer(plane);
  ASSERT_TRUE(writer.set({{{1, true, 900, 60, {}}}, {}, {}, {}}));
  for (const std::uint16_t id : {11, 12}) writer.set_server(id, 1, 0, 0, id == 11);
  const auto age = [](int rest) { return static_cast<std::uint16_t>(100'000 - rest); };
  auto& ways = plane.tables().services.flow_lines[63].way;
  ways[0] = gh_flow_word(1, 11, age(0));
  ways[1] = gh_flow_word(2, 11 | GH_FLOW_YOUNG, age(899));
  ways[2] = gh_flow_word(3, 11, age(902));
  ways[3] = gh_flow_word(4, 12, age(10));                                 // down: it may come back
  ways[4] = gh_flow_word(5, 99, age(10));                                 // nobody's
  ways[5] = gh_flow_word(6, 11, static_cast<std::uint16_t>(age(0) + 1));  // another CPU is a tick ahead
  FlowSweep sweep(loop, plane);
  sweep.step();
  EXPECT_EQ(sweep.flows_of(11), 3u);
  EXPECT_EQ(sweep.flows_of(12), 1u);
  EXPECT_EQ(sweep.flows(), 4u);
  EXPECT_EQ(ways[2], 0u);
  EXPECT_EQ(ways[4], 0u);
}

}  // namespace
}  // namespace gatehouse::l4
