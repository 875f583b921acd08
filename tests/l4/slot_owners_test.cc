// Shares and movement: what the owners of slots are made for, also where the base gives them little to go by.
#include "l4/slot_owners.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "bpf/abi.h"

namespace gatehouse::l4 {
namespace {

constexpr std::uint32_t kSlots = 65537;

using Members = std::vector<RingMember>;
using Owners = std::vector<std::uint16_t>;

Members members_of(std::uint16_t count, std::uint32_t weight = 100) {
  Members members;
  for (std::uint16_t id = 1; id <= count; ++id) members.push_back({id, weight, weight * 1000ull});
  return members;
}

Owners assign(const Members& members, std::uint32_t slots = kSlots) {
  Owners owners(slots);
  assign_owners(build_base(members, slots), members, owners);
  return owners;
}

std::uint32_t moved(const Owners& before, const Owners& after) {
  std::uint32_t count = 0;
  for (std::size_t slot = 0; slot < before.size(); ++slot) count += before[slot] != after[slot];
  return count;
}

// Half of the sum of what shares change by: fewer slots cannot move.
double least_movement(const Members& before, const Members& after) {
  double sum_before = 0, sum_after = 0, change = 0;
  for (const RingMember& member : before) sum_before += static_cast<double>(member.claim);
  for (const RingMember& member : after) sum_after += static_cast<double>(member.claim);
  for (std::size_t i = 0; i < before.size(); ++i) {
    change += std::abs(static_cast<double>(before[i].claim) / sum_before -
                       static_cast<double>(after[i].claim) / sum_after);
  }
  return kSlots * change / 2;
}

// Each member's slots are its claim, rounded; more by no more than `slack`.
void expect_fair(const Members& members, const Owners& owners, double slack, const std::string& what) {
  std::vector<double> counts(GH_MAX_NODES);
  double sum = 0;
  for (const std::uint16_t id : owners) ++counts[id];
  for (const RingMember& member : members) sum += static_cast<double>(member.claim);
  for (const RingMember& member : members) {
    const double due = static_cast<double>(owners.size()) * static_cast<double>(member.claim) / sum;
    ASSERT_NEAR(counts[member.id], due, 1 + slack) << what << ", member " << member.id;
  }
  ASSERT_EQ(counts[0], 0) << what;
}

TEST(SlotOwners, OfEqualClaimsAreThoseOfTheBase) {
  for (const std::uint16_t count : {1, 2, 10, 100, 1000}) {
    const Members members = members_of(count);
    EXPECT_EQ(assign(members), build_base(members, kSlots).owners) << count;
  }
}

TEST(SlotOwners, AreNobodyWithoutAClaim) {
  Members members = members_of(3);
  for (RingMember& member : members) member.claim = 0;
  EXPECT_EQ(assign(members), Owners(kSlots));
  EXPECT_EQ(assign({}), Owners(kSlots));
}

TEST(SlotOwners, ShareAsTheirClaimsSay) {
  std::mt19937 random(3);
  for (const std::uint16_t count : {2, 10, 100, 1000}) {
    for (int round = 0; round < 20; ++round) {
      Members members = members_of(count);
      for (RingMember& member : members) {
        member.weight = 1 + random() % 300;
        member.claim = random() % 4 == 0 ? 0 : member.weight * (250ull + random() % 3750);
      }
      members[0].claim = members[0].weight * 1000ull;
      const BaseRing base = build_base(members, kSlots);
      Owners owners(kSlots);
      assign_owners(base, members, owners);
      expect_fair(members, owners, 1.5, std::to_string(count) + " members, round " + std::to_string(round));
    }
  }
}

TEST(SlotOwners, FewMoveMoreThanMust) {
  std::mt19937 random(5);
  for (const std::uint16_t count : {10, 100, 1000}) {
    Members members = members_of(count);
    std::vector<double> wanted;
    for (std::uint16_t i = 0; i < count; ++i) wanted.push_back(0.5 + random() % 1500 / 1000.0);
    Owners owners = assign(members);
    double all_moved = 0, must = 0;
    for (int step = 0; step < 8; ++step) {  // towards speeds of half to twice the mean, by at most a tenth
      Members next = members;
      for (std::uint16_t i = 0; i < count; ++i) {
        const double ratio = wanted[i] * 100'000 / static_cast<double>(members[i].claim);
        next[i].claim =
            static_cast<std::uint64_t>(static_cast<double>(members[i].claim) * std::clamp(ratio, 0.9, 1.1));
      }
      const Owners after = assign(next);
      all_moved += moved(owners, after);
      must += least_movement(members, next);
      members = next;
      owners = after;
    }
    RecordProperty("moved_of_must_percent_" + std::to_string(count),
                   static_cast<int>(100 * all_moved / must));
    EXPECT_LT(all_moved, 2 * must) << count << " members";
  }
}

TEST(SlotOwners, DeathsOneAfterTheOtherMoveLittleBesideTheSlotsOfTheDead) {
  Members members = members_of(100);
  Owners owners = assign(members);
  for (std::size_t death = 0; death < 30; ++death) {
    const auto own =
        static_cast<std::uint32_t>(std::count(owners.begin(), owners.end(), members[3 * death].id));
    members[3 * death].claim = 0;
    const Owners after = assign(members);
    EXPECT_LE(moved(owners, after), own + own / 2) << "death " << death;
    owners = after;
  }
}

// Where the base names the few that are left hardly or not at all, shares still hold, and in bounded time.
TEST(SlotOwners, AreFairAmongAFewOfManyAndAmongThoseThatTheBaseHardlyKnows) {
  Members few = members_of(4000);
  for (RingMember& member : few) member.claim = member.id % 1000 == 7 ? 5 : 0;
  expect_fair(few, assign(few), 0, "four of four thousand");

  Members light = members_of(50, 10'000);
  light.push_back({60, 1, 1});
  light.push_back({61, 1, 2});
  for (std::size_t i = 0; i < 50; ++i) light[i].claim = 0;
  expect_fair(light, assign(light, 251), 0, "two that the base does not name");

  Members heavy = members_of(3);
  heavy[0].claim = 0xffffffffull * 4000;
  expect_fair(heavy, assign(heavy), 0, "the largest claim there is");
}

}  // namespace
}  // namespace gatehouse::l4
