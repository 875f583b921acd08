// A director with what it needs, for tests: a site's config, tables in plain memory, a membership file, and
// probes that are answered or not, node by node (tests/support/probe_target.h). That needs root: elsewhere probes
// simply fail.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <ctime>
#include <random>
#include <set>

#include "common/check.h"
#include "l4/counters.h"
#include "l4/director.h"
#include "l4/rosters.h"
#include "l4/user_tables.h"
#include "tests/support/probe_target.h"
#include "tests/support/temporary_folder.h"

namespace gatehouse::l4 {

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

// Turns until `is_done`, at most twenty seconds: a hang becomes a failure.
template <typename Condition>
void turn_until(EventLoop& loop, Condition is_done) {
  const auto end = EventLoop::Clock::now() + std::chrono::seconds(20);
  while (!is_done() && EventLoop::Clock::now() < end) loop.turn(Duration(20));
  EXPECT_TRUE(is_done());
}
// For what must not happen.
inline void turn_for(EventLoop& loop, Duration time) {
  const auto end = EventLoop::Clock::now() + time;
  while (EventLoop::Clock::now() < end) loop.turn(Duration(20));
}

struct DirectorSite {
  static constexpr std::uint32_t kSlots = 1009;

  // Nodes 1 to `nodes` at 192.0.2.21 and on, of weight 100.
  explicit DirectorSite(std::uint16_t nodes = 3) {
    host.name = "l4a";
    host.address = ip("192.0.2.11");
    host.address_v6 = ip("2001:db8::11");
    host.interfaces = {"eth0"};
    config.l4_hosts = {host};
    config.ring.slots = kSlots;
    config.probe = {ip("127.0.0.1"), 1, Duration(60), Duration(50), 2, 3};
    config.vips = {vip("web", "198.51.100.10", 443), vip("web6", "2001:db8:1::10", 443),
                   vip("dns", "198.51.100.10", 53, "udp")};
    for (std::uint16_t id = 1; id <= nodes; ++id)
      config.nodes.push_back(node(id, "192.0.2." + std::to_string(20 + id)));
  }

  static config::Vip vip(const std::string& name, const std::string& address, std::uint16_t port,
                         const std::string& protocol = "tcp") {
    return {name, ip(address), port, protocol};
  }
  static config::Node node(std::uint16_t id, const std::string& address, std::uint32_t weight = 100) {
    return {id, "n" + std::to_string(id), ip(address), "eth0", weight};
  }

  // A probe of loopback comes from loopback.
  void probe(const ProbeTarget& target) {
    config.probe.port = target.port;
    host.address = ip("127.0.0.1");
  }
  Status start() {
    director.reset();
    director = std::make_unique<Director>(loop, plane, Director::Options{host, membership_file(), drain_file()});
    return director->start(config);
  }
  std::string membership_file() const { return folder / "membership.json"; }
  std::string drain_file() const { return folder / "drains.json"; }
  // As an earlier daemon left it: each generation a second after the one before, the newest `age` seconds
  // ago.
  void remember(const std::vector<std::vector<Member>>& generations, std::int64_t age = 0) {
    Membership membership;
    auto time = static_cast<std::int64_t>(std::time(nullptr)) - age -
                static_cast<std::int64_t>(generations.size()) + 1;
    for (std::vector<Member> members : generations) {
      for (Member& member : members) member.address = address_of(member.id);
      EXPECT_TRUE(membership.append(members, time++, rosters_of(config)));
    }
    EXPECT_TRUE(membership.save(membership_file()));
  }
  IpAddress address_of(std::uint16_t id) const {
    for (const config::Node& node : config.nodes) {
      if (node.id == id) return node.address;
    }
    return {};
  }
  static std::vector<Member> all_active(std::uint16_t nodes = 3) {
    std::vector<Member> members;
    for (std::uint16_t id = 1; id <= nodes; ++id) members.push_back({id, 100, MemberState::kActive});
    return members;
  }
  control::NodeReport report(std::uint16_t node, bool is_draining, std::uint64_t connections) const {
    control::NodeReport report;
    report.node = node;
    report.is_draining = is_draining;
    report.connections = connections;
    return report;
  }

  // Of the newest generation; 0: none.
  int epoch() const {
    const auto& generations = director->membership().generations();
    return generations.empty() ? 0 : generations.back().epoch;
  }
  std::size_t generations() const { return director->membership().generations().size(); }
  std::string states() const {
    std::string text;
    for (const auto& [id, node] : director->nodes())
      text += (text.empty() ? "" : " ") + std::string(to_string(director->state_of(node)));
    return text;
  }
  // The ring that forwards now; empty when there is none.
  std::vector<std::uint64_t> ring(std::uint16_t group = 0) {
    const Tables& tables = plane.tables();
    if (!gh_ring_is_set(tables.groups[group].ring)) return {};
    const auto live = tables.slots.subspan(gh_ring_base(tables.groups[group].ring), kSlots);
    return {live.begin(), live.end()};
  }
  // Of the tables, by which packets of the VIP go.
  std::uint16_t group_of(const config::Vip& wanted) {
    Tables tables = plane.tables();
    return explain_packet(tables, {wanted.address, 1}, {wanted.address, wanted.port}, protocol_of(wanted)).value().group;
  }
  std::uint64_t digest() { return director->rings().digest(); }
  // The nodes that own slots.
  std::set<std::uint16_t> owners() {
    std::set<std::uint16_t> ids;
    for (const std::uint64_t slot : ring()) ids.insert(gh_slot_hop(slot, 0));
    return ids;
  }
  // The nodes that are anywhere in a hop list but do not own its slot.
  std::set<std::uint16_t> earlier_owners() {
    std::set<std::uint16_t> ids;
    for (const std::uint64_t slot : ring()) {
      for (int place = 1; place < GH_HOPS; ++place) ids.insert(gh_slot_hop(slot, place));
    }
    ids.erase(0);
    return ids;
  }
  IpAddress destination(std::uint16_t id) {
    const gh_node& node = plane.tables().nodes[id];
    return from_table_address(node.destinations[node.live & 1].address);
  }

  EventLoop loop;
  MemoryPlane plane{kSlots, 8};
  config::L4Host host;
  config::Config config;
  const test::TemporaryFolder temporary;
  const std::filesystem::path folder = temporary.path();
  std::unique_ptr<Director> director;
};

}  // namespace gatehouse::l4
