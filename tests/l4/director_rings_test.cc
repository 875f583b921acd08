// VIPs that share rings and VIPs that do not: which of the tables' groups they have, through reloads and
// restarts, and that no packet ever follows a ring of another history.
#include <gtest/gtest.h>

#include "tests/l4/director_site.h"

namespace gatehouse::l4 {
namespace {

using Ids = std::set<std::uint16_t>;

// Web and web6 have all nodes, dns has the first two.
class Rings : public testing::Test {
 protected:
  Rings() {
    give(2, {1, 2});
    site_.remember({DirectorSite::all_active(4)});
    start();
  }
  void start() {
    const Status started = site_.start();
    EXPECT_TRUE(started) << started.error().message;
  }
  void give(std::size_t vip, std::vector<std::uint16_t> nodes) {
    site_.config.vips[vip].nodes.clear();
    for (const std::uint16_t id : nodes) site_.config.vips[vip].nodes.push_back({"n" + std::to_string(id)});
  }
  Status reload() { return site_.director->set_config(site_.config); }
  std::vector<std::uint64_t> ring_of(std::size_t vip) {
    return site_.ring(site_.group_of(site_.config.vips[vip]));
  }
  static Ids nodes_at(const std::vector<std::uint64_t>& ring, int first, int last) {
    Ids ids;
    for (const std::uint64_t slot : ring) {
      for (int place = first; place <= last; ++place) ids.insert(gh_slot_hop(slot, place));
    }
    ids.erase(0);
    return ids;
  }
  Ids owners(std::size_t vip) { return nodes_at(ring_of(vip), 0, 0); }
  Ids earlier(std::size_t vip) { return nodes_at(ring_of(vip), 1, GH_HOPS - 1); }
  bool share(std::size_t one, std::size_t other) {
    return site_.group_of(site_.config.vips[one]) == site_.group_of(site_.config.vips[other]);
  }
  std::size_t live_rings() {
    const auto groups = site_.plane.tables().groups;
    return static_cast<std::size_t>(std::count_if(
        groups.begin(), groups.end(), [](const gh_group& group) { return gh_ring_is_set(group.ring); }));
  }
  DirectorSite site_{4};
};

TEST_F(Rings, VipsOfTheSameNodesShareOne) {
  EXPECT_TRUE(share(0, 1));
  EXPECT_FALSE(share(0, 2));
  EXPECT_EQ(owners(0), (Ids{1, 2, 3, 4}));
  EXPECT_EQ(owners(2), (Ids{1, 2}));
  EXPECT_EQ(live_rings(), 2u);
  EXPECT_EQ(site_.director->rings().ring_count(), 2u);
}

TEST_F(Rings, OfOneVipLeadBackToTheNodesThatItHadAndTheOthersDoNot) {
  const auto before = ring_of(0);
  give(1, {3, 4});
  ASSERT_TRUE(reload());
  EXPECT_EQ(owners(1), (Ids{3, 4}));
  EXPECT_TRUE(earlier(1).contains(1) && earlier(1).contains(2));
  EXPECT_EQ(ring_of(0), before);
  EXPECT_EQ(live_rings(), 3u);
  for (std::size_t slot = 0; slot < before.size(); ++slot) {
    bool is_named = false;
    for (int place = 0; place < GH_HOPS; ++place)
      is_named = is_named || gh_slot_hop(ring_of(1)[slot], place) == gh_slot_hop(before[slot], 0);
    ASSERT_TRUE(is_named) << slot;
  }
}

TEST_F(Rings, AreSharedAgainWhenTheHistoryIsForgotten) {
  give(1, {1, 2});
  ASSERT_TRUE(reload());
  EXPECT_FALSE(share(1, 2)) << "the nodes are the same, the history is not";
  EXPECT_EQ(live_rings(), 3u);
  site_.config.ring.hop_deadline = Duration(1'000);
  ASSERT_TRUE(reload());
  turn_until(site_.loop, [&] { return site_.generations() == 1; });
  EXPECT_TRUE(share(1, 2));
  EXPECT_EQ(live_rings(), 2u);
  EXPECT_EQ(owners(1), (Ids{1, 2}));
  EXPECT_EQ(earlier(1), Ids{});
}

TEST_F(Rings, OfANewVipIsThatOfOneWithTheSameNodes) {
  site_.config.vips.push_back(DirectorSite::vip("mail", "198.51.100.12", 25));
  site_.config.vips.push_back(DirectorSite::vip("chat", "198.51.100.12", 26));
  give(4, {1, 2});
  ASSERT_TRUE(reload());
  EXPECT_TRUE(share(3, 0));
  EXPECT_TRUE(share(4, 2));
  EXPECT_EQ(live_rings(), 2u);
}

TEST_F(Rings, KeepTheirGroupsAcrossRestarts) {
  give(1, {3, 4});
  ASSERT_TRUE(reload());
  std::vector<std::uint16_t> groups;
  std::vector<std::vector<std::uint64_t>> rings;
  for (std::size_t vip = 0; vip < 3; ++vip) {
    groups.push_back(site_.group_of(site_.config.vips[vip]));
    rings.push_back(ring_of(vip));
  }
  const std::uint64_t digest = site_.digest();
  std::reverse(site_.config.vips.begin(), site_.config.vips.end());
  start();
  for (std::size_t vip = 0; vip < 3; ++vip) {
    EXPECT_EQ(site_.group_of(site_.config.vips[2 - vip]), groups[vip]);
    EXPECT_EQ(ring_of(2 - vip), rings[vip]);
  }
  EXPECT_EQ(site_.digest(), digest);
  EXPECT_EQ(live_rings(), 3u);
}

TEST_F(Rings, OfVipsThatAreGoneAreGone) {
  site_.config.vips.pop_back();
  ASSERT_TRUE(reload());
  EXPECT_EQ(live_rings(), 1u);
  site_.config.vips.clear();
  ASSERT_TRUE(reload());
  EXPECT_EQ(live_rings(), 0u);
}

TEST_F(Rings, WeightsOfAVipAreItsOwn) {
  site_.config.vips[2].nodes = {{"n1", 300}, {"n2"}};
  ASSERT_TRUE(reload());
  std::map<std::uint16_t, double> counts;
  for (const std::uint64_t slot : ring_of(2)) ++counts[gh_slot_hop(slot, 0)];
  EXPECT_NEAR(counts[1] / DirectorSite::kSlots, 0.75, 0.002);
  counts.clear();
  for (const std::uint64_t slot : ring_of(0)) ++counts[gh_slot_hop(slot, 0)];
  EXPECT_NEAR(counts[1] / DirectorSite::kSlots, 0.25, 0.002);
}

TEST_F(Rings, ADeathMovesTheSlotsOfEveryRingThatHasTheNode) {
  give(1, {3, 4});
  ASSERT_TRUE(reload());
  site_.director->on_report(site_.report(1, true, 5));
  site_.loop.turn(Duration(0));
  EXPECT_EQ(owners(0), (Ids{2, 3, 4}));
  EXPECT_EQ(owners(1), (Ids{3, 4}));
  EXPECT_EQ(owners(2), Ids{2});
  EXPECT_TRUE(earlier(2).contains(1));
}

TEST_F(Rings, MoreThanThereIsRoomForAreRefused) {
  const auto before = ring_of(0);
  for (int i = 0; i < 7; ++i) {
    site_.config.vips.push_back(
        DirectorSite::vip("v" + std::to_string(i), "198.51.100.20", static_cast<std::uint16_t>(1000 + i)));
    site_.config.vips.back().nodes = {{"n1"}, {"n2", static_cast<std::uint32_t>(i + 1)}};
  }
  const Status refused = reload();
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().message,
      "the VIPs need more than the 8 rings that there is room for; room is made at the start: ring.groups");
  EXPECT_EQ(ring_of(0), before);
  EXPECT_EQ(live_rings(), 2u);
  site_.config.vips.pop_back();
  EXPECT_TRUE(reload());
  EXPECT_EQ(live_rings(), 8u);
}

TEST_F(Rings, HaveRoomForMoreThanTheConfigNeeds) {
  EXPECT_EQ(ring_areas_for(site_.config), 8u);
  for (std::uint16_t i = 0; i < 20; ++i) {
    site_.config.vips.push_back(DirectorSite::vip("v", "198.51.100.20", static_cast<std::uint16_t>(1000 + i)));
    site_.config.vips.back().nodes = {{"n1"}, {"n2", i + 1u}};
  }
  EXPECT_EQ(ring_areas_for(site_.config), 2u * 22);
  for (std::uint16_t i = 0; i < 100; ++i) {
    site_.config.vips.push_back(DirectorSite::vip("v", "198.51.100.21", static_cast<std::uint16_t>(1000 + i)));
    site_.config.vips.back().nodes = {{"n1"}, {"n3", i + 1u}};
  }
  EXPECT_EQ(ring_areas_for(site_.config), 122u + 64);
  site_.config.ring.groups = 5;
  EXPECT_EQ(ring_areas_for(site_.config), 5u);
}

// Whatever is reloaded, whenever the daemon is restarted: after each change every VIP's slots are those of
// its own history.
TEST_F(Rings, FollowEachVipsOwnHistory) {
  std::mt19937 random(31);
  for (int step = 0; step < 60; ++step) {
    for (std::size_t vip = 0; vip < 3; ++vip) {
      if (random() % 3 != 0) continue;
      std::vector<std::uint16_t> nodes;
      for (std::uint16_t id = 1; id <= 4; ++id) {
        if (random() % 2) nodes.push_back(id);
      }
      give(vip, nodes);
    }
    const bool is_restarted = random() % 4 == 0;
    if (is_restarted) start();
    if (!is_restarted && !reload()) continue;  // there was no room: nothing changed
    const auto& generations = site_.director->membership().generations();
    for (const config::Vip& vip : site_.director->config().vips) {
      std::vector<RingCompiler::Step> log;
      for (const Generation& generation : generations)
        log.push_back({&generation, generation.rosters->at(vip_key(vip))});
      std::vector<std::uint64_t> expected;
      for (const SlotWord& word : RingCompiler(DirectorSite::kSlots).follow(log))
        expected.push_back(word.word);
      ASSERT_EQ(site_.ring(site_.group_of(vip)), expected) << "step " << step << ", " << vip.name;
    }
  }
}

}  // namespace
}  // namespace gatehouse::l4
