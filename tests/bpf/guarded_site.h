// The site of the tests of protection: VIPs with and without rules and limits, who is on which list, and what
// clients send there.
#pragma once

#include "l4/guard_prefixes.h"
#include "tests/bpf/builds.h"

namespace gatehouse::test {

using Build = PacketBuilder;

inline constexpr std::uint32_t kSlots = 251;
inline constexpr std::uint8_t kTcp = 6, kUdp = 17;
inline constexpr const char* kClient = "203.0.113.7";
inline constexpr const char* kClientV6 = "2001:db8:c::7";
inline constexpr const char* kVip = "198.51.100.10";
inline constexpr const char* kVipV6 = "2001:db8:5::10";
inline constexpr const char* kVipOfFragments = "198.51.100.11";
inline constexpr const char* kVipOfFragmentsV6 = "2001:db8:5::11";
inline constexpr const char* kVipUnguarded = "198.51.100.12";
inline constexpr std::uint8_t kPush = 0x08, kUrgent = 0x20;

// Bits of lists; which VIP goes by which of them follows below.
inline constexpr std::uint32_t kDeny = 1, kAllow = 2, kExempt = 4, kOther = 8;
// Ports of the VIP: rules and no limits, none, limits of IPv4 /32 and IPv6 /64, a limit of IPv4 /24 and IPv6
// /48, rules of another list.
inline constexpr std::uint16_t kRules = 443, kUnguarded = 80, kLimited = 8443, kWide = 9443,
                               kOtherRules = 444;

inline constexpr std::uint16_t policy(std::uint16_t number) {
  return static_cast<std::uint16_t>(GH_VIP_GUARDED | number << 8);
}

inline Site guarded_site() {
  Site site;
  std::uint16_t number = 0;
  for (const char* vip : {kVip, kVipV6}) {
    const auto add = [&](std::uint16_t port, std::uint8_t protocol, std::uint16_t flags) {
      site.vips.push_back({ip(vip), port, protocol, number++, 0, flags});
    };
    add(kRules, kTcp, policy(1)), add(kUnguarded, kTcp, 0), add(kLimited, kTcp, policy(2)),
        add(kWide, kTcp, policy(3));
    add(kOtherRules, kTcp, policy(4)), add(53, kUdp, policy(1)), add(0, kUdp, policy(4));
  }
  for (const char* vip : {kVipOfFragments, kVipOfFragmentsV6}) {
    const auto flags = static_cast<std::uint16_t>(policy(1) | GH_VIP_FRAGMENTS);
    site.vips.push_back({ip(vip), 53, kUdp, number++, 0, flags, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_ADDRESSES});
  }
  site.vips.push_back({ip(kVipUnguarded), 443, kTcp, number++, 0, 0});
  site.rings.emplace_back(kSlots, gh_slot(1, 0, 0, 0));
  return site;
}

// So slow that no test sees a bucket earn anything.
inline gh_rate slow_rate(std::uint64_t burst) {
  const std::uint64_t cost = static_cast<std::uint64_t>(GH_BUCKET_UNITS) * 100 << 24;
  return {cost, burst * cost};
}

inline void fill_guard(l4::DataPlane& plane) {
  const l4::GuardTables& tables = plane.tables().guard;
  tables.policies[1] = {.deny = kDeny, .allow = kAllow, .exempt = kExempt};
  tables.policies[2] = {
      .deny = kDeny, .exempt = kExempt, .limit = 1, .packets = slow_rate(4), .syns = slow_rate(2)};
  tables.policies[3] = {.limit = 2, .packets = slow_rate(3), .v4_shift = 8, .v6_shift = 16};
  tables.policies[4] = {.deny = kOther};
  l4::PrefixTable table(tables, [&plane] { plane.wait_for_readers(); });
  const auto add = [&table](std::uint32_t lists, std::initializer_list<const char*> prefixes) {
    for (const char* prefix : prefixes)
      ASSERT_NE(table.add(*IpPrefix::parse(prefix), lists), l4::PrefixTable::kNowhere);
  };
  add(kDeny, {"192.0.2.0/24", "192.0.2.128/25", "198.18.0.0/15", "203.0.113.66", "2001:db8:bad::/48",
              "2001:db8:f::/64", "2001:db8:e::e", "2a00::/16", "2c00:1::/33"});
  add(kAllow, {"192.0.2.64/26", "203.0.113.66", "198.18.1.1", "2001:db8:bad:1::/64", "2a00:1::/32"});
  add(kExempt, {"192.0.2.80/28", "203.0.113.99", "2001:db8:bad:2::/64"});
  add(kOther, {"203.0.113.0/24", "2001:db8:c::/48"});
}

inline Build segment(const char* source, std::uint16_t port = kRules, std::uint8_t flags = kAck) {
  const bool is_v6 = std::string_view(source).find(':') != std::string_view::npos;
  return (is_v6 ? Build().ipv6(source, kVipV6) : Build().ipv4(source, kVip)).tcp(40000, port, flags);
}
inline Build datagram(const char* source) {
  const bool is_v6 = std::string_view(source).find(':') != std::string_view::npos;
  return (is_v6 ? Build().ipv6(source, kVipV6) : Build().ipv4(source, kVip)).udp(40000, 53);
}

class GuardedPackets : public testing::Test {
 protected:
  void SetUp() override {
    fill_front_door(plane_, guarded_site());
    fill_guard(plane_);
    tables_ = plane_.tables();
    tables_.services.ticks = 1'000'000;
  }
  gh_verdict send(const Build& packet) {
    Bytes bytes = Build().ethernet().packet(packet.build()).build();
    return run_here(l4::balance, tables_, bytes);
  }

  l4::MemoryPlane plane_{kSlots, 8};
  l4::Tables tables_;
};

class GuardedPacketsInTheKernel : public FrontDoorInTheKernel {
 protected:
  void SetUp() override {
    open(kSlots, guarded_site());
    if (plane_) fill_guard(*plane_);
  }
};

}  // namespace gatehouse::test
