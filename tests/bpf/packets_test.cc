// What the front door's rows do not say: room before the packet, traffic that is counted, changes under
// traffic.
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "tests/bpf/front_door_rows.h"

namespace gatehouse::test {
namespace {

constexpr std::chrono::seconds kUnderTraffic{1}, kAtMost{30};

class Packets : public testing::Test {
 protected:
  void SetUp() override { fill_front_door(plane_, row_site()); }

  l4::MemoryPlane plane_{kRowSlots, kRowGroups};
  l4::Tables tables_ = plane_.tables();
};

TEST_F(Packets, WithoutRoomForTheOuterHeaderTheyAreDropped) {
  const struct {
    int vip;
    std::size_t outer_length;
  } rows[] = {{10, 40}, {13, 60}, {30, 32}, {31, 52}, {32, 20}, {33, 40}};
  for (const auto& row : rows) {
    const Bytes input = in_frame(segment_of({v4(row.vip)})).build();
    Bytes packet = input;
    EXPECT_EQ(run_here(l4::balance, tables_, packet, row.outer_length - 2), GH_NO_HEADROOM);
    EXPECT_EQ(to_hex(packet), to_hex(input));
    EXPECT_EQ(run_here(l4::balance, tables_, packet, row.outer_length), GH_FORWARDED);
    EXPECT_EQ(packet.size(), input.size() + row.outer_length);
  }
}

TEST_F(Packets, TooLongAreDroppedWithoutRoomForTheAnswer) {
  const Bytes input = in_frame(packet_of({v4(10)}).payload(kRowMtu)).build();
  Bytes packet = input;
  EXPECT_EQ(run_here(l4::balance, tables_, packet, 26), GH_VIP_TOO_BIG_DROPPED);
  EXPECT_EQ(to_hex(packet), to_hex(input));
  EXPECT_EQ(run_here(l4::balance, tables_, packet, 28), GH_VIP_TOO_BIG);
}

TEST_F(Packets, TrafficIsCountedForVipAndNode) {
  const Flow flow{v6(13)};
  Bytes segment = in_frame(segment_of(flow)).payload(9).build();
  Bytes opens = in_frame(packet_of(flow, kSyn)).build();
  Bytes error = in_frame(Build()
                             .ipv6("2001:db8:2::200", v6(13))
                             .icmp(2, 0)
                             .payload(Build().ipv6(v6(13), kClientV6).tcp(443, 40000).build()))
                    .build();
  Bytes dropped_one = in_frame(ip_of({v4(10)}).fragment(0, true).tcp(40000, 443)).build();
  const std::uint64_t bytes = segment.size() - 14 - 9 + opens.size() - 14 + error.size() - 14;
  for (Bytes* packet : {&segment, &opens, &error, &dropped_one}) run_here(l4::balance, tables_, *packet);
  EXPECT_EQ(l4::verdict_counts(tables_)[GH_FORWARDED], 3u);
  const auto vip = l4::find_exact_vip(tables_, {ip(v6(13)), 443}, kTcp);
  ASSERT_TRUE(vip);
  for (const gh_traffic& traffic : {l4::vip_traffic(tables_, vip->vip), l4::node_traffic(tables_, 6)}) {
    EXPECT_EQ(traffic.packets, 3u);
    EXPECT_EQ(traffic.bytes, bytes);
    EXPECT_EQ(traffic.opened, 1u);
    EXPECT_EQ(traffic.errors, 1u);
  }
}

class PacketsInTheKernel : public FrontDoorInTheKernel {
 protected:
  void SetUp() override { open(kRowSlots, row_site()); }
};

// One thread changes the address of the VIP's only node as fast as it can, also from one family to the other.
TEST_F(PacketsInTheKernel, SeeAnAddressOfANodeThatIsWholeAndAreNeverLost) {
  const Flow flow{v4(10)};
  const Bytes inner = segment_of(flow).build(), input = in_frame(segment_of(flow)).build();
  const auto entropy = static_cast<std::uint32_t>(hash_of(flow));
  const auto port = static_cast<std::uint16_t>(49152 + (entropy >> 18));
  const auto towards = [&](Build outer) {
    return outer.udp(port, 6080).without_checksum().gue(kRowEpoch).packet(inner).build();
  };
  const auto over_v4 = [&](const char* node) {
    return towards(frame_back().ipv4("192.0.2.1", node).dont_fragment());
  };
  const auto over_v6 = [&](const char* node) {
    return towards(frame_back().ipv6("2001:db8:2::1", node).flow_label(entropy >> 12));
  };
  const char* const kAddresses[] = {"10.0.0.1", "2001:db8:aaaa::1", "10.255.255.2", "fd00:bbbb::2:2"};
  const std::set<Bytes> wanted = {over_v4(kAddresses[0]), over_v6(kAddresses[1]), over_v4(kAddresses[2]),
                                  over_v6(kAddresses[3])};
  std::atomic<bool> is_over = false;
  std::thread change([&] {
    l4::TableWriter writer(*plane_);
    for (int i = 0; !is_over; ++i) writer.set_node(1, ip(kAddresses[i % 4]));
  });
  std::set<Bytes> seen;
  int lost = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto is_before = [start](auto end) { return std::chrono::steady_clock::now() - start < end; };
  while (is_before(kUnderTraffic) || (seen.size() < wanted.size() && is_before(kAtMost))) {
    Bytes packet = input;
    if (run(packet) != XDP_TX) ++lost;
    seen.insert(packet);
  }
  is_over = true;
  change.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(seen, wanted);
}

}  // namespace
}  // namespace gatehouse::test
