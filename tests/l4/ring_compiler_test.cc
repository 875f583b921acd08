// What a site relies on in its rings: balance, little disruption, agreement of hosts, and hop lists that name
// every node that may still have a connection of the slot.
#include "l4/ring_compiler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/l4/rings.h"

namespace gatehouse::l4 {
namespace {

// ---- Balance and disruption ----

TEST(Ring, EqualNodesGetEqualShares) {
  for (const std::uint16_t count : {2, 3, 10, 100}) {
    const auto shares = shares_of(compile(kSlots, {generation(1, equal_members(count))}));
    ASSERT_EQ(shares.size(), count);
    double least = kSlots, most = 0;
    for (const auto& [id, share] : shares) {
      least = std::min(least, share);
      most = std::max(most, share);
    }
    EXPECT_LE(most / least, 1.02) << count << " nodes";
  }
}

TEST(Ring, WeightsAreHonoured) {
  Members members = equal_members(100);
  double sum = 0;
  for (Member& member : members) sum += member.weight = 1 + member.id % 10;
  const auto shares = shares_of(compile(kSlots, {generation(1, members)}));
  for (const Member& member : members) {
    const double wanted = kSlots * member.weight / sum;
    EXPECT_NEAR(shares.at(member.id), wanted, wanted * 0.02)
        << "node " << member.id << ", weight " << member.weight;
  }
}

// The part of the slots owned by others than `id` before and after that have another owner after.
double moved_of_others(const Ring& before, const Ring& after, std::uint16_t id) {
  double moved = 0, others = 0;
  for (std::size_t slot = 0; slot < before.size(); ++slot) {
    if (owner_of(before[slot]) == id || owner_of(after[slot]) == id) continue;
    others += 1;
    if (owner_of(before[slot]) != owner_of(after[slot])) moved += 1;
  }
  return moved / others;
}

TEST(Ring, RemovingOneOfAHundredNodesMovesFewSlotsOfTheOthers) {
  const Members all = equal_members(100);
  const Ring before = compile(kSlots, {generation(1, all)});
  double worst = 0, sum = 0;
  for (const Member& leaving : all) {
    Members rest = all;
    std::erase(rest, leaving);
    const Ring after = compile(kSlots, {generation(2, rest)});
    const double moved = moved_of_others(before, after, leaving.id);
    worst = std::max(worst, moved);
    sum += moved;
  }
  RecordProperty("worst_percent", std::to_string(worst * 100));
  RecordProperty("mean_percent", std::to_string(sum));  // of a hundred removals
  EXPECT_LE(worst, 0.01) << "worst of 100 removals; the mean is " << sum / 100;
}

TEST(Ring, TheDeathOfANodeMovesItsSlotsAloneAndItsReturnMovesThemBack) {
  for (const std::uint16_t count : {10, 100, 1000}) {
    const Members all = equal_members(count);
    const Ring before = compile(kSlots, {generation(1, all)});
    for (const std::size_t place : {std::size_t{0}, std::size_t{4}, all.size() - 1}) {
      for (const MemberState state : {MemberState::kDown, MemberState::kDraining}) {
        Members others = all;
        others[place].state = state;
        const Ring without = compile(kSlots, {generation(2, others)});
        EXPECT_EQ(moved_of_others(before, without, all[place].id), 0) << count << " nodes";
        EXPECT_EQ(shares_of(without).size(), count - 1u);
      }
    }
    EXPECT_EQ(compile(kSlots, {generation(3, all)}), before);
  }
}

TEST(Ring, WhatMovesAwayFromOthersIsInTheirHopLists) {
  Members rest = equal_members(100);
  const Generation before = generation(1, rest);
  rest.erase(rest.begin() + 41);
  const Ring old_ring = compile(kSlots, {before});
  const Ring new_ring = compile(kSlots, {before, generation(2, rest)});
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    const std::uint16_t old_owner = owner_of(old_ring[slot]);
    const auto hops = hops_of(new_ring[slot]);
    const bool is_named = std::find(hops.begin(), hops.end(), old_owner) != hops.end();
    ASSERT_EQ(is_named, old_owner != 42) << "slot " << slot;
  }
}

// ---- Hop lists by example ----

TEST(HopList, OfOneGenerationIsTheOwnerAlone) {
  for (const std::uint64_t slot : compile(kFewSlots, {generation(1, equal_members(5))})) {
    ASSERT_EQ(hops_of(slot).size(), 1u);
  }
}

TEST(HopList, NobodyIsNamedWhenNobodyIsThere) {
  const Ring nothing(kFewSlots, 0);
  EXPECT_EQ(compile(kFewSlots, {}), nothing);
  EXPECT_EQ(compile(kFewSlots, {generation(1, {})}), nothing);
  EXPECT_EQ(compile(kFewSlots, {generation(1, {{1, 1, MemberState::kDown}, {2, 0, MemberState::kActive}})}),
            nothing);
  EXPECT_EQ(compile(kFewSlots, {generation(1, equal_members(3)), generation(2, {})}), nothing);
}

struct Step {
  const char* description;
  std::vector<Members> generations;
  std::vector<std::uint16_t> hops;  // of every slot
};

Members only(std::initializer_list<Member> members) { return members; }
Member active(std::uint16_t id) { return {id, 1, MemberState::kActive}; }
Member draining(std::uint16_t id) { return {id, 1, MemberState::kDraining}; }
Member down(std::uint16_t id) { return {id, 1, MemberState::kDown}; }

// One active node in each generation owns every slot, so that all slots have the same list.
const Step kSteps[] = {
    {"newest first",
     {only({active(1), draining(2), draining(3)}), only({draining(1), active(2), draining(3)}),
      only({draining(1), draining(2), active(3)})},
     {3, 2, 1}},
    {"a node that comes back is named once",
     {only({active(1), draining(2)}), only({draining(1), active(2)}), only({active(1), draining(2)})},
     {1, 2}},
    {"who is down is no hop", {only({active(1), draining(2)}), only({down(1), active(2)})}, {2}},
    {"who was down and drains now is one",
     {only({active(1), draining(2)}), only({down(1), active(2)}), only({draining(1), active(2)})},
     {2, 1}},
    {"who is gone is no hop", {only({active(1), draining(2)}), only({active(2)})}, {2}},
    {"who came back without weight is one",
     {only({active(1), draining(2)}), only({{1, 0, MemberState::kActive}, active(2)})},
     {2, 1}},
    {"four at most, the oldest is left out",
     {only({active(1)}), only({draining(1), active(2)}), only({draining(1), draining(2), active(3)}),
      only({draining(1), draining(2), draining(3), active(4)}),
      only({draining(1), draining(2), draining(3), draining(4), active(5)})},
     {5, 4, 3, 2}},
    {"all drain: the newest owner serves on",
     {only({active(1), draining(2)}), only({draining(1), active(2)}), only({draining(1), draining(2)})},
     {2, 1}},
    {"all drain or are down: the newest that can",
     {only({active(1), draining(2)}), only({draining(1), active(2)}), only({draining(1), down(2)})},
     {1}},
    {"nobody can", {only({active(1)}), only({down(1)})}, {}},
};

TEST(HopList, FollowsTheHistory) {
  for (const Step& step : kSteps) {
    std::vector<Generation> generations;
    for (const Members& members : step.generations) {
      generations.push_back(generation(static_cast<std::uint16_t>(generations.size() + 1), members));
    }
    for (const std::uint64_t slot : compile(kFewSlots, generations)) {
      ASSERT_EQ(hops_of(slot), step.hops) << step.description;
    }
  }
}

// ---- Hop lists by property ----

bool can_take(const Generation& newest, std::uint16_t id) {
  return std::any_of(newest.members.begin(), newest.members.end(), [id](const Member& member) {
    return member.id == id && member.state != MemberState::kDown;
  });
}

TEST(HopList, HoldsTheDistinctTakeableOwnersNewestFirst) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::vector<Generation> generations = random_history(random);
    std::vector<Ring> alone;  // the owners of each generation by itself, newest first
    for (auto i = generations.rbegin(); i != generations.rend(); ++i)
      alone.push_back(compile(kFewSlots, {*i}));
    const Ring ring = compile(kFewSlots, generations);
    for (std::uint32_t slot = 0; slot < kFewSlots; ++slot) {
      std::vector<std::uint16_t> wanted;
      for (const Ring& owners : alone) {
        const std::uint16_t owner = owner_of(owners[slot]);
        const bool is_new = std::find(wanted.begin(), wanted.end(), owner) == wanted.end();
        if (owner != 0 && is_new && can_take(generations.back(), owner) && wanted.size() < GH_HOPS)
          wanted.push_back(owner);
      }
      ASSERT_EQ(hops_of(ring[slot]), wanted) << "round " << round << ", slot " << slot;
    }
  }
}

TEST(Ring, DigestsTellRingsApart) {
  const Ring one = compile(kFewSlots, {generation(1, equal_members(5))});
  Ring other = one;
  std::swap(other[3],
            other[std::find_if(other.begin() + 3, other.end(), [&](auto slot) { return slot != other[3]; }) -
                  other.begin()]);
  EXPECT_NE(ring_digest(one), ring_digest(other));
  EXPECT_NE(ring_digest(one), ring_digest(Ring(kFewSlots)));
}

}  // namespace
}  // namespace gatehouse::l4
