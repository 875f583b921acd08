// What a site relies on in its rings: balance, little disruption, agreement of hosts, and hop lists that name
// every node that may still have a connection of the slot.
#include "l4/ring_compiler.h"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <map>
#include <random>

#include "bpf/abi.h"

namespace gatehouse::l4 {
namespace {

constexpr std::uint32_t kSlots = 65537;
constexpr std::uint32_t kFewSlots = 251;

using Ring = std::vector<std::uint64_t>;
using Members = std::vector<Member>;

Members equal_members(std::uint16_t count) {
  Members members;
  for (std::uint16_t id = 1; id <= count; ++id) members.push_back({id, 1, MemberState::kActive});
  return members;
}

Generation generation(std::uint16_t epoch, Members members) { return {epoch, epoch, std::move(members)}; }

Ring compile(std::uint32_t slots, std::vector<Generation> generations) {
  return RingCompiler(slots).compile(generations);
}

std::vector<std::uint16_t> hops_of(std::uint64_t slot) {
  std::vector<std::uint16_t> hops;
  for (int place = 0; place < GH_HOPS; ++place) hops.push_back(gh_slot_hop(slot, place));
  while (!hops.empty() && hops.back() == 0) hops.pop_back();
  return hops;
}

std::uint16_t owner_of(std::uint64_t slot) { return gh_slot_hop(slot, 0); }

std::map<std::uint16_t, double> shares_of(const Ring& ring) {
  std::map<std::uint16_t, double> shares;
  for (const std::uint64_t slot : ring) shares[owner_of(slot)] += 1;
  return shares;
}

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
  RingCompiler compiler(kSlots);
  const Ring before = compiler.compile(std::vector{generation(1, all)});
  double worst = 0, sum = 0;
  for (const Member& leaving : all) {
    Members rest = all;
    std::erase(rest, leaving);
    const Ring after = compiler.compile(std::vector{generation(2, rest)});
    const double moved = moved_of_others(before, after, leaving.id);
    worst = std::max(worst, moved);
    sum += moved;
  }
  RecordProperty("worst_percent", std::to_string(worst * 100));
  RecordProperty("mean_percent", std::to_string(sum));  // of a hundred removals
  EXPECT_LE(worst, 0.01) << "worst of 100 removals; the mean is " << sum / 100;
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

Members random_members(std::mt19937& random) {
  Members members;
  for (std::uint16_t id = 1; id <= 9; ++id) {
    if (random() % 5 == 0) continue;
    const MemberState states[] = {MemberState::kActive, MemberState::kActive, MemberState::kDraining,
                                  MemberState::kDown};
    members.push_back({id, static_cast<std::uint32_t>(random() % 4), states[random() % 4]});
  }
  return members;
}

std::vector<Generation> random_history(std::mt19937& random) {
  std::vector<Generation> generations;
  const std::size_t count = 1 + random() % Membership::kMost;
  while (generations.size() < count) {
    generations.push_back(
        generation(static_cast<std::uint16_t>(generations.size() + 1), random_members(random)));
  }
  return generations;
}

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

// ---- Determinism ----

TEST(RingCompiler, TwoAgreeWhateverTheySawBefore) {
  std::mt19937 random(11);
  RingCompiler experienced(kFewSlots);
  for (int round = 0; round < 200; ++round) {
    const std::vector<Generation> generations = random_history(random);
    const Ring ring = experienced.compile(generations);
    EXPECT_EQ(ring, compile(kFewSlots, generations)) << "round " << round;
    EXPECT_EQ(ring_digest(ring), ring_digest(compile(kFewSlots, generations)));
  }
}

TEST(RingCompiler, TheOrderOfMembersDoesNotMatter) {
  std::mt19937 random(13);
  for (int round = 0; round < 100; ++round) {
    std::vector<Generation> generations = random_history(random);
    const Ring ring = compile(kFewSlots, generations);
    for (Generation& each : generations) std::shuffle(each.members.begin(), each.members.end(), random);
    EXPECT_EQ(compile(kFewSlots, generations), ring) << "round " << round;
  }
}

TEST(RingCompiler, DigestsTellRingsApart) {
  const Ring one = compile(kFewSlots, {generation(1, equal_members(5))});
  Ring other = one;
  std::swap(other[3],
            other[std::find_if(other.begin() + 3, other.end(), [&](auto slot) { return slot != other[3]; }) -
                  other.begin()]);
  EXPECT_NE(ring_digest(one), ring_digest(other));
  EXPECT_NE(ring_digest(one), ring_digest(Ring(kFewSlots)));
}

// ---- Cost ----

// Of this thread: other work on the machine does not count.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// The least of a few tries, each from the same state.
double cost_of(RingCompiler& compiler, const std::vector<Generation>& generations) {
  double least = 1e9;
  RingCompiler after = compiler;
  for (int attempt = 0; attempt < 4; ++attempt) {
    after = compiler;
    const double start = cpu_seconds();
    after.compile(generations);
    least = std::min(least, cpu_seconds() - start);
  }
  compiler = std::move(after);
  return least;
}

// Every generation is built once: in a history that grows by a node or two at a time, in one that was read
// from a file whole, and in one where sets of nodes come back.
class RingCompilerCost : public testing::Test {
 protected:
  // The node count stands for the set.
  void append(std::uint16_t nodes) {
    generations_.push_back(generation(++epoch_, equal_members(nodes)));
    if (generations_.size() > Membership::kMost) generations_.erase(generations_.begin());
  }
  void SetUp() override {
    for (std::uint16_t i = 0; i < Membership::kMost; ++i) append(100 + i);
    const double all_are_new = cost_of(compiler_, generations_);
    const double none_is_new = cost_of(compiler_, generations_);
    ASSERT_LT(none_is_new, all_are_new);
    limit_ = none_is_new + (all_are_new - none_is_new) / 2;
  }
  void expect_cheap(const std::string& step) { EXPECT_LT(cost_of(compiler_, generations_), limit_) << step; }

  RingCompiler compiler_{262147};  // a build takes much longer than to read what was built
  std::vector<Generation> generations_;
  std::uint16_t epoch_ = 0;
  double limit_ = 0;  // of building half of them
};

TEST_F(RingCompilerCost, OfANewGenerationIsOneBuild) {
  std::uint16_t nodes = 200;
  for (int step = 0; step < 12; ++step) {
    append(nodes++);
    expect_cheap("one generation is new, step " + std::to_string(step));
  }
  for (int step = 0; step < 4; ++step) {
    append(nodes++), append(nodes++);
    expect_cheap("two generations are new, step " + std::to_string(step));
  }
}

TEST_F(RingCompilerCost, OfANewGenerationIsOneBuildAfterOldSetsCameBack) {
  for (const std::uint16_t nodes : {100, 101, 102, 103, 104, 200, 201, 202, 100, 203, 204, 101}) {
    append(nodes);
    expect_cheap("set " + std::to_string(nodes));
  }
}

}  // namespace
}  // namespace gatehouse::l4
