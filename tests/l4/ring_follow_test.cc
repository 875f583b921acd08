// A compiler that follows a log step by step: it agrees with one that reads the log whole, and says no more
// than what changes.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/l4/rings.h"

namespace gatehouse::l4 {
namespace {

// One compiler that goes on from call to call, as a daemon's does, and the ring that its changes make.
struct Follower {
  explicit Follower(std::uint32_t slots) : compiler(slots), ring(slots, ~0ull) {}

  // Returns how many slots it was told.
  std::size_t follow(const std::vector<Generation>& generations,
                     std::shared_ptr<const Roster> roster = nullptr) {
    std::vector<RingCompiler::Step> log;
    for (const Generation& each : generations) log.push_back({&each, roster});
    const std::vector<SlotWord> words = compiler.follow(log);
    for (const SlotWord& word : words) ring[word.slot] = word.word;
    return words.size();
  }

  RingCompiler compiler;
  Ring ring;
};

// ---- Determinism ----

TEST(RingCompiler, TwoAgreeWhateverTheySawBefore) {
  std::mt19937 random(11);
  Follower experienced(kFewSlots);
  for (int round = 0; round < 200; ++round) {
    const std::vector<Generation> generations = random_history(random, round);
    experienced.follow(generations);
    EXPECT_EQ(experienced.ring, compile(kFewSlots, generations)) << "round " << round;
  }
}

// Through all that a daemon's log goes through: generations that repeat older ones, that expire, that are too
// many.
TEST(RingCompiler, WhoFollowsALogStepByStepAgreesWithWhoReadsItWhole) {
  for (int round = 0; round < 30; ++round) {
    std::mt19937 random(round);
    Follower follower(kFewSlots);
    Membership log;
    for (int step = 0; step < 200; ++step) {
      // Some come one by one, some together.
      for (unsigned more = random() % 3; more > 0; --more) {
        Members members =
            log.generations().empty() ? random_members(random) : log.generations().back().members;
        if (random() % 8 == 0 || members.empty()) {
          members = random_members(random);
        } else {
          Member& one = members[random() % members.size()];
          const MemberState states[] = {MemberState::kActive, MemberState::kActive, MemberState::kDraining,
                                        MemberState::kDown};
          if (random() % 4 == 0) one.factor = 500 + random() % 3 * 250;
          one.state = states[random() % 4];
        }
        log.append(members, step);
      }
      if (random() % 4 == 0) log.forget_older_than(static_cast<std::int64_t>(random() % 50), step);
      if (log.generations().empty()) continue;
      follower.follow(log.generations());
      ASSERT_EQ(follower.ring, compile(kFewSlots, log.generations()))
          << "round " << round << ", step " << step;
      ASSERT_EQ(follower.follow(log.generations()), 0u) << "nothing new";
      std::vector<std::uint32_t> owned(GH_MAX_NODES);
      std::uint32_t without = 0;
      for (const std::uint64_t slot : compile(kFewSlots, {log.generations().back()}))
        ++(owner_of(slot) ? owned[owner_of(slot)] : without);
      for (std::uint16_t id = 1; id < 10; ++id) ASSERT_EQ(follower.compiler.owned()[id], owned[id]);
    }
  }
}

TEST(RingCompiler, TheOrderInWhichMembersWereNamedDoesNotMatter) {
  std::mt19937 random(13);
  for (int round = 0; round < 100; ++round) {
    Membership one, other;
    for (Generation& each : random_history(random)) {
      one.append(each.members, 1);
      std::shuffle(each.members.begin(), each.members.end(), random);
      other.append(each.members, 1);
    }
    EXPECT_EQ(compile(kFewSlots, one.generations()), compile(kFewSlots, other.generations()))
        << "round " << round;
  }
}

// ---- Rosters ----

std::shared_ptr<const Roster> roster(std::vector<Roster::Entry> entries) {
  return std::make_shared<const Roster>(Roster{"", std::move(entries)});
}

TEST(RingCompiler, ARosterNamesItsMembersAndTheirWeights) {
  Members members = equal_members(5);
  members[4].weight = 3;
  Follower follower(kSlots);
  follower.follow({generation(1, members)},
                  roster({{2, Roster::kOwnWeight}, {3, 4}, {5, Roster::kOwnWeight}, {9, 7}}));
  const auto shares = shares_of(follower.ring);
  ASSERT_EQ(shares.size(), 3u);
  EXPECT_NEAR(shares.at(2), kSlots / 8.0, 2);
  EXPECT_NEAR(shares.at(3), kSlots / 2.0, 2);
  EXPECT_NEAR(shares.at(5), kSlots * 3 / 8.0, 2);
}

TEST(RingCompiler, AVipThatGetsOtherNodesRemembersThoseThatItHad) {
  const Generation first = generation(1, equal_members(4)), second = generation(2, equal_members(4));
  const auto before = roster({{1}, {2}}), after = roster({{3}, {4}});
  RingCompiler compiler(kFewSlots);
  compiler.follow(std::vector<RingCompiler::Step>{{&first, before}});
  const auto words = compiler.follow(std::vector<RingCompiler::Step>{{&first, before}, {&second, after}});
  ASSERT_EQ(words.size(), kFewSlots);
  for (const SlotWord& word : words) {
    const auto hops = hops_of(word.word);
    ASSERT_EQ(hops.size(), 2u);
    EXPECT_GE(hops[0], 3);
    EXPECT_LE(hops[1], 2);
  }
}

// ---- Cost ----

TEST(RingCompiler, SaysTheSlotsThatAGenerationTouchesAndNoOthers) {
  Members members = equal_members(100);
  Membership log;
  Follower follower(kSlots);
  const auto change = [&](std::size_t place, MemberState state) {
    members[place].state = state;
    log.append(members, 1);
    return follower.follow(log.generations());
  };
  EXPECT_EQ(change(0, MemberState::kActive), kSlots) << "the first time all of them";
  const double share = kSlots / 100.0;
  EXPECT_NEAR(static_cast<double>(change(10, MemberState::kDown)), share, 2) << "those of the dead";
  EXPECT_NEAR(static_cast<double>(change(20, MemberState::kDraining)), share, share / 2)
      << "those of the one that drains";
  EXPECT_NEAR(static_cast<double>(change(20, MemberState::kDown)), share, share / 2)
      << "it leaves the hop lists";
  EXPECT_NEAR(static_cast<double>(change(10, MemberState::kActive)), share, share) << "its own again";
  members[30].factor = 900;
  log.append(members, 1);
  EXPECT_LT(static_cast<double>(follower.follow(log.generations())), share / 2)
      << "a tenth of one node's, and what makes room";
}

}  // namespace
}  // namespace gatehouse::l4
