// What protection makes of packets to guarded VIPs, run against the user-space build and against the loaded BPF object. What is
// dropped must be named, and be as it came.
#include <atomic>
#include <random>
#include <thread>

#include "l4/guard_prefixes.h"
#include "tests/bpf/builds.h"

namespace gatehouse::test {
namespace {

using Build = PacketBuilder;

constexpr std::uint32_t kSlots = 251;
constexpr std::uint8_t kTcp = 6, kUdp = 17;
constexpr const char* kClient = "203.0.113.7";
constexpr const char* kClientV6 = "2001:db8:c::7";
constexpr const char* kVip = "198.51.100.10";
constexpr const char* kVipV6 = "2001:db8:5::10";
constexpr std::uint8_t kPush = 0x08, kUrgent = 0x20;

// Bits of lists; which VIP goes by which of them follows below.
constexpr std::uint32_t kDeny = 1, kAllow = 2, kExempt = 4, kOther = 8;
// Ports of the VIP: rules and no limits, none, limits of IPv4 /32 and IPv6 /64, a limit of IPv4 /24 and IPv6 /48, rules of another list.
constexpr std::uint16_t kRules = 443, kUnguarded = 80, kLimited = 8443, kWide = 9443, kOtherRules = 444;

constexpr std::uint16_t policy(std::uint16_t number) { return static_cast<std::uint16_t>(GH_VIP_GUARDED | number << 8); }

Site site() {
  Site site;
  std::uint16_t number = 0;
  for (const char* vip : {kVip, kVipV6}) {
    const auto add = [&](std::uint16_t port, std::uint8_t protocol, std::uint16_t flags) {
      site.vips.push_back({ip(vip), port, protocol, number++, 0, flags});
    };
    add(kRules, kTcp, policy(1)), add(kUnguarded, kTcp, 0), add(kLimited, kTcp, policy(2)), add(kWide, kTcp, policy(3));
    add(kOtherRules, kTcp, policy(4)), add(53, kUdp, policy(1));
  }
  site.rings.emplace_back(kSlots, gh_slot(1, 0, 0, 0));
  return site;
}

// So slow that no test sees a bucket earn anything.
gh_rate rate(std::uint64_t burst) {
  const std::uint64_t cost = static_cast<std::uint64_t>(GH_BUCKET_UNITS) * 100 << 24;
  return {cost, burst * cost};
}

void fill_guard(l4::DataPlane& plane) {
  const l4::GuardTables& tables = plane.tables().guard;
  tables.policies[1] = {.deny = kDeny, .allow = kAllow, .exempt = kExempt};
  tables.policies[2] = {.deny = kDeny, .exempt = kExempt, .limit = 1, .packets = rate(4), .syns = rate(2)};
  tables.policies[3] = {.limit = 2, .packets = rate(3), .v4_shift = 8, .v6_shift = 16};
  tables.policies[4] = {.deny = kOther};
  l4::PrefixTable table(tables, [&plane] { plane.wait_for_readers(); });
  const auto add = [&table](std::uint32_t lists, std::initializer_list<const char*> prefixes) {
    for (const char* prefix : prefixes) ASSERT_NE(table.add(*IpPrefix::parse(prefix), lists), l4::PrefixTable::kNowhere);
  };
  add(kDeny, {"192.0.2.0/24", "192.0.2.128/25", "198.18.0.0/15", "203.0.113.66", "2001:db8:bad::/48", "2001:db8:f::/64", "2001:db8:e::e",
              "2a00::/16", "2c00:1::/33"});
  add(kAllow, {"192.0.2.64/26", "203.0.113.66", "198.18.1.1", "2001:db8:bad:1::/64", "2a00:1::/32"});
  add(kExempt, {"192.0.2.80/28", "203.0.113.99", "2001:db8:bad:2::/64"});
  add(kOther, {"203.0.113.0/24", "2001:db8:c::/48"});
}

struct Sent {
  std::string description;
  Build packet;  // without Ethernet
  gh_verdict verdict;
};
using Table = std::vector<Sent>;

Build segment(const char* source, std::uint16_t port = kRules, std::uint8_t flags = kAck) {
  const bool is_v6 = std::string_view(source).find(':') != std::string_view::npos;
  return (is_v6 ? Build().ipv6(source, kVipV6) : Build().ipv4(source, kVip)).tcp(40000, port, flags);
}
Build datagram(const char* source) {
  const bool is_v6 = std::string_view(source).find(':') != std::string_view::npos;
  return (is_v6 ? Build().ipv6(source, kVipV6) : Build().ipv4(source, kVip)).udp(40000, 53);
}

void add_rules(Table& table) {
  const struct {
    const char* source;
    gh_verdict verdict;
  } rows[] = {{kClient, GH_FORWARDED},
              {"192.0.2.1", GH_GUARD_DENIED},
              {"192.0.2.127", GH_FORWARDED},       // allowed: a longer prefix
              {"192.0.2.128", GH_GUARD_DENIED},
              {"192.0.2.81", GH_FORWARDED},        // exempt: the longest
              {"192.0.3.0", GH_FORWARDED},
              {"192.0.1.255", GH_FORWARDED},
              {"198.17.255.255", GH_FORWARDED},
              {"198.18.0.0", GH_GUARD_DENIED},
              {"198.19.255.255", GH_GUARD_DENIED},
              {"198.20.0.0", GH_FORWARDED},
              {"198.18.1.1", GH_FORWARDED},
              {"203.0.113.66", GH_GUARD_DENIED},   // denied and allowed: deny comes first
              {kClientV6, GH_FORWARDED},
              {"2001:db8:bad::1", GH_GUARD_DENIED},
              {"2001:db8:bad:1::1", GH_FORWARDED},
              {"2001:db8:bad:2::1", GH_FORWARDED},
              {"2001:db8:bae::1", GH_FORWARDED},
              {"2001:db8:f::ffff:ffff:ffff:ffff", GH_GUARD_DENIED},
              {"2001:db8:f:1::", GH_FORWARDED},
              {"2001:db8:e::e", GH_GUARD_DENIED},
              {"2001:db8:e::f", GH_FORWARDED},
              {"2a00:ffff::1", GH_GUARD_DENIED},
              {"2a00:1::1", GH_FORWARDED},
              {"2a01::1", GH_FORWARDED},
              {"2c00:1:7fff::1", GH_GUARD_DENIED},
              {"2c00:1:8000::1", GH_FORWARDED}};
  for (const auto& row : rows) {
    table.push_back({std::string("segment from ") + row.source, segment(row.source), row.verdict});
    table.push_back({std::string("datagram from ") + row.source, datagram(row.source), row.verdict});
    table.push_back({std::string("to a VIP without rules from ") + row.source, segment(row.source, kUnguarded), GH_FORWARDED});
  }
  table.push_back({"denied by another VIP's list", segment(kClient, kOtherRules), GH_GUARD_DENIED});
  table.push_back({"denied by another VIP's list, IPv6", segment(kClientV6, kOtherRules), GH_GUARD_DENIED});
  table.push_back({"not denied by this VIP's list", segment("192.0.2.1", kOtherRules), GH_FORWARDED});
}

void add_flags(Table& table) {
  const std::uint8_t good[] = {kSyn, kAck, kReset, kReset | kAck, kFin | kAck};
  for (int flags = 0; flags < 256; ++flags) {
    const int plain = flags & (kSyn | kAck | kReset | kFin);
    const bool has_urgent = flags & kUrgent;
    bool is_good = std::find(std::begin(good), std::end(good), plain) != std::end(good);
    if ((plain & kReset) && has_urgent) is_good = false;
    const gh_verdict bad = (plain & (kSyn | kAck | kReset | kFin)) == (kSyn | kAck) ? GH_GUARD_REFLECTED : GH_GUARD_FLAGS;
    for (const char* source : {kClient, kClientV6}) {
      table.push_back({"TCP flags " + std::to_string(flags), segment(source, kRules, static_cast<std::uint8_t>(flags)),
                       is_good ? GH_FORWARDED : bad});
    }
  }
  table.push_back({"no flags, to a VIP that is not guarded", segment(kClient, kUnguarded, 0), GH_FORWARDED});
  table.push_back({"all flags, to a VIP that is not guarded", segment(kClient, kUnguarded, 0xff), GH_FORWARDED});
}

void add_sources(Table& table) {
  for (const char* source : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
                             "::", "::1", "ff02::1", "ffff::1", "::ffff:203.0.113.7"}) {
    table.push_back({std::string("segment from ") + source, segment(source), GH_GUARD_SOURCE});
    table.push_back({std::string("datagram from ") + source, datagram(source), GH_GUARD_SOURCE});
  }
  for (const char* source : {"1.0.0.1", "126.255.255.255", "128.0.0.1", "223.255.255.255", "::2", "::1:0:0:1", "1::", "feff::1"}) {
    table.push_back({std::string("segment from ") + source, segment(source), GH_FORWARDED});
  }
  table.push_back({"land", segment(kVip), GH_GUARD_LAND});
  table.push_back({"land, IPv6", segment(kVipV6, kRules, kSyn), GH_GUARD_LAND});
  table.push_back({"land, UDP", datagram(kVip), GH_GUARD_LAND});
  table.push_back({"port 0", Build().ipv4(kClient, kVip).tcp(0, kRules), GH_GUARD_PORT});
  table.push_back({"port 0, UDP over IPv6", Build().ipv6(kClientV6, kVipV6).udp(0, 53), GH_GUARD_PORT});
}

// A datagram whose UDP header says `length`, a segment whose header is `words` long.
Build with_udp_length(Build ip_header, std::uint16_t length) {
  return ip_header.next(kUdp).payload(Bytes{0x9c, 0x40, 0, 53, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length), 0, 0, 1, 2, 3, 4});
}
Build with_tcp_words(Build ip_header, std::uint8_t words, std::size_t more) {
  Bytes segment = {0x9c, 0x40, kRules >> 8, kRules & 0xff, 0, 0, 0, 1, 0, 0, 0, 2, static_cast<std::uint8_t>(words << 4), kAck, 1, 0, 0, 0, 0, 0};
  segment.resize(segment.size() + more);
  return ip_header.next(kTcp).payload(segment);
}

void add_lengths(Table& table) {
  for (const bool is_v4 : {true, false}) {
    const auto header = [is_v4] { return is_v4 ? Build().ipv4(kClient, kVip) : Build().ipv6(kClientV6, kVipV6); };
    for (const std::uint16_t length : {0, 1, 7, 13, 14, 65535}) {
      table.push_back({"UDP length " + std::to_string(length) + " of 12", with_udp_length(header(), length), GH_GUARD_LENGTH});
    }
    for (const std::uint16_t length : {8, 9, 12}) {
      table.push_back({"UDP length " + std::to_string(length) + " of 12", with_udp_length(header(), length), GH_FORWARDED});
    }
    for (const std::uint8_t words : {0, 1, 4, 7, 15}) {
      table.push_back({"TCP header of " + std::to_string(words) + " words in 24 bytes", with_tcp_words(header(), words, 4), GH_GUARD_LENGTH});
    }
    for (const std::uint8_t words : {5, 6}) {
      table.push_back({"TCP header of " + std::to_string(words) + " words in 24 bytes", with_tcp_words(header(), words, 4), GH_FORWARDED});
    }
    table.push_back({"TCP header of 15 words", with_tcp_words(header(), 15, 40), GH_FORWARDED});
  }
}

// In order: buckets remember.
void add_limits(Table& table) {
  const auto send = [&table](const char* source, std::uint16_t port, std::uint8_t flags, gh_verdict verdict) {
    table.push_back({"packet " + std::to_string(table.size()) + " from " + source, segment(source, port, flags), verdict});
  };
  for (const char* source : {"100.64.0.1", "2001:db8:a::1"}) {
    send(source, kLimited, kSyn, GH_FORWARDED);
    send(source, kLimited, kSyn, GH_FORWARDED);
    send(source, kLimited, kSyn, GH_GUARD_SYN_RATE);     // of two SYNs
    send(source, kLimited, kAck, GH_FORWARDED);          // the fourth packet: one that was too much has counted as a packet
    send(source, kLimited, kAck, GH_GUARD_PACKET_RATE);
    send(source, kLimited, kSyn, GH_GUARD_PACKET_RATE);
    send(source, kRules, kAck, GH_FORWARDED);            // another VIP, which has no limit
  }
  send("100.64.0.2", kLimited, kSyn, GH_FORWARDED);      // another source
  send("2001:db8:a::ffff", kLimited, kAck, GH_GUARD_PACKET_RATE);  // the same /64
  send("2001:db8:a:1::1", kLimited, kAck, GH_FORWARDED);
  for (const char* source : {"100.65.1.1", "100.65.1.2", "100.65.1.255"}) send(source, kWide, kSyn, GH_FORWARDED);
  send("100.65.1.77", kWide, kSyn, GH_GUARD_PACKET_RATE);
  send("100.65.2.77", kWide, kSyn, GH_FORWARDED);
  for (const char* source : {"2001:db8:b::", "2001:db8:b:1::", "2001:db8:b:ffff::9"}) send(source, kWide, kAck, GH_FORWARDED);
  send("2001:db8:b:2::", kWide, kAck, GH_GUARD_PACKET_RATE);
  for (int i = 0; i < 9; ++i) send("203.0.113.99", kLimited, kSyn, GH_FORWARDED);  // exempt
  for (int i = 0; i < 9; ++i) send("192.0.2.1", kLimited, kSyn, GH_GUARD_DENIED);  // what is denied is not charged
}

Table all_rows() {
  Table table;
  for (const auto add : {add_rules, add_flags, add_sources, add_lengths, add_limits}) add(table);
  return table;
}

template <typename Run>
void expect_all(const l4::Tables& tables, Run run) {
  for (const Sent& row : all_rows()) {
    SCOPED_TRACE(row.description);
    std::vector<std::uint64_t> expected = verdict_counts(tables);
    ++expected[row.verdict];
    const Bytes input = Build().ethernet().packet(row.packet.build()).build();
    Bytes packet = input;
    EXPECT_EQ(run(packet), row.verdict == GH_FORWARDED ? XDP_TX : XDP_DROP);
    EXPECT_EQ(verdict_counts(tables), expected) << "wanted verdict " << row.verdict;
    if (row.verdict != GH_FORWARDED) {
      EXPECT_EQ(to_hex(packet), to_hex(input));
    }
  }
}

class GuardedPackets : public testing::Test {
 protected:
  void SetUp() override {
    fill_front_door(plane_, site());
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

TEST_F(GuardedPackets, AreTreatedAsTheTableSays) {
  expect_all(tables_, [&](Bytes& packet) { return run_here(l4::balance, tables_, packet) == GH_FORWARDED ? XDP_TX : XDP_DROP; });
}

// ---- Limits over time ----

constexpr std::uint64_t kSecond = l4::MemoryPlane::kTicksPerSecond;

class LimitedPackets : public GuardedPackets {
 protected:
  void SetUp() override {
    GuardedPackets::SetUp();
    plane_.tables().guard.policies[2] = {.limit = 1, .packets = gh_make_rate(kSecond, 50)};
  }
  bool passes(const char* source = "100.64.0.1") { return send(segment(source, kLimited)) == GH_FORWARDED; }
  int passing(int packets) {
    int passed = 0;
    for (int i = 0; i < packets; ++i) passed += passes();
    return passed;
  }
};

TEST_F(LimitedPackets, PassAtTheRateAndInBursts) {
  EXPECT_EQ(passing(100), 50);
  for (std::uint64_t tick = 0; tick < kSecond; ++tick) {
    ++tables_.services.ticks;
    ASSERT_EQ(passing(3), 1) << tick;
  }
  tables_.services.ticks += 20;
  EXPECT_EQ(passing(100), 20);
  tables_.services.ticks += 1'000'000;
  EXPECT_EQ(passing(100), 50);  // no more than a burst, however long it was quiet
}

TEST_F(LimitedPackets, AreLimitedAsTheRateSaysFromOneToAMillionASecond) {
  for (const std::uint64_t per_second : {1u, 7u, 999u, 33'333u, 1'000'000u}) {
    const std::uint64_t burst = std::max<std::uint64_t>(per_second / 50, 2);
    plane_.tables().guard.policies[2].packets = gh_make_rate(per_second, burst);
    plane_.tables().guard.policies[2].limit = static_cast<std::uint32_t>(per_second);
    const std::uint64_t seconds = 1 + 20'000 / per_second;
    std::uint64_t passed = 0;
    for (std::uint64_t tick = 0; tick < seconds * kSecond; tick += 10) {
      while (passes()) ++passed;
      tables_.services.ticks += 10;
    }
    EXPECT_NEAR(static_cast<double>(passed), static_cast<double>(per_second * seconds + burst), 0.03 * static_cast<double>(passed) + 1);
  }
}

TEST_F(LimitedPackets, ManyCpusAtOnceGetNoMoreThanOne) {
  std::atomic<std::uint64_t> passed = 0;
  constexpr std::uint64_t kBurst = 100'000;
  plane_.tables().guard.policies[2].packets = gh_make_rate(kSecond, kBurst);
  ASSERT_TRUE(passes());  // the bucket is there
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const Bytes frame = Build().ethernet().packet(segment("100.64.0.1", kLimited).build()).build();
      l4::Tables tables = tables_;
      std::vector<std::uint64_t> verdicts(GH_VERDICT_STRIDE);
      std::vector<gh_traffic> vips(GH_MAX_VIPS), nodes(GH_MAX_NODES);
      tables.verdicts = verdicts, tables.vip_traffic = vips, tables.node_traffic = nodes;
      for (std::uint64_t n = 0; n < kBurst; ++n) {
        Bytes packet = frame;
        passed += run_here(l4::balance, tables, packet) == GH_FORWARDED;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed + 1, kBurst);
}

// But for the moments in which it would be the same time again: GuardControl takes buckets away before.
TEST_F(LimitedPackets, AClockThatComesRoundIsNotMistakenForABorrowedBucket) {
  constexpr std::uint64_t kRound = (1ull << 40) / GH_BUCKET_UNITS * kSecond;
  EXPECT_EQ(passing(100), 50);
  for (const std::uint64_t away : {kRound / 2, kRound - 400, 7 * kRound / 2}) {
    tables_.services.ticks += away;
    EXPECT_EQ(passing(100), 50) << away;
  }
}

// A line has eight buckets. One that has borrowed much stays, whoever else comes.
TEST_F(LimitedPackets, AFloodOfSourcesDoesNotLetOneForgetWhatItOwes) {
  EXPECT_EQ(passing(100), 50);
  std::mt19937 random(1);
  for (int i = 0; i < 1'000'000; ++i) {
    Bytes frame = Build().ethernet().packet(segment("100.64.0.9", kLimited).build()).build();
    frame[27] = static_cast<std::uint8_t>(random()), frame[28] = static_cast<std::uint8_t>(random());
    frame[29] = static_cast<std::uint8_t>(random());
    run_here(l4::balance, tables_, frame);
    if (i % 1'000 == 0) {
      EXPECT_FALSE(passes());
    }
  }
}

class GuardedPacketsInTheKernel : public FrontDoorInTheKernel {
 protected:
  void SetUp() override {
    open(kSlots, site());
    if (plane_) fill_guard(*plane_);
  }
};

TEST_F(GuardedPacketsInTheKernel, AreTreatedAsTheTableSays) {
  expect_all(plane_->tables(), [&](Bytes& packet) { return run(packet); });
}

}  // namespace
}  // namespace gatehouse::test
