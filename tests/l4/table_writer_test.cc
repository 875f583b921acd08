// Changes of the tables as a reader sees them: what must change as a whole is written where nobody reads, a
// slot changes by one store, and a refused change leaves no trace.
#include "l4/table_writer.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <thread>

#include "l4/counters.h"
#include "l4/user_tables.h"
#include "tests/support/packet_builder.h"

namespace gatehouse::l4 {
namespace {

using test::Bytes;
using test::PacketBuilder;

constexpr std::uint32_t kSlots = 251;
constexpr std::uint8_t kTcp = 6, kUdp = 17;
constexpr std::array<std::uint64_t, 4> kKey = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
                                               0x082efa98ec4e6c89};

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
std::string vip_text(std::uint32_t number) {
  return "198.51." + std::to_string(number / 250) + "." + std::to_string(1 + number % 250);
}

std::vector<VipEntry> vips_of(std::uint32_t count) {
  std::vector<VipEntry> vips;
  for (std::uint32_t i = 0; i < count; ++i) {
    vips.push_back({ip(vip_text(i)), 443, kTcp, static_cast<std::uint16_t>(i % GH_MAX_VIPS), 0});
  }
  return vips;
}

std::optional<Explanation> explain(MemoryPlane& plane, const Endpoint& vip, std::uint8_t protocol = kTcp) {
  Tables tables = plane.tables();
  return explain_packet(tables, {ip("203.0.113.7"), 40000}, vip, protocol);
}

std::vector<std::uint8_t> memory_of(const auto& table) {
  std::vector<std::uint8_t> bytes(table.size_bytes());
  std::memcpy(bytes.data(), table.data(), bytes.size());
  return bytes;
}

std::span<gh_vip_line> half_of(MemoryPlane& plane, std::uint32_t half) {
  return plane.tables().vip_lines.subspan(half * GH_VIP_LINES, GH_VIP_LINES);
}

// ---- VIPs ----

TEST(TableWriter, WritesVipsToTheIdleHalf) {
  MemoryPlane plane(kSlots, 1);
  TableWriter writer(plane);
  ASSERT_TRUE(writer.set_vips(vips_of(3)));
  for (std::uint32_t count = 1; count < 6; ++count) {
    const std::uint32_t live = plane.tables().state->vip_half;
    const auto before = memory_of(half_of(plane, live));
    ASSERT_TRUE(writer.set_vips(vips_of(count)));
    EXPECT_EQ(plane.tables().state->vip_half, 1 - live);
    EXPECT_EQ(memory_of(half_of(plane, live)), before) << "a packet may still read the half that was live";
  }
}

TEST(TableWriter, ReplacesAllVips) {
  MemoryPlane plane(kSlots, 1);
  TableWriter writer(plane);
  ASSERT_TRUE(writer.set_vips(
      std::vector<VipEntry>{{ip("198.51.100.10"), 443, kTcp, 7, 3}, {ip("2001:db8:5::10"), 53, kUdp, 8, 4}}));
  const auto found = explain(plane, {ip("198.51.100.10"), 443});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->vip, 7);
  EXPECT_EQ(found->group, 3);
  EXPECT_FALSE(found->has_ring);
  EXPECT_TRUE(explain(plane, {ip("2001:db8:5::10"), 53}, kUdp));
  EXPECT_FALSE(explain(plane, {ip("198.51.100.10"), 443}, kUdp));
  EXPECT_FALSE(explain(plane, {ip("198.51.100.10"), 444}));

  ASSERT_TRUE(writer.set_vips(std::vector<VipEntry>{{ip("198.51.100.11"), 443, kTcp, 0, 0}}));
  EXPECT_FALSE(explain(plane, {ip("198.51.100.10"), 443}));
  EXPECT_FALSE(explain(plane, {ip("2001:db8:5::10"), 53}, kUdp));
  EXPECT_TRUE(explain(plane, {ip("198.51.100.11"), 443}));
  ASSERT_TRUE(writer.set_vips({}));
  EXPECT_FALSE(explain(plane, {ip("198.51.100.11"), 443}));
}

TEST(TableWriter, HoldsAsManyVipsAsTheLimitAllowsEachWithItsOwnAddress) {
  MemoryPlane plane(kSlots, 1);
  TableWriter writer(plane);
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<VipEntry> vips = vips_of(GH_MAX_VIPS);
    for (VipEntry& vip : vips) {
      vip.port = static_cast<std::uint16_t>(1 + random() % 65535);
      if (round == 0)
        vip.port = 443;  // and neighbours all
      else
        for (std::size_t i = round % 2 ? 0 : 12; i < 16; ++i)
          vip.address.bytes[i] = static_cast<std::uint8_t>(random());
    }
    const Status written = writer.set_vips(vips);
    ASSERT_TRUE(written) << "round " << round << ": " << written.error().message;
    for (const VipEntry& vip : vips)
      ASSERT_TRUE(explain(plane, {vip.address, vip.port})) << to_string(vip.address);
  }
}

TEST(TableWriter, RefusesMoreVipsThanFitAndKeepsTheOldOnes) {
  MemoryPlane plane(kSlots, 1);
  TableWriter writer(plane);
  ASSERT_TRUE(writer.set_vips(vips_of(3)));
  const std::uint32_t live = plane.tables().state->vip_half;
  const auto before = memory_of(half_of(plane, live));
  const Status refused = writer.set_vips(vips_of(2200));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the VIP table has no room for 2200 VIPs, the limit is 512");
  EXPECT_EQ(plane.tables().state->vip_half, live);
  EXPECT_EQ(memory_of(half_of(plane, live)), before);

  ASSERT_TRUE(writer.set_vips(vips_of(4))) << "what the refused table left behind is gone";
  EXPECT_TRUE(explain(plane, {ip(vip_text(3)), 443}));
  EXPECT_FALSE(explain(plane, {ip(vip_text(4)), 443}));
}

// ---- Rings ----

std::uint32_t base_of(MemoryPlane& plane, std::uint16_t group) {
  return gh_ring_base(plane.tables().groups[group].ring);
}

std::vector<std::uint64_t> ring_of(MemoryPlane& plane, std::uint32_t base) {
  const auto area = plane.tables().slots.subspan(base, kSlots);
  return {area.begin(), area.end()};
}

TEST(TableWriter, ARingIsSwitchedToWhenItIsWholeAndChangesWhereItIs) {
  constexpr std::uint16_t kGroups = 3;
  MemoryPlane plane(kSlots, kGroups);
  TableWriter writer(plane);
  std::vector<std::vector<std::uint64_t>> rings(kGroups);
  std::vector<std::uint32_t> bases(kGroups);
  std::mt19937 random(5);
  for (std::uint16_t epoch = 1; epoch < 200; ++epoch) {
    const auto group = static_cast<std::uint16_t>(random() % kGroups);
    const bool is_new = rings[group].empty();
    rings[group].assign(kSlots, gh_slot(epoch, group, 0, 0));
    ASSERT_TRUE(writer.set_ring(group, rings[group], epoch));
    EXPECT_EQ(gh_ring_epoch(plane.tables().groups[group].ring), epoch);
    if (is_new) bases[group] = base_of(plane, group);
    EXPECT_EQ(base_of(plane, group), bases[group]);
    for (std::uint16_t other = 0; other < kGroups; ++other) {
      if (rings[other].empty()) continue;
      ASSERT_EQ(ring_of(plane, base_of(plane, other)), rings[other]) << "epoch " << epoch;
    }
  }
}

TEST(TableWriter, ChangesTheSlotsThatItIsToldAlone) {
  MemoryPlane plane(kSlots, 1);
  TableWriter writer(plane);
  std::vector<std::uint64_t> ring(kSlots, gh_slot(7, 0, 0, 0));
  ASSERT_TRUE(writer.set_ring(4, ring, 1));
  ring[3] = gh_slot(8, 7, 0, 0);
  ring[kSlots - 1] = gh_slot(9, 7, 0, 0);
  ASSERT_TRUE(writer.set_slots(4, std::vector<SlotWord>{{3, ring[3]}, {kSlots - 1, ring[kSlots - 1]}}, 2));
  EXPECT_EQ(ring_of(plane, base_of(plane, 4)), ring);
  EXPECT_EQ(gh_ring_epoch(plane.tables().groups[4].ring), 2);
  ASSERT_TRUE(writer.set_slots(4, {}, 3));
  EXPECT_EQ(ring_of(plane, base_of(plane, 4)), ring);
  EXPECT_EQ(gh_ring_epoch(plane.tables().groups[4].ring), 3);
}

// While one thread writes, packets find every slot as it was or as it is to be.
TEST(TableWriter, AReaderSeesTheOldWordOfASlotOrTheNewOne) {
  MemoryPlane plane(kSlots, 1);
  TableWriter writer(plane);
  const std::uint64_t words[] = {gh_slot(1, 2, 3, 4), gh_slot(4, 3, 2, 1)};
  std::vector<std::vector<std::uint64_t>> rings;
  for (const std::uint64_t word : words) rings.emplace_back(kSlots, word);
  ASSERT_TRUE(writer.set_ring(0, rings[0], 0));
  std::atomic<bool> is_over = false;
  std::uint64_t torn = 0;
  std::thread reader([&] {
    const auto slots = plane.tables().slots;
    while (!is_over) {
      for (std::uint64_t& slot : slots) {
        const std::uint64_t word = std::atomic_ref(slot).load(std::memory_order_relaxed);
        torn += word != words[0] && word != words[1];
      }
    }
  });
  for (std::uint16_t epoch = 1; epoch < 2'000; ++epoch) ASSERT_TRUE(writer.set_ring(0, rings[epoch % 2], epoch));
  is_over = true;
  reader.join();
  EXPECT_EQ(torn, 0u);
}

TEST(TableWriter, RefusesARingWhenEveryAreaIsLive) {
  MemoryPlane plane(kSlots, 2);
  TableWriter writer(plane);
  ASSERT_TRUE(writer.set_ring(0, std::vector<std::uint64_t>(kSlots, 1), 1));
  ASSERT_TRUE(writer.set_ring(9, std::vector<std::uint64_t>(kSlots, 2), 1));
  const auto slots = memory_of(plane.tables().slots);
  const auto groups = memory_of(plane.tables().groups);
  EXPECT_FALSE(writer.set_ring(5, std::vector<std::uint64_t>(kSlots, 3), 2));
  EXPECT_EQ(memory_of(plane.tables().slots), slots);
  EXPECT_EQ(memory_of(plane.tables().groups), groups);
  writer.remove_ring(0);
  EXPECT_TRUE(writer.set_ring(5, std::vector<std::uint64_t>(kSlots, 3), 2)) << "in the area that has become free";
  EXPECT_EQ(ring_of(plane, base_of(plane, 9)), std::vector<std::uint64_t>(kSlots, 2));
}

TEST(TableWriter, OfANextProcessSeesWhatIsLive) {
  MemoryPlane plane(kSlots, 2);
  ASSERT_TRUE(TableWriter(plane).set_ring(0, std::vector<std::uint64_t>(kSlots, 1), 1));
  ASSERT_TRUE(TableWriter(plane).set_vips(vips_of(2)));
  const std::uint32_t base = base_of(plane, 0), half = plane.tables().state->vip_half;
  ASSERT_TRUE(TableWriter(plane).set_ring(1, std::vector<std::uint64_t>(kSlots, 2), 2));
  ASSERT_TRUE(TableWriter(plane).set_vips(vips_of(2)));
  EXPECT_NE(base_of(plane, 1), base);
  EXPECT_NE(plane.tables().state->vip_half, half);
}

// ---- Identity and nodes ----

struct Destination {
  IpAddress address;
  bool is_v4;
};
Destination live_of(const gh_node& node) {
  const gh_destination& live = node.destinations[node.live];
  return {from_table_address(live.address), live.family == GH_FAMILY_V4};
}

TEST(TableWriter, WritesIdentityAndNodes) {
  MemoryPlane plane(kSlots, 1);
  TableWriter writer(plane);
  writer.set_identity({.source_v4 = ip("192.0.2.1"), .source_v6 = ip("2001:db8::1"), .key = kKey, .mtu = 1600});
  const gh_identity& identity = *gh_get_identity(plane.tables().state);
  EXPECT_EQ(from_table_address(identity.gue_v4.address), ip("192.0.2.1"));
  EXPECT_EQ(from_table_address(identity.gue_v6.address), ip("2001:db8::1"));
  EXPECT_EQ(identity.mtu, 1600u);
  EXPECT_EQ(plane.tables().state->slots, kSlots);

  const gh_node& node = plane.tables().nodes[GH_MAX_NODES - 1];
  for (const char* address : {"10.0.0.1", "fd00::1", "10.0.0.2"}) {
    writer.set_node(GH_MAX_NODES - 1, ip(address));
    EXPECT_EQ(live_of(node).address, ip(address));
    EXPECT_EQ(live_of(node).is_v4, ip(address).is_v4());
  }
  writer.remove_node(GH_MAX_NODES - 1);
  EXPECT_TRUE(live_of(node).address.is_unspecified());
}

// What packets see of it is shown in the kernel, by tests/bpf/packets_test.cc.
TEST(TableWriter, NeverWritesAnAddressOverALiveOne) {
  MemoryPlane plane(kSlots, 1);
  TableWriter writer(plane);
  const gh_node& node = plane.tables().nodes[7];
  const char* const addresses[] = {"10.0.0.1", "fd00::1", "fd00::1", "10.0.0.2", "10.0.0.3", "2001:db8::1"};
  for (int i = 0; i < 60; ++i) {
    const std::uint32_t live = node.live;
    const auto before = memory_of(std::span(&node.destinations[live], 1));
    if (i % 7 == 0)
      writer.remove_node(7);
    else
      writer.set_node(7, ip(addresses[i % 6]));
    EXPECT_EQ(memory_of(std::span(&node.destinations[live], 1)), before) << "a packet may still read it";
    EXPECT_LE(node.live, 1u);
  }
}

TEST(TableWriter, LeavesANodeAloneThatHasTheAddressAlready) {
  MemoryPlane plane(kSlots, 1);
  TableWriter(plane).set_node(7, ip("fd00::1"));
  const auto before = memory_of(plane.tables().nodes);
  TableWriter(plane).set_node(7, ip("fd00::1"));
  EXPECT_EQ(memory_of(plane.tables().nodes), before);
}

// ---- Explanations ----

constexpr std::size_t kHeadroom = 64;

struct Forwarded {
  gh_verdict verdict = GH_NOT_VIP;
  std::uint16_t owner = 0;  // by the outer destination 10.0.x.y
  std::uint16_t epoch = 0;
  std::vector<std::uint16_t> hops;
};

// Takes one packet of the flow through the packet core and reads the header that it wrote.
Forwarded forward(MemoryPlane& plane, const Endpoint& source, const Endpoint& vip, std::uint8_t protocol) {
  PacketBuilder builder;
  builder.ethernet();
  if (vip.address.is_v4())
    builder.ipv4(to_string(source.address), to_string(vip.address));
  else
    builder.ipv6(to_string(source.address), to_string(vip.address));
  const Bytes packet = protocol == kTcp ? builder.tcp(source.port, vip.port).build()
                                        : builder.udp(source.port, vip.port).build();
  Bytes memory(kHeadroom);
  memory.insert(memory.end(), packet.begin(), packet.end());
  PacketBuffer buffer{memory, kHeadroom, packet.size()};
  Tables tables = plane.tables();
  Forwarded result{balance(tables, buffer), 0, 0, {}};
  if (result.verdict != GH_FORWARDED) return result;
  const std::uint8_t* outer = memory.data() + buffer.start + 14;
  const auto word_at = [outer](std::size_t at) {
    return static_cast<std::uint16_t>(outer[at] << 8 | outer[at + 1]);
  };
  result.owner = word_at(18);
  result.epoch = word_at(32);
  for (std::size_t at = 34; at < 40; at += 2) {
    if (word_at(at) != 0) result.hops.push_back(word_at(at));
  }
  return result;
}

void fill_site(MemoryPlane& plane, std::mt19937& random) {
  TableWriter writer(plane);
  writer.set_identity({.source_v4 = ip("192.0.2.1"), .source_v6 = ip("2001:db8:2::1"), .key = kKey, .mtu = 1500});
  for (std::uint16_t id = 1; id <= 200; ++id) writer.set_node(id, ip("10.0.0." + std::to_string(id)));
  ASSERT_TRUE(writer.set_vips(std::vector<VipEntry>{{ip("198.51.100.10"), 443, kTcp, 0, 0},
                                                    {ip("198.51.100.10"), 53, kUdp, 1, 1},
                                                    {ip("2001:db8:5::10"), 443, kTcp, 2, 1},
                                                    {ip("198.51.100.11"), 443, kTcp, 3, 2}}));
  for (std::uint16_t group = 0; group < 2; ++group) {
    std::vector<std::uint64_t> ring(kSlots);
    const auto node = [&random] { return static_cast<std::uint16_t>(1 + random() % 200); };
    for (std::uint64_t& slot : ring) slot = gh_slot(node(), random() % 4 ? node() : 0, 0, 0);
    ring[0] = 0;  // a slot without an owner
    ASSERT_TRUE(writer.set_ring(group, ring, static_cast<std::uint16_t>(500 + group)));
  }
}

TEST(Explanation, SaysWhatThePacketCoreDoes) {
  MemoryPlane plane(kSlots, 3);
  std::mt19937 random(17);
  fill_site(plane, random);
  Tables tables = plane.tables();
  std::map<gh_verdict, int> seen;
  for (int round = 0; round < 20'000; ++round) {
    const Endpoint vips[] = {{ip("198.51.100.10"), 443},
                             {ip("198.51.100.10"), 53},
                             {ip("2001:db8:5::10"), 443},
                             {ip("198.51.100.11"), 443},
                             {ip("198.51.100.99"), 443}};
    const Endpoint& vip = vips[random() % std::size(vips)];
    const std::string host = std::to_string(1 + random() % 250);
    const Endpoint source{ip((vip.address.is_v4() ? "203.0.113." : "2001:db8:c::") + host),
                          static_cast<std::uint16_t>(random())};
    const std::uint8_t protocol = random() % 2 ? kTcp : kUdp;
    const auto said = explain_packet(tables, source, vip, protocol);
    const Forwarded done = forward(plane, source, vip, protocol);
    ++seen[done.verdict];
    ASSERT_EQ(said.has_value(), done.verdict != GH_NOT_VIP);
    if (!said) continue;
    ASSERT_EQ(said->has_ring, done.verdict == GH_FORWARDED);
    if (!said->has_ring) continue;
    std::vector<std::uint16_t> hops = {done.owner};
    hops.insert(hops.end(), done.hops.begin(), done.hops.end());
    ASSERT_EQ(said->hops, hops) << to_string(source) << " to " << to_string(vip);
    ASSERT_EQ(said->epoch, done.epoch);
    ASSERT_EQ(tables.slots[base_of(plane, said->group) + said->slot],
              gh_slot(hops[0], hops.size() > 1 ? hops[1] : 0, 0, 0));
  }
  for (const gh_verdict verdict : {GH_NOT_VIP, GH_FORWARDED, GH_VIP_NO_RING})
    EXPECT_GT(seen[verdict], 10) << verdict;
}

TEST(Explanation, CountsNothing) {
  MemoryPlane plane(kSlots, 3);
  std::mt19937 random(17);
  fill_site(plane, random);
  ASSERT_TRUE(explain(plane, {ip("198.51.100.10"), 443}));
  ASSERT_FALSE(explain(plane, {ip("198.51.100.99"), 443}));
  EXPECT_EQ(verdict_counts(plane.tables()), VerdictCounts{});
  for (const gh_traffic& traffic : plane.tables().cpus[0].nodes) EXPECT_EQ(traffic.packets, 0u);
}

}  // namespace
}  // namespace gatehouse::l4
